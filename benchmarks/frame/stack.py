"""A control plane of single processes on a home of its own: a metadata DB, a broker, and as many others as wanted."""

from __future__ import annotations

import os
import sys
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import psutil

from benchmarks.frame import double
from benchmarks.frame.throwaway import without_settings
from toygres import config
from toygres.home import Home
from toygres.platforms.local import place
from toygres.processes import keys
from toygres.processes.broker import Broker
from toygres.processes.child import Command
from toygres.processes.metadata import Metadata
from toygres.processes.supervisor import Supervisor
from toygres.services import Services, connect
from toygres.store import migrate

_READY_SECONDS = 60.0
_STOP_SECONDS = 10.0
_RESTART_SECONDS = 0.1
ROOT = Path(__file__).parents[2]


@dataclass
class Stack:
    """Real parts on `home`; `variables` are settings for all of them."""

    home: Home
    variables: dict[str, str]
    supervisor: Supervisor
    metadata: Metadata
    broker: Broker
    names: list[str] = field(default_factory=list)

    def start(self) -> None:
        """Run the metadata DB and the broker, and make the schema."""
        keys.make_token(self.home)
        keys.make_keys_file(self.home)
        for name, part in (("metadata", self.metadata), ("broker", self.broker)):
            self.run(part.prepare())
            self.supervisor.await_ready(f"The {name}", part.ready, _READY_SECONDS)
        migrate.upgrade(self.metadata.url)
        self.supervisor.settle()

    def run(self, command: Command) -> None:
        """Keep a process running."""
        self.names.append(command.name)
        self.supervisor.start(command)

    def python(self, name: str, arguments: Sequence[str], **variables: str) -> Command:
        """How to run a module of ours with the stack's settings."""
        return Command(
            name=name,
            arguments=(sys.executable, "-m", *arguments),
            folder=self.home.path,
            log=self.home.logs / f"{name}.log",
            environment={**self.environment(), **variables},
        )

    def worker(self, name: str, app: str = "benchmarks.frame.double_worker", **variables: str) -> None:
        """Run a worker; returns once it takes steps."""
        arguments = ("celery", "-A", app, "worker", "-n", f"{name}@benchmark", "--without-mingle", "--without-gossip")
        self.run(self.python(name, arguments, **variables))
        log = self.home.logs / f"{name}.log"
        self.supervisor.await_ready(name, lambda: log.exists() and "ready." in log.read_text(), _READY_SECONDS)

    def environment(self) -> dict[str, str]:
        """What each process of the stack is run with."""
        own = {
            "TOYGRES_HOME": str(self.home.path),
            "DATABASE_URL": self.metadata.url,
            "REDIS_URL": self.broker.url,
            "PYTHONPATH": str(ROOT),
        }
        return {**without_settings(), **own, **self.variables}

    def process(self, name: str) -> psutil.Process:
        """The process called `name` that runs now."""
        return psutil.Process(self.supervisor.pids()[name])

    def services(self) -> Services:
        """What orders instances, in this very process, whose settings become the stack's."""
        os.environ.update(self.environment())
        config.settings.cache_clear()
        if self.variables.get("TOYGRES_PLATFORM") == double.NAME:
            double.install()
        _forget_connections()
        return connect(config.settings(), connections=20)

    def stop(self) -> None:
        """End all of it, the stores last."""
        stores = self.names[:2]
        self.supervisor.stop([name for name in self.names if name not in stores], _STOP_SECONDS)
        self.supervisor.stop(stores, _STOP_SECONDS)
        self.metadata.clear()
        self.broker.clear()


def _forget_connections() -> None:
    """Celery's app is this process's one: it now publishes to this stack's broker."""
    from worker.app import celery, configuration

    celery.conf.update(configuration())
    celery._after_fork()  # type: ignore[attr-defined]


@contextmanager
def running_stack(home: Home, **variables: str) -> Iterator[Stack]:
    """A metadata DB and a broker that answer, without worker or page yet."""
    home.make()
    supervisor = Supervisor(lambda _: None, lambda: None, threading.Event(), pauses=(_RESTART_SECONDS,))
    metadata = Metadata(home, place.find(home, place.Tenant.METADATA))
    stack = Stack(home, dict(variables), supervisor, metadata, Broker(home))
    try:
        stack.start()
        yield stack
    finally:
        stack.stop()


def await_that(what: str, true: object, seconds: float, look_seconds: float = 0.02) -> float:
    """Look until `true()`; the seconds that it took. Ends the run when `seconds` are over."""
    assert callable(true)  # noqa: S101
    began = time.perf_counter()
    while not true():
        if time.perf_counter() - began > seconds:
            raise SystemExit(f"{what} didn't come to be within {seconds:g} s.")
        time.sleep(look_seconds)
    return time.perf_counter() - began
