from __future__ import annotations

import os
import select
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest

from toygres.processes.child import Command
from toygres.processes.supervisor import Supervisor

Script = Callable[..., Command]


@pytest.fixture
def script(tmp_path: Path) -> Script:
    """Makes a command from Python source."""

    def make(source: str, *, name: str = "part", inherited: tuple[int, ...] = ()) -> Command:
        return Command(
            name=name,
            arguments=(sys.executable, "-S", "-c", source),
            folder=tmp_path,
            log=tmp_path / f"{name}.log",
            environment={"PATH": os.environ["PATH"]},
            inherited=inherited,
        )

    return make


class Pipe:
    """What children say, a line at a time; each test waits on it instead of sleeping."""

    def __init__(self) -> None:
        self.reading, self.writing = os.pipe()
        self._lines: list[str] = []

    def line(self, seconds: float = 10.0) -> str:
        while not self._lines:
            ready, _, _ = select.select([self.reading], [], [], seconds)
            assert ready, "nobody said anything"
            self._lines += os.read(self.reading, 4096).decode().split()
        return self._lines.pop(0)

    def close(self) -> None:
        os.close(self.reading)
        os.close(self.writing)


@pytest.fixture
def pipe() -> Iterator[Pipe]:
    made = Pipe()
    yield made
    made.close()


@pytest.fixture
def reports() -> list[str]:
    return []


@pytest.fixture
def supervisor(reports: list[str]) -> Iterator[Supervisor]:
    made = Supervisor(reports.append, lambda: None, threading.Event())
    yield made
    made.stop(list(made.pids()), 0.0)


def runs(pid: int) -> bool:
    """Whether the process runs; one that only waits to be reaped doesn't."""
    try:
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def await_end(pid: int, seconds: float = 10.0) -> None:
    """Return once the process has ended; leaves it to its parent to reap it."""
    try:
        descriptor = os.pidfd_open(pid)
    except ProcessLookupError:
        return
    ended, _, _ = select.select([descriptor], [], [], seconds)
    os.close(descriptor)
    assert ended, f"process {pid} goes on"
