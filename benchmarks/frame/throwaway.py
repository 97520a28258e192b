"""A real `toygres up` on a home and ports of its own, gone without a trace after the run."""

from __future__ import annotations

import http.client
import os
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path

import psutil

from benchmarks.frame.memory import family
from toygres.cli.client import Client
from toygres.home import Home
from toygres.platforms.local import place

_HOST = "127.0.0.1"
_PAGE_SECONDS = 120.0
_STOP_SECONDS = 30.0
_LOOK_SECONDS = 0.005
# Below what the system gives out by itself, and below the tests'.
_FIRST_PORT, _LAST_PORT = 12_000, 19_999


@contextmanager
def throwaway_home() -> Iterator[Home]:
    """A home that is removed at the end with all that servers had outside it."""
    folder = Path(tempfile.mkdtemp(prefix="toygres-benchmark-"))
    home = Home(folder / "home")
    try:
        yield home
    finally:
        place.forget(home)
        shutil.rmtree(folder)


class Up:
    """One `toygres up`; `variables` are more settings for it, over `settings`'s."""

    def __init__(self, home: Home, **variables: str) -> None:
        self.home = home
        self._port = free_ports(1)[0]
        self._environment = {**without_settings(), **self._own(), **variables}
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> float:
        """Run it; the seconds until the page answered."""
        began = time.perf_counter()
        self._process = subprocess.Popen(
            (sys.executable, "-m", "toygres", "up"),
            env=self._environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
        )
        self._await_page(began + _PAGE_SECONDS)
        return time.perf_counter() - began

    def stop(self) -> None:
        """End it, servers too; absent is fine."""
        if self._process is None:
            return
        left = family(psutil.Process(self._process.pid)) if self._process.poll() is None else []
        self._process.terminate()
        with suppress(subprocess.TimeoutExpired):
            self._process.wait(_STOP_SECONDS)
        for process in left:
            with suppress(psutil.NoSuchProcess):
                process.kill()
        self._process.communicate()
        self._process = None

    @property
    def client(self) -> Client:
        """Its API."""
        return Client.from_home(self.home)

    def processes(self) -> dict[str, list[psutil.Process]]:
        """Its processes by name, each with what it forked; `up` is the parent of them all."""
        assert self._process is not None  # noqa: S101
        up = psutil.Process(self._process.pid)
        told = self.home.read_running().get("processes", {})
        named = {name: family(psutil.Process(pid)) for name, (pid, _) in told.items()}
        return {"up": [up], **named}

    def _own(self) -> dict[str, str]:
        instances = free_ports(128)
        return {
            "TOYGRES_HOME": str(self.home.path),
            "TOYGRES_PORT": str(self._port),
            "TOYGRES_FLOWER_PORT": "0",
            "TOYGRES_INSTANCE_PORTS": f"{instances[0]}-{instances[-1]}",
        }

    def _await_page(self, deadline: float) -> None:
        while not answers(self._port):
            if self._process is None or self._process.poll() is not None or time.perf_counter() > deadline:
                raise SystemExit(f"`toygres up` didn't come up: {self._last_words()}")
            # A port that nobody listens on yet tells nobody when that changes.
            time.sleep(_LOOK_SECONDS)

    def _last_words(self) -> str:
        if self._process is None or self._process.stderr is None:
            return ""
        self._process.kill()
        return self._process.stderr.read().decode(errors="replace")


def answers(port: int) -> bool:
    """Whether a page is served on `port` of loopback."""
    connection = http.client.HTTPConnection(_HOST, port, timeout=_PAGE_SECONDS)
    try:
        connection.request("GET", "/")
        return connection.getresponse().status < http.HTTPStatus.INTERNAL_SERVER_ERROR
    except ConnectionError:
        return False
    finally:
        connection.close()


@contextmanager
def running_up(home: Home, **variables: str) -> Iterator[Up]:
    """An `up` on this home whose page answers."""
    up = Up(home, **variables)
    try:
        up.start()
        yield up
    finally:
        up.stop()


def free_ports(count: int) -> range:
    """Ports in a row that nobody listens on now."""
    for first in range(_FIRST_PORT + os.getpid() % 50 * count, _LAST_PORT - count, count):
        ports = range(first, first + count)
        if _all_free(ports):
            return ports
    raise SystemExit(f"There are no {count} free ports in a row.")


def _all_free(ports: range) -> bool:
    with ExitStack() as stack, suppress(OSError):
        for port in ports:
            stack.enter_context(socket.create_server((_HOST, port)))
        return True
    return False


def without_settings() -> dict[str, str]:
    """Our environment without what somebody has set for a Toygres of his own."""
    own = ("TOYGRES_", "DATABASE_URL", "REDIS_URL", "POSTGRES_")
    return {name: value for name, value in os.environ.items() if not name.startswith(own)}
