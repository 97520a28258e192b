"""Containers made of namespaces: what runs in one sees and may do no more than Docker would let it.

Its root is read-only: what the Dockerfile's last stage adds, over this machine's own. Its volumes and tmpfs are where
docker-compose.yml says, it has no capability and can get none, and processes, host name and IPC of its own. All share
a network, of which this machine's is no part; its ports are the file's.
"""

from __future__ import annotations

import os
import secrets
import shlex
import shutil
import subprocess
import sys
import tempfile
from dataclasses import dataclass, field
from pathlib import Path

from tests.acceptance.building import build
from tests.acceptance.containers import REPOSITORY, Container, Stack, mounts, temporary

# Not loopback: who connects to it comes from it, as who comes by a published port comes from elsewhere.
OUTSIDE = "10.77.7.7"
# The official images' volumes, which these stand in for.
_OF_SERVERS = {"/var/lib/postgresql": (999, 999, 0o1777), "/data": (999, 999, 0o755)}
_NETWORK = f"""
import fcntl, signal, socket, struct
with socket.socket() as any:
    for name, address in ((b"lo", "127.0.0.1"), (b"lo:1", "{OUTSIDE}")):
        where = struct.pack("16sHH4s8x", name, socket.AF_INET, 0, socket.inet_aton(address))
        fcntl.ioctl(any, 0x8916, where)
        fcntl.ioctl(any, 0x8914, struct.pack("16sH14x", name, 0x41))
print("up", flush=True)
signal.pause()
"""


def can_isolate() -> bool:
    """Whether this machine lets us make namespaces and overlays."""
    if os.geteuid() != 0:
        return False
    with tempfile.TemporaryDirectory() as folder:
        for name in ("upper", "work", "root"):
            Path(folder, name).mkdir()
        mount = _overlay(Path(folder, "upper"), Path(folder, "work"), Path(folder, "root"))
        tried = ["unshare", "--mount", "--pid", "--uts", "--ipc", "--net", "--fork", "sh", "-c", mount]
        return subprocess.run(tried, capture_output=True, check=False).returncode == 0


