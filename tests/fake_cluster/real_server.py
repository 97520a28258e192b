"""Real PostgreSQL servers behind the pods: Debian's, run as a user that isn't root, on what the pod has mounted."""

from __future__ import annotations

import atexit
import functools
import os
import pwd
import shutil
import signal
import socket
import subprocess
import tempfile
import threading
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from fake_cluster import mounts, pinging
from fake_cluster.mounts import Files, Owner

Json = dict[str, Any]
Objects = dict[tuple[str, str], Json]
_ENTRYPOINT = Path(__file__).with_name("entrypoint.sh")
_LOOK_SECONDS = 0.02
_WORDS = 30
_ROOM_BYTES = 1 << 30
_TEMPLATES: dict[tuple[Path, str, str], Path] = {}
_TEMPLATES_LOCK = threading.Lock()

_FIRST_WITH_SET = 16


def binaries() -> Path:
    """The folder of the newest of Debian's PostgreSQLs. Raises FileNotFoundError when there is none."""
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"), key=lambda path: int(path.parts[-3]))
    if not found:
        raise FileNotFoundError("Debian's package `postgresql` isn't installed.")
    return found[-1].parent


def _roomy_folder() -> str:
    """In memory where there is room; a socket's path below it must be short."""
    in_memory = Path("/dev/shm")  # noqa: S108
    roomy = in_memory.is_dir() and shutil.disk_usage(in_memory).free > _ROOM_BYTES
    return str(in_memory) if roomy else "/tmp"  # noqa: S108


def server_user() -> Owner:
    """Whom servers run as: another than root, since PostgreSQL refuses to run as root."""
    if os.geteuid() != 0:
        return Owner(os.geteuid(), os.getegid(), ours=True)
    found = pwd.getpwnam("nobody")
    return Owner(found.pw_uid, found.pw_gid, ours=False)


class RealServers:
    """Starts a server for each pod; data stay with the volume claim until that is gone.

    Everything is in one folder, in memory where there is room.
    """

    def __init__(self, bin_folder: Path | None = None) -> None:
        self.bin = bin_folder or binaries()
        self.owner = server_user()
        self._running: list[RealServer] = []
        self._numbers = 0

    @functools.cached_property
    def folder(self) -> Path:
        """Where all of it is; made when something is to be there."""
        made = Path(tempfile.mkdtemp(prefix="fk-", dir=_roomy_folder()))
        made.chmod(0o755)
        (made / "bin").mkdir()
        entrypoint = made / "bin" / "docker-entrypoint.sh"
        shutil.copyfile(_ENTRYPOINT, entrypoint)
        entrypoint.chmod(0o755)
        return made

    def start(self, pod: Json, objects: Objects) -> tuple[RealServer, tuple[str, int]]:
        """Run a pod's container, in a thread of its own."""
        self._numbers += 1
        address = pod["status"]["podIP"]
        host = address if address.startswith("127.") else "127.0.0.1"
        server = RealServer(self, pod, objects, self.folder / f"p{self._numbers}", host, _free_port(host))
        self._running.append(server)
        server.begin()
        return server, (host, server.port)

    def volume(self, uid: str) -> Path:
        """The folder of a volume claim's data."""
        folder = self.folder / f"v-{uid}"
        if not folder.exists():
            folder.mkdir(mode=0o775)
            self.owner.own(folder)
        return folder

    def template(self, user: str, arguments: str) -> Path:
        """A fresh data directory made by initdb, once in this process for each user and arguments."""
        key = (self.bin, user, arguments)
        with _TEMPLATES_LOCK:
            if key not in _TEMPLATES:
                folder = Path(tempfile.mkdtemp(prefix="fk-", dir=_roomy_folder()))
                atexit.register(shutil.rmtree, folder, ignore_errors=True)
                self.owner.own(folder)
                made = ["--no-sync", "--locale=C.UTF-8", "--encoding=UTF8", "--wal-segsize=1", f"--username={user}"]
                command = [self.bin / "initdb", "-D", folder, "--auth=trust", *made, *self._understood(arguments)]
                self.owner.run(command, stdout=subprocess.DEVNULL, stdin=subprocess.DEVNULL, cwd="/")
                _TEMPLATES[key] = folder
            return _TEMPLATES[key]

    def _understood(self, arguments: str) -> list[str]:
        """Those that this initdb knows, which may be older than the image's."""
        version = int(self.bin.parent.name)
        return [each for each in arguments.split() if version >= _FIRST_WITH_SET or not each.startswith("--set=")]

    def forget(self, claim_uid: str) -> None:
        """Delete a volume's data."""
        if "folder" in self.__dict__:
            shutil.rmtree(self.folder / f"v-{claim_uid}", ignore_errors=True)

    def close(self) -> None:
        """End every server at once and delete everything."""
        for server in self._running:
            server.stop(0.0)
        for server in self._running:
            server.join()
        if "folder" in self.__dict__:
            shutil.rmtree(self.folder, ignore_errors=True)


