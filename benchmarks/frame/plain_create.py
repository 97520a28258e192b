"""The floor of a create: the same copy, sync, start, login and write as ours, by a plain script without a ledger.

It runs as the servers' user beside a real home's data, and waits in the tightest way there is.
"""

from __future__ import annotations

import secrets
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path

import psycopg

from toygres.platforms.local import commands, scram
from toygres.platforms.local.place import Place

_READY = "ready"
_SECONDS = 60.0
_LOOK_SECONDS = 0.001
_SINGLE = ("--single", "-F", "-c", "exit_on_error=on", "-c", "shared_buffers=1MB", "-c", "max_connections=10")
_USER, _MONITOR = "postgres", "toygres_monitor"


@dataclass
class PlainServer:
    """One server: made from `template` in `folder`, listening on `port`."""

    place: Place
    binaries: Path
    template: Path
    folder: Path
    port: int
    parts: dict[str, float] = field(default_factory=dict)
    _process: subprocess.Popen[bytes] | None = None

    def create(self) -> None:
        """Copy, set passwords, sync, start, log in and write a row; `parts` tells how long each took."""
        password = secrets.token_urlsafe(18)
        data = self.folder / "data"
        self._timed("copy", lambda: self._run("cp", "-a", "--reflink=auto", self.template, data))
        self._timed("passwords", lambda: self._set_passwords(data, password))
        self._timed("sync", lambda: self._run(self.binaries / "initdb", "--sync-only", *self._by_syncfs(), "-D", data))
        self._timed("start", lambda: self._start(data))
        self._timed("login and write", lambda: self._write(password))

    def remove(self) -> None:
        """Stop it and delete its data."""
        if self._process is not None:
            self._process.send_signal(signal.SIGINT)
            self._process.wait(_SECONDS)
        self._run("rm", "-rf", self.folder, self.sockets)

    def prepare(self, configuration: str) -> None:
        """Make the folder that the data goes into, with the configuration that our servers have."""
        self._run("mkdir", "-p", "-m", "700", self.folder, self.sockets)
        write: list[str | Path] = ["sh", "-c", 'cat >"$1"', "sh", self.folder / "conf"]
        commands.run(self.place, write, stdin=configuration, seconds=_SECONDS)

    @property
    def sockets(self) -> Path:
        """The folder of its Unix socket, with a short name: a socket's path is limited."""
        return self.place.sockets / f"plain-{self.port}"

    def _timed(self, part: str, work: Callable[[], object]) -> None:
        began = time.perf_counter()
        work()
        self.parts[part] = time.perf_counter() - began

    def _set_passwords(self, data: Path, password: str) -> None:
        statements = (
            f"ALTER ROLE {_USER} LOGIN SUPERUSER PASSWORD '{scram.verifier(password)}'\n"
            f"CREATE ROLE {_MONITOR} LOGIN IN ROLE pg_monitor PASSWORD '{scram.verifier(password)}'\n"
        )
        command: list[str | Path] = [self.binaries / "postgres", *_SINGLE, "-D", data, "postgres"]
        commands.run(self.place, command, stdin=statements, seconds=_SECONDS)

    def _start(self, data: Path) -> None:
        settings = {
            "config_file": self.folder / "conf",
            "listen_addresses": "127.0.0.1",
            "port": self.port,
            "unix_socket_directories": self.sockets,
        }
        options = [word for name, value in settings.items() for word in ("-c", f"{name}={value}")]
        command, identity = commands.as_server_user(self.place, [self.binaries / "postgres", "-D", data, *options])
        self._process = subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            cwd="/",
            env=commands.environment(),
            **identity,
        )
        until = time.monotonic() + _SECONDS
        while not _is_ready(data / "postmaster.pid"):
            if self._process.poll() is not None or time.monotonic() > until:
                raise SystemExit(f"The plain server in {self.folder} didn't start.")
            time.sleep(_LOOK_SECONDS)

    def _write(self, password: str) -> None:
        with psycopg.connect(
            host="127.0.0.1",
            port=self.port,
            user=_USER,
            password=password,
            dbname="postgres",
            require_auth="scram-sha-256",
            connect_timeout=10,
        ) as connection:
            connection.execute("CREATE TEMPORARY TABLE written (value text) ON COMMIT DROP")
            connection.execute("INSERT INTO written VALUES ('a row')")
            connection.execute("SELECT value FROM written").fetchone()

    def _run(self, *command: str | Path) -> None:
        commands.run(self.place, command, seconds=_SECONDS)

    def _by_syncfs(self) -> list[str]:
        # A quarter of the time of a thousand fsyncs; the wheel's PostgreSQL knows it, macOS doesn't.
        return ["--sync-method=syncfs"] if sys.platform == "linux" else []


def create_at_once(servers: list[PlainServer], parallelism: int) -> float:
    """Create all of them, so many at a time; the seconds it took."""
    began = time.perf_counter()
    with ThreadPoolExecutor(parallelism) as pool:
        for done in [pool.submit(server.create) for server in servers]:
            done.result()
    return time.perf_counter() - began


def _is_ready(file: Path) -> bool:
    try:
        lines = file.read_text().splitlines()
    except OSError:
        return False
    return len(lines) > 7 and lines[7].strip() == _READY
