"""Containers without namespaces, for where none may be made: the file's paths, ports and addresses are rewritten.

Each service is a plain process of this machine's, with the environment that its container would have.
"""

from __future__ import annotations

import os
import pwd
import re
import shutil
import socket
import sys
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ports import reserved_block

from tests.acceptance.containers import Container, Stack, mounts, temporary
from toygres.home import Home
from toygres.platforms.local import binaries, place

_PORTS = (8000, 5555, 5432, 6379)
_INSTANCE_PORTS = "20000-20009"
# Every passwd has it, and PostgreSQL wants its user to be there.
_SERVER_USER = pwd.getpwnam("daemon")


@dataclass
class Rewriting(Stack):
    """All services, as plain processes."""

    ports: dict[str, str] = field(init=False)

    def prepare(self) -> None:
        super().prepare()
        self.ports = dict(zip(map(str, _PORTS), _free(len(_PORTS)), strict=True))
        self.ports[_INSTANCE_PORTS] = self.cleaning.enter_context(reserved_block())
        self.cleaning.callback(place.forget, Home(self.volume("home")))

    def postgres(self) -> Path:
        """Where the servers' user may enter, too."""
        root = self.folder / "programs"
        root.mkdir()
        if os.geteuid() != 0:
            return super().postgres()
        os.chown(root, _SERVER_USER.pw_uid, _SERVER_USER.pw_gid)
        user = place.ServerUser(_SERVER_USER.pw_name, _SERVER_USER.pw_uid, _SERVER_USER.pw_gid)
        return binaries.bundled(place.Place(root=root, sockets=root, user=user, control=self.folder))

    def provide(self, program: Path) -> None:
        """In a folder on PATH; PostgreSQL's programs look for their libraries beside themselves."""
        target = self.folder / "bin" / program.name
        if program.parent.name == "bin":
            target.symlink_to(program)
        else:
            shutil.copy(program, target)

    def run(self, name: str) -> Container:
        folders = [self.volume(volume) for volume, _, _ in mounts(self.services[name])]
        for target, _ in temporary(self.services[name]):
            shutil.rmtree(self._temporary(name, target), ignore_errors=True)
            folders.append(self._temporary(name, target))
        for folder in folders:
            if not folder.exists():
                folder.mkdir(mode=0o700, parents=True)
                self._give(name, folder)
        command = [self.translated(name, word) for word in self.services[name]["command"]]
        container = self.start(name, command, self.environment(name), cwd="/", **self._user(name))
        if name == "prepare":
            container.await_end()
            self._rewrite_files()
        return container

    def enter(self, container: Container) -> list[str]:
        return ["env"]

    def beside(self) -> list[str]:
        return []

    def published(self, port: int) -> tuple[str, int]:
        first, last = (int(end) for end in _INSTANCE_PORTS.split("-"))
        if first <= port <= last:
            return "127.0.0.1", int(self.ports[_INSTANCE_PORTS].partition("-")[0]) + port - first
        return "127.0.0.1", int(self.ports[str(port)])

    def translated(self, name: str, text: str) -> str:
        """Every path that something is mounted on, every port and address of the file, at once."""
        # Nothing may be left as it is, or it would be this machine's own.
        paths = {"/etc/toygres": str(self.folder / "volumes"), self.image.folder: str(self._temporary(name, "home"))}
        paths |= {target: str(self._temporary(name, target)) for target, _ in temporary(self.services[name])}
        paths |= {target: str(self.volume(volume)) for volume, target, _ in mounts(self.services[name])}
        known = {**self.ports, **paths, "0.0.0.0": "127.0.0.1"}  # noqa: S104
        names = "|".join(re.escape(key) for key in sorted(known, key=len, reverse=True))
        return re.sub(rf"(?<![\w.])({names})(?![\w.])", lambda found: known[found[1]], text)

    def environment(self, name: str) -> dict[str, str]:
        ours = {
            "PATH": f"{self.folder / 'bin'}:{Path(sys.executable).parent}:{os.environ['PATH']}",
            "TOYGRES_PORT": self.ports["8000"],
            "TOYGRES_FLOWER_PORT": self.ports["5555"],
            "PGPORT": self.ports["5432"],
            "STANDIN_ADDRESS": "127.0.0.1",
            "STANDIN_SOCKETS": str(self._temporary(name, "/run/postgresql")),
            "STANDIN_BROKER_PORT": self.ports["6379"],
        }
        return {**super().environment(name), **ours}

    def _temporary(self, name: str, target: str) -> Path:
        return self.folder / "volumes" / f"tmpfs-{name}-{target.strip('/').replace('/', '-')}"

    def _user(self, name: str) -> dict[str, Any]:
        """Root may become the servers' user; nobody needs to become ours."""
        if os.geteuid() != 0 or "build" in self.services[name]:
            return {}
        return {"user": _SERVER_USER.pw_uid, "group": _SERVER_USER.pw_gid, "extra_groups": []}

    def _give(self, name: str, folder: Path) -> None:
        """As the image's folder is: the servers' group may enter those that they share with `prepare`."""
        if os.geteuid() != 0:
            return
        if folder.name.endswith("-server"):
            os.chown(folder, -1, _SERVER_USER.pw_gid)
            folder.chmod(0o750)
        elif self._user(name):
            os.chown(folder, _SERVER_USER.pw_uid, _SERVER_USER.pw_gid)

    def _rewrite_files(self) -> None:
        """What `prepare` wrote names the servers by the file's names and ports."""
        for volume in ("metadata-client", "broker-client", "broker-server"):
            for path in self.volume(volume).iterdir():
                text = re.sub("@(metadata|broker):", "@127.0.0.1:", path.read_text())
                mode = path.stat().st_mode
                path.chmod(0o600)
                path.write_text(self.translated("broker", text))
                path.chmod(mode)


def _free(count: int) -> list[str]:
    """Ports that nobody listens on now."""
    with ExitStack() as stack:
        sockets = [stack.enter_context(socket.create_server(("127.0.0.1", 0))) for _ in range(count)]
        return [str(found.getsockname()[1]) for found in sockets]