class RealServer:
    """One server: what a container runs from its start to its end."""

    def __init__(self, servers: RealServers, pod: Json, objects: Objects, folder: Path, host: str, port: int) -> None:
        self.port = port
        self._servers = servers
        self._container: Json = pod["spec"]["containers"][0]
        self._files = Files(folder, servers, pod)
        self._objects = objects
        self._host = host
        self._log = folder / "log"
        self._process: subprocess.Popen[bytes] | None = None
        self._accepting = False
        self._ended: tuple[int, list[str]] | None = None
        self._deadline: float | None = None
        self._thread = threading.Thread(target=self._run, name=f"server of {pod['metadata']['name']}", daemon=True)

    def begin(self) -> None:
        self._thread.start()

    def join(self) -> None:
        self._thread.join()

    def accepts(self) -> bool:
        """Whether pg_isready would have said so last time; asked until it would."""
        return self._accepting

    def ended(self) -> tuple[int, list[str]] | None:
        return self._ended

    def lines(self) -> list[str]:
        try:
            return self._log.read_text(errors="replace").splitlines()
        except OSError:
            return []

    def stop(self, seconds: float) -> None:
        """SIGINT, the image's stop signal; after so many seconds it is ended at once."""
        if self._deadline is None or seconds == 0:
            self._deadline = time.monotonic() + seconds
        if seconds and self._process is not None and self._process.poll() is None:
            self._process.send_signal(signal.SIGINT)

    def refresh(self, objects: Objects) -> None:
        """Write what is mounted anew; the server reads it when it is told to."""
        self._files.write(self._objects | objects)

    def _run(self) -> None:
        try:
            self._files.write(self._objects)
            code = self._ran()
        except Exception as error:
            code, told = 1, [f"the fake cluster couldn't run it: {error}"]
        else:
            told = self.lines()[-_WORDS:]
        self._accepting = False
        # A signal's number comes as a shell tells it.
        self._ended = (128 - code if code < 0 else code, told)

    def _ran(self) -> int:
        variables = self._environment()
        command = self._command()
        with self._log.open("wb") as log:
            self._process = self._servers.owner.popen(
                command,
                env=variables,
                stdout=log,
                stderr=log,
                stdin=subprocess.DEVNULL,
                cwd="/",
                start_new_session=True,
            )
        while self._process.poll() is None:
            if self._deadline is not None and time.monotonic() >= self._deadline:
                self._end_at_once()
            if not self._accepting:
                self._accepting = pinging.accepts(self._host, self.port)
            time.sleep(_LOOK_SECONDS)
        _end_left_over(Path(variables["PGDATA"]))
        return self._process.returncode

    def _end_at_once(self) -> None:
        """SIGTERM for the entrypoint, SIGQUIT for the server, which else leaves shared memory behind; then SIGKILL."""
        assert self._process is not None
        for sent, seconds in ((signal.SIGTERM, 0.0), (signal.SIGQUIT, 3.0), (signal.SIGKILL, 10.0)):
            try:
                os.killpg(self._process.pid, sent)
                self._process.wait(seconds)
            except subprocess.TimeoutExpired:
                continue
            except ProcessLookupError:
                return

    def _command(self) -> list[str]:
        given: Sequence[str] = self._container.get("command") or ["docker-entrypoint.sh"]
        words = [*given, *(self._container.get("args") or [])]
        return [self._files.moved(word) for word in words]

    def _environment(self) -> dict[str, str]:
        variables = {
            "PATH": f"{self._servers.folder}/bin:{self._servers.bin}:/usr/bin:/bin",
            "HOME": "/",
            "LC_ALL": "C",
        }
        variables["PGDATA"] = "/var/lib/postgresql/data"
        variables |= mounts.variables(self._container, self._objects)
        variables = {name: self._files.moved(value) if name != "PATH" else value for name, value in variables.items()}
        user = variables.get("POSTGRES_USER", "postgres")
        sockets = str(self._files.at("/var/run/postgresql"))
        template = self._servers.template(user, variables.get("POSTGRES_INITDB_ARGS", ""))
        place = f"listen_addresses={self._host} -c port={self.port} -c unix_socket_directories={sockets}"
        return variables | {
            "FAKE_TEMPLATE": str(template),
            "FAKE_SCRIPTS": str(self._files.at("/docker-entrypoint-initdb.d")),
            "FAKE_SOCKETS": sockets,
            "FAKE_PORT": str(self.port),
            "FAKE_MOVED": f"-c {place}",
        }


def _end_left_over(data: Path) -> None:
    """End the first start's temporary server, which leads a session of its own and outlives a killed entrypoint."""
    try:
        pid = int((data / "postmaster.pid").read_text().splitlines()[0])
        if str(data).encode() in Path(f"/proc/{pid}/cmdline").read_bytes():
            os.kill(pid, signal.SIGQUIT)
    except (OSError, ValueError, IndexError):
        return


def _free_port(host: str) -> int:
    with socket.socket() as probe:
        probe.bind((host, 0))
        return int(probe.getsockname()[1])
