"""A broker and workers of the test's own, as real processes beside the test's metadata DB."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from uuid import UUID

from driving import CALLER, Driver

from toygres.domain import ids
from toygres.domain.operation import OperationState
from toygres.domain.records import OperationRecord
from toygres.home import Home
from toygres.operations import STEPS
from toygres.processes import child
from toygres.processes.broker import Broker
from toygres.processes.metadata import Metadata
from toygres.provisioning import InstanceRequest, request_delete, request_instance
from toygres.services import Services
from toygres.store import instances, operations
from toygres.store.changes import CHANNEL, Changes
from worker.app import QUEUE, celery, configuration
from worker.chains import publish as publish_now
from worker.queue import connect

ENDED = {OperationState.SUCCEEDED, OperationState.FAILED, OperationState.CANCELLED, OperationState.SUPERSEDED}


@dataclass
class Stack:
    """Real parts, each of which a test may kill."""

    home: Home
    services: Services
    broker: Broker
    changes: Changes
    valkey: subprocess.Popen[bytes] | None = None
    metadata: Metadata | None = None
    database: subprocess.Popen[bytes] | None = None
    workers: list[subprocess.Popen[bytes]] = field(default_factory=list)

    def start_broker(self) -> None:
        """Run the broker; returns once it answers."""
        self.valkey = child.spawn(self.broker.prepare())
        self.await_line("broker", "Ready to accept connections")

    def kill_broker(self, *, forget: bool = False) -> None:
        """Kill the broker; `forget` takes its data with it."""
        assert self.valkey is not None
        self.valkey.kill()
        self.valkey.wait()
        (self.home.logs / "broker.log").unlink()
        if forget:
            for file in self.home.broker.glob("appendonlydir/*"):
                file.unlink()

    def start_worker(self, *options: str, ready: str = "ready.", **environment: str) -> subprocess.Popen[bytes]:
        """Run a worker; returns once its log says that it takes messages, or what else is awaited."""
        worker = self.spawn_worker(*options, **environment)
        self.await_line(self.name_of(worker), ready)
        return worker

    def start_workers(self, many: int, **environment: str) -> list[subprocess.Popen[bytes]]:
        """Run so many at once; returns once each takes messages."""
        started = [self.spawn_worker(**environment) for _ in range(many)]
        for worker in started:
            self.await_line(self.name_of(worker), "ready.")
        return started

    def await_commands(self, many: int = 1) -> None:
        """Return once so many workers hear commands: one that says that it is ready does so only a little later."""
        until = time.monotonic() + 60
        while len(celery.control.ping(timeout=1.0, limit=many)) < many:
            assert time.monotonic() < until, "the workers answer no command"

    def await_listening(self) -> None:
        """Return when a worker begins to wait for a message: each does every second, and isn't always at it."""
        with connect(self.broker.url) as client:
            client.connection_pool.connection_kwargs["socket_timeout"] = 60
            with client.monitor() as heard:
                next(command for command in heard.listen() if command["command"].startswith("BRPOP"))

    def spawn_worker(self, *options: str, **environment: str) -> subprocess.Popen[bytes]:
        """Run a worker; with ODD_… in its environment its steps are those of `odd_worker`."""
        name = f"worker{len(self.workers)}"
        odd = ("-I", "odd_worker") if any(key.startswith("ODD_") for key in environment) else ()
        command = child.Command(
            name=name,
            arguments=(sys.executable, "-m", "celery", "-A", "worker", "worker", "-n", f"{name}@test", *odd, *options),
            folder=self.home.path,
            log=self.home.logs / f"{name}.log",
            environment={**os.environ, **self._environment(), **environment},
        )
        worker = child.spawn(command)
        self.workers.append(worker)
        return worker

    def name_of(self, worker: subprocess.Popen[bytes]) -> str:
        """What its log is called."""
        return f"worker{self.workers.index(worker)}"

    def log_of(self, worker: subprocess.Popen[bytes]) -> str:
        """What it has said so far."""
        return (self.home.logs / f"{self.name_of(worker)}.log").read_text()

    def await_line(self, name: str, words: str) -> str:
        """The first line of a log with these words, as soon as it is there."""
        with self.logged(name) as log:
            return read_until(log, words)

    def logged(self, name: str) -> subprocess.Popen[str]:
        """The lines of a process's log, from its first on, as they come."""
        follow = ["tail", "-n", "+1", "-F", str(self.home.logs / f"{name}.log")]
        return subprocess.Popen(follow, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)

    def order(self, name: str = "demo", *, publish: bool = True) -> UUID:
        """Order an instance; the operation's ID."""
        accepted = request_instance(self.services, CALLER, InstanceRequest(name=name))
        if publish:
            publish_now(accepted.operation)
        return accepted.operation.id

    def create(self, name: str = "demo", **asked: Any) -> OperationRecord:
        """Order an instance and wait for the end."""
        accepted = request_instance(self.services, CALLER, InstanceRequest(name=name, **asked))
        publish_now(accepted.operation)
        return self.ended(accepted.operation.id)

    def assert_nothing_left(self, failed: OperationRecord) -> None:
        """A create that failed tells why and what to do, and has left nothing."""
        assert failed.state is OperationState.FAILED
        assert failed.leftovers == ()
        assert not self.services.platform("local").objects(failed.instance_id)
        assert failed.cause is not None
        assert failed.cause.remedy

    def delete(self, name: str = "demo") -> OperationRecord:
        """Order that the instance be deleted and wait for the end."""
        return self.ended(request_delete(self.services, CALLER, name).operation.id)

    def ended(self, operation_id: UUID) -> OperationRecord:
        """The operation once it has ended."""
        return self.once(operation_id, lambda found: found.state in ENDED)

    def once(self, operation_id: UUID, condition: object) -> OperationRecord:
        """The operation as soon as `condition` holds for it."""
        assert callable(condition)
        while True:
            found = operations.find(self.services.store, "default", operation_id)
            if condition(found):
                return found
            self.changes.wait(operation_id, found.revision, 60)

    def heard(self, condition: Callable[[], bool], seconds: float = 60.0) -> None:
        """Return once `condition` holds; it is looked at whenever anything is told."""
        until = time.monotonic() + seconds
        with self.services.store.direct() as connection:
            connection.execute(f"LISTEN {CHANNEL}")
            while not condition():
                assert time.monotonic() < until, "it didn't come to be"
                next(connection.notifies(timeout=1, stop_after=1), None)

    def instance_of(self, operation: OperationRecord) -> object:
        """The instance of an operation as its row says."""
        return instances.get(self.services.store, "default", ids.shown(ids.INSTANCE, operation.instance_id))

    def queued(self) -> int:
        """How many messages wait."""
        with connect(self.broker.url) as client:
            return int(client.llen(self.services.settings.redis_prefix + QUEUE))

    def crash_database(self) -> None:
        """Kill the test's own metadata DB and run it again; returns once it answers."""
        assert self.database is not None
        self.database.kill()
        self.database.wait()
        self.start_database()

    def start_database(self) -> None:
        """Run the test's own metadata DB; returns once it answers."""
        assert self.metadata is not None
        log = self.home.logs / "metadata.log"
        log.unlink(missing_ok=True)
        self.database = child.spawn(self.metadata.prepare())
        self.await_line("metadata", "ready to accept connections")

    def await_beats(self, workers: int) -> None:
        """Return once so many workers have beaten since now, and looked at each other since then."""
        for _ in range(2):
            self.services.store.run("UPDATE toygres.workers SET took_at = 'infinity'")
            while self._beaten() < workers:
                threading.Event().wait(0.05)

    def _beaten(self) -> int:
        row = self.services.store.one("SELECT count(*) AS n FROM toygres.workers WHERE took_at < 'infinity'")
        return int(row.n)

    def _environment(self) -> dict[str, str]:
        database = self.services.settings.database_url
        assert database is not None
        return {
            "TOYGRES_HOME": str(self.home.path),
            "DATABASE_URL": database.get_secret_value(),
            "REDIS_URL": self.broker.url,
            "PYTHONPATH": os.pathsep.join(str(Path(__file__).parents[up]) for up in (1, 0)),
        }


def read_until(log: subprocess.Popen[str], words: str) -> str:
    """The first line of the log that holds `words`."""
    assert log.stdout is not None
    try:
        for line in log.stdout:
            if words in line:
                return line
        raise AssertionError(f"the log ended without {words!r}")
    finally:
        log.terminate()
        log.wait()


def forget_connections() -> None:
    """Celery's app is this process's one: it now talks to this test's broker."""
    celery.conf.update(configuration())
    celery._after_fork()


def remove(services: Services, instance_id: UUID) -> None:
    """What a test left of an instance goes the way that a delete goes, step by step."""
    driver = Driver.arrive(services)
    driver.engine.steps = STEPS
    driver.services.store.run("UPDATE toygres.operations SET owner = NULL, lease_until = NULL WHERE owner > 0")
    driver.drain(request_delete(services, CALLER, ids.shown(ids.INSTANCE, instance_id)).operation.id)