@dataclass
class Isolated(Stack):
    """All services, in namespaces."""

    image_files: Path = field(init=False)
    holder: subprocess.Popen[str] = field(init=False)

    def prepare(self) -> None:
        self.image_files = build(self.image, self.folder / "image")
        super().prepare()
        self._add_what_docker_adds()
        self.merged, self.root = self.folder / "merged", self.folder / "root"
        for path in (self.merged, self.root, self.folder / "work"):
            path.mkdir()
        self.holder = self._hold()

    def provide(self, program: Path) -> None:
        """In the image's /usr/local/bin."""
        folder = self.image_files / "usr/local/bin"
        folder.mkdir(parents=True, exist_ok=True)
        (folder / program.name).symlink_to(program)

    def run(self, name: str) -> Container:
        service = self.services[name]
        words = [*(["docker-init"] if service.get("init") else []), *service["command"]]
        own = ["--mount", "--pid", "--uts", "--ipc", "--fork", "--kill-child=KILL"]
        script = self._script(name) + f"exec {_which('chroot')} {self.root} {shlex.join(self._as_its_user(name))} "
        folder = self.image.folder if "build" in service else "/"
        script += shlex.join(["sh", "-c", 'cd "$0" && exec "$@"', folder, *words])
        command = [*self.beside(), _which("unshare"), *own, "sh", "-ec", script]
        return self.start(name, command, self.environment(name))

    def enter(self, container: Container) -> list[str]:
        spaces = ["--mount", "--pid", "--uts", "--ipc", "--net", "--root", "--wd"]
        return [_which("nsenter"), f"--target={container.inner.pid}", *spaces, *self._as_its_user(container.name)]

    def published(self, port: int) -> tuple[str, int]:
        return OUTSIDE, port

    def _script(self, name: str) -> str:
        """Makes the container's file system."""
        service = self.services[name]
        lines = [
            f"mount --bind {self.merged} {self.root}",
            f"mount -o remount,bind,ro {self.root}",
            f"mount -t proc proc {self.root}/proc",
            f"mount --rbind /dev {self.root}/dev",
            f"mount -t tmpfs -o mode=1777,size={service.get('shm_size', '64m')} tmpfs {self.root}/dev/shm",  # noqa: S108
            *(f"mount -t tmpfs -o {options} tmpfs {self.root}{target}" for target, options in temporary(service)),
            # After those, since they may lie below /tmp.
            *(f"mkdir -p {self.root}{path} && mount --bind -o ro {path} {self.root}{path}" for path in _seen()),
            f"echo {service.get('hostname', secrets.token_hex(6))} >/proc/sys/kernel/hostname",
        ]
        for volume, target, read_only in mounts(service):
            self._make_volume(volume, target)
            lines.append(f"mount --bind {self.volume(volume)} {self.root}{target}")
            lines += [f"mount -o remount,bind,ro {self.root}{target}"] if read_only else []
        return "\n".join(lines) + "\n"

    def _make_volume(self, name: str, target: str) -> None:
        """As Docker makes a new one: its owner and mode are those of the image's folder that it is mounted on."""
        folder = self.volume(name)
        if folder.exists():
            return
        folder.mkdir()
        found = (self.image_files / target.lstrip("/")).stat() if target not in _OF_SERVERS else None
        uid, gid, mode = (found.st_uid, found.st_gid, found.st_mode & 0o7777) if found else _OF_SERVERS[target]
        os.chown(folder, uid, gid)
        folder.chmod(mode)

    def _as_its_user(self, name: str) -> list[str]:
        service = self.services[name]
        assert service["cap_drop"] == ["ALL"]
        assert "no-new-privileges:true" in service["security_opt"]
        uid, gid = service.get("user", self.image.user).split(":")
        groups = ",".join([gid, *service.get("group_add", [])])
        none = ["--bounding-set=-all", "--inh-caps=-all", "--ambient-caps=-all", "--no-new-privs"]
        return ["setpriv", f"--reuid={uid}", f"--regid={gid}", f"--groups={groups}", *none]

    def _hold(self) -> subprocess.Popen[str]:
        """The process that the network and the image's files last as long as."""
        mount = _overlay(self.image_files, self.folder / "work", self.merged)
        script = f"{mount}\nexec {shlex.join([sys.executable, '-c', _NETWORK])}"
        holder = subprocess.Popen(
            ["unshare", "--net", "--mount", "sh", "-ec", script], stdout=subprocess.PIPE, text=True
        )
        self.cleaning.callback(lambda: (holder.kill(), holder.communicate()))
        assert holder.stdout is not None
        assert holder.stdout.readline() == "up\n"
        return holder

    def beside(self) -> list[str]:
        return [_which("nsenter"), f"--target={self.holder.pid}", "--net", "--mount"]

    def _add_what_docker_adds(self) -> None:
        """The names of the others, the official images' user, and folders to mount on."""
        with (self.image_files / "etc/passwd").open("a") as users:
            users.write("server:x:999:999::/:/bin/sh\n")
        hosts = self.image_files / "etc/hosts"
        hosts.parent.mkdir(exist_ok=True)
        hosts.write_text(f"127.0.0.1 localhost {' '.join(self.services)}\n")
        targets = [target for service in self.services.values() for _, target, _ in mounts(service)]
        targets += [target for service in self.services.values() for target, _ in temporary(service)]
        for target in (*targets, *map(str, _seen())):
            (self.image_files / target.lstrip("/")).mkdir(parents=True, exist_ok=True)


def _overlay(upper: Path, work: Path, merged: Path) -> str:
    """Puts the files in `upper` over this machine's."""
    return f"mount -t overlay overlay -o lowerdir=/,upperdir={upper},workdir={work} {merged}"


def _seen() -> list[Path]:
    """What of this machine's is run in the containers, wherever it is mounted."""
    return sorted({REPOSITORY, Path(sys.prefix), Path(sys.base_prefix)})


def _which(program: str) -> str:
    found = shutil.which(program)
    assert found is not None, program
    return found
