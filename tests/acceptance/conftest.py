"""A real `toygres up` in a process of its own, with a home that is thrown away and ports that are free."""

from __future__ import annotations

import json
import os
import re
import select
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psutil
import pytest

from toygres.home import Home
from toygres.platforms.local import place

Json = dict[str, Any]

READY = "Ctrl-C stops everything"
SECONDS = 120.0


@dataclass
class World:
    """One home, and the commands that are run on it."""

    home: Home
    variables: dict[str, str]
    ups: list[Up] = field(default_factory=list)
    # What each command begins with, such as a change of the user.
    prefix: tuple[str, ...] = ()

    def environment(self, **more: str) -> dict[str, str]:
        return {**os.environ, **self.variables, **more}

    def up(self, *arguments: str, **variables: str) -> Up:
        """Start `toygres up`; returns at once."""
        started = Up(
            subprocess.Popen(
                [*self.prefix, sys.executable, "-m", "toygres", "up", *arguments],
                env=self.environment(**variables),
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
            )
        )
        self.ups.append(started)
        return started

    def toygres(self, *arguments: str, **variables: str) -> subprocess.CompletedProcess[str]:
        """Run another command to its end."""
        return self.run(sys.executable, "-m", "toygres", *arguments, **variables)

    def run(self, *command: str, **variables: str) -> subprocess.CompletedProcess[str]:
        """Run any command to its end, with this home."""
        return subprocess.run(
            (*self.prefix, *command),
            env=self.environment(**variables),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=SECONDS,
            check=False,
        )

    def running(self) -> Json:
        """What `up` tells about itself."""
        told: Json = json.loads(self.home.running.read_text())
        return told

    def pid_of(self, process: str) -> int:
        pid: int = self.running()["processes"][process][0]
        return pid

    def processes(self) -> list[psutil.Process]:
        """Everything that runs from this home, or whose folder or words are in it."""
        marks = [str(self.home.path)]
        for record in (self.home.place, self.home.metadata_place):
            with suppress(OSError, ValueError):
                marks += [found for found in json.loads(record.read_text()).values() if isinstance(found, str)]
        return [process for process in psutil.process_iter() if _belongs(process, marks)]

    def control_plane(self) -> list[psutil.Process]:
        """The processes of `processes` but the instances' servers."""
        servers = str(place.find(self.home).root / "instances")
        return [process for process in self.processes() if not _belongs(process, [servers])]

    def clean_up(self) -> None:
        self.end_all()
        shutil.rmtree(self.home.path.parent)

    def end_all(self) -> None:
        """End what runs, and remove what lies outside the home."""
        for up in self.ups:
            up.end()
        for process in self.processes():
            with suppress(psutil.Error):
                process.kill()
        psutil.wait_procs(self.processes(), timeout=10)
        place.forget(self.home)


@dataclass
class Up:
    """A `toygres up` that was started, and what it has said so far."""

    process: subprocess.Popen[bytes]
    said: str = ""

    def await_line(self, pattern: str, seconds: float = SECONDS) -> re.Match[str]:
        """Return once it has said `pattern`."""
        deadline = time.monotonic() + seconds
        assert self.process.stdout is not None
        descriptor = self.process.stdout.fileno()
        while not (found := re.search(pattern, self.said)):
            ready, _, _ = select.select([descriptor], [], [], max(0.0, deadline - time.monotonic()))
            assert ready, f"it didn't say {pattern!r} within {seconds} s, but:\n{self.said}"
            more = os.read(descriptor, 65_536)
            assert more, f"it ended without saying {pattern!r}, with:\n{self.said}"
            self.said += more.decode()
        return found

    def await_ready(self) -> Up:
        self.await_line(READY)
        return self

    def uri(self, name: str) -> str:
        return self.await_line(rf"\n{name}: (postgresql://\S+)\n")[1]

    def await_end(self, seconds: float = SECONDS) -> int:
        """Its exit code, once it has ended; all that it said is in `said`."""
        output, _ = self.process.communicate(timeout=seconds)
        self.said += output.decode()
        return self.process.returncode

    def interrupt(self) -> int:
        """What Ctrl-C does."""
        self.process.send_signal(signal.SIGINT)
        return self.await_end()

    def end(self) -> None:
        if self.process.poll() is None:
            self.process.terminate()
            try:
                self.process.wait(20)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()
        if self.process.stdout is not None:
            self.process.stdout.close()


def _belongs(process: psutil.Process, marks: list[str]) -> bool:
    try:
        if process.status() == psutil.STATUS_ZOMBIE or process.pid == os.getpid():
            return False
        seen = [process.cwd(), *process.cmdline()]
        # A process of ours that has no word of the home in its command line has the home in its environment.
        with suppress(psutil.Error):
            seen.append(process.environ().get("TOYGRES_HOME", ""))
    except psutil.Error:
        return False
    return any(mark in word for mark in marks for word in seen)


def await_that(what: Callable[[], object], seconds: float = 20.0) -> None:
    """Look again and again until `what()` is true."""
    deadline = time.monotonic() + seconds
    while not what():
        assert time.monotonic() < deadline, "it didn't come to be"
        select.select([], [], [], 0.05)


def make_world(instance_ports: str) -> World:
    folder = Path(tempfile.mkdtemp(prefix="tg-up-"))
    home = Home(folder / "home")
    ports = {
        "TOYGRES_PORT": "0",
        "TOYGRES_FLOWER_PORT": "0",
        "TOYGRES_INSTANCE_PORTS": instance_ports,
    }
    return World(home, {"TOYGRES_HOME": str(home.path), **ports})


@pytest.fixture
def world(instance_ports: str) -> Iterator[World]:
    made = make_world(instance_ports)
    yield made
    made.clean_up()


@pytest.fixture(scope="session")
def running(instance_ports: str) -> Iterator[World]:
    """An `up` with an instance `demo`, for tests that leave both as they are."""
    made = make_world(instance_ports)
    try:
        made.up("demo").await_ready()
        yield made
    finally:
        made.clean_up()
