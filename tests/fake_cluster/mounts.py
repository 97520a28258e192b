"""What a pod has mounted, as files of this machine: a tree of its own, and paths into it."""

from __future__ import annotations

import base64
import os
import re
import shutil
import subprocess
import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from fake_cluster.real_server import RealServers

Json = dict[str, Any]
Objects = Mapping[tuple[str, str], Json]
_IMAGE_FOLDERS = ("/var/run/postgresql", "/docker-entrypoint-initdb.d")


@dataclass(frozen=True)
class Owner:
    """Whom servers run as; `ours` when that is ourselves."""

    uid: int
    gid: int
    ours: bool

    def own(self, path: Path) -> None:
        """Give a file or folder to them."""
        if not self.ours:
            os.chown(path, self.uid, self.gid)

    def lend(self, path: Path, mode: int) -> None:
        """Give a file as a volume with fsGroup does: root's and readable by the group; ours when we aren't root."""
        if self.ours:
            path.chmod(mode & 0o700 | (mode & 0o007))
        else:
            os.chown(path, 0, self.gid)
            path.chmod(mode | 0o040)

    @property
    def _identity(self) -> Json:
        return {} if self.ours else {"user": self.uid, "group": self.gid, "extra_groups": []}

    def run(self, command: Sequence[str | Path], **more: Any) -> None:
        """Run a command as them, to its end. Raises CalledProcessError when it fails."""
        subprocess.run(command, check=True, **self._identity, **more)

    def popen(self, command: Sequence[str | Path], **more: Any) -> subprocess.Popen[bytes]:
        """Start a command as them."""
        return subprocess.Popen(command, **self._identity, **more)


class Files:
    """The mounts of one pod below `folder`; `moved` rewrites the paths that a text names."""

    def __init__(self, folder: Path, servers: RealServers, pod: Json) -> None:
        self._tree = folder / "fs"
        self._folder = folder
        self._servers = servers
        self._writing = threading.RLock()
        self._removed = False
        self._spec: Json = pod["spec"]
        self._mounts: list[Json] = pod["spec"]["containers"][0].get("volumeMounts") or []
        paths = {mount["mountPath"].rstrip("/") for mount in self._mounts} | set(_IMAGE_FOLDERS)
        told = "|".join(re.escape(path) for path in sorted(paths, key=len, reverse=True))
        self._paths = re.compile(rf"(?<![\w/.-])({told})(?![\w.-])")

    def at(self, path: str) -> Path:
        """Where a path of the container's is."""
        return self._tree / path.lstrip("/")

    def moved(self, text: str) -> str:
        """`text` with the container's paths as ours."""
        return self._paths.sub(lambda found: f"{self._tree}{found[1]}", text)

    def write(self, objects: Objects) -> None:
        """Make every volume, or write it anew, and the tree that leads to them; not once they were removed."""
        with self._writing:
            if not self._removed:
                self._write(objects)

    def _write(self, objects: Objects) -> None:
        self._tree.mkdir(parents=True, exist_ok=True)
        volumes = {volume["name"]: self._volume(volume, objects) for volume in self._spec.get("volumes") or []}
        for mount in sorted(self._mounts, key=lambda mount: len(mount["mountPath"])):
            if (source := volumes.get(mount["name"])) is not None:
                self._link(mount, source)
        for path in _IMAGE_FOLDERS:
            if not self.at(path).exists():
                self.at(path).mkdir(parents=True)
                self._servers.owner.own(self.at(path))
        self._servers.owner.own(self._folder)

    def _link(self, mount: Json, source: Path) -> None:
        target = self.at(mount["mountPath"])
        source = source / mount["subPath"] if mount.get("subPath") else source
        if target.is_symlink():
            return
        target.parent.mkdir(parents=True, exist_ok=True)
        target.symlink_to(source)

    def _volume(self, volume: Json, objects: Objects) -> Path | None:
        folder = self._folder / volume["name"]
        if claim := volume.get("persistentVolumeClaim"):
            found = objects["PersistentVolumeClaim", claim["claimName"]]
            return self._servers.volume(found["metadata"]["uid"])
        if "emptyDir" in volume:
            folder.mkdir(exist_ok=True)
            self._servers.owner.own(folder)
            return folder
        sources = volume["projected"]["sources"] if "projected" in volume else [volume]
        for source in sources:
            for name, content, mode in _contents(
                source, objects, (volume.get("projected") or {}).get("defaultMode", 420)
            ):
                self._put(folder / name, content, mode, secret="secret" in source)
        return folder if folder.exists() else None

    def _put(self, path: Path, content: bytes, mode: int, *, secret: bool) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        if not secret:
            content = self.moved(content.decode()).encode()
        new = path.with_name(f".{path.name}.new")
        new.write_bytes(content)
        self._servers.owner.lend(new, mode)
        new.replace(path)

    def remove(self) -> None:
        """Delete all but the claims' data; nothing is written any more."""
        with self._writing:
            self._removed = True
            shutil.rmtree(self._folder, ignore_errors=True)


def _contents(source: Json, objects: Objects, default: int) -> list[tuple[str, bytes, int]]:
    for key, kind in (("secret", "Secret"), ("configMap", "ConfigMap")):
        if key in source:
            wanted = source[key]
            found = objects.get((kind, wanted.get("secretName") or wanted.get("name")), {})
            return _files(wanted, _data(kind, found), wanted.get("defaultMode", default))
    return []


def _files(wanted: Json, data: dict[str, bytes], mode: int) -> list[tuple[str, bytes, int]]:
    items = wanted.get("items") or [{"key": key, "path": key} for key in data]
    return [(item["path"], data[item["key"]], item.get("mode", mode)) for item in items if item["key"] in data]


def _data(kind: str, found: Json) -> dict[str, bytes]:
    if kind == "Secret":
        return {key: base64.b64decode(value) for key, value in (found.get("data") or {}).items()}
    return {key: value.encode() for key, value in (found.get("data") or {}).items()}


def variables(container: Json, objects: Objects) -> dict[str, str]:
    """The environment that a container's `env` makes."""
    found = {}
    for variable in container.get("env") or []:
        if "value" in variable:
            found[variable["name"]] = variable["value"]
        source = variable.get("valueFrom") or {}
        for key, kind in (("secretKeyRef", "Secret"), ("configMapKeyRef", "ConfigMap")):
            if key in source:
                data = _data(kind, objects.get((kind, source[key]["name"]), {}))
                found[variable["name"]] = data[source[key]["key"]].decode()
    return found
