"""Runs the container of a StatefulSet's manifest as a process of this machine, with its volumes as folders."""

from __future__ import annotations

import base64
import os
import pwd
import shutil
import signal
import subprocess
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from manifest_subject import Manifest

from toygres.platforms.kubernetes.configuration import SOCKETS

# What the official image's entrypoint does, in few words. CUT says at which point everything in the pod is killed.
_ENTRYPOINT = r"""#!/bin/bash
set -Eeo pipefail
cut() {
    [ "$CUT" = "$1" ] || return 0
    [ ! -f "$PGDATA/postmaster.pid" ] || pg_ctl -D "$PGDATA" -m immediate -w stop
    kill -KILL $$
}
export POSTGRES_PASSWORD="${POSTGRES_PASSWORD_FILE:+$(< "$POSTGRES_PASSWORD_FILE")}"
cut first
if [ ! -s "$PGDATA/PG_VERSION" ]; then
    eval 'initdb --username="$POSTGRES_USER" --pwfile=<(printf "%s\n" "$POSTGRES_PASSWORD") '"$POSTGRES_INITDB_ARGS"
    cut initdb
    pg_ctl -D "$PGDATA" -o "$(printf '%q ' "${@:2}" -c listen_addresses=)" -w start
    query=(psql -v ON_ERROR_STOP=1 --no-password --no-psqlrc --username "$POSTGRES_USER")
    [ "$POSTGRES_DB" = postgres ] ||
        "${query[@]}" --dbname postgres --set db="$POSTGRES_DB" <<< 'CREATE DATABASE :"db";'
    cut database
    for script in "$SCRIPTS"/*; do
        case "$script" in
            *.sh) cut role; . "$script" ;;
            *.sql) "${query[@]}" --dbname "$POSTGRES_DB" --file "$script" ;;
        esac
    done
    pg_ctl -D "$PGDATA" -m fast -w stop
    echo "PGOPTIONS is ${PGOPTIONS-unset}"
fi
exec "$@"
"""
_SCRIPTS = "/docker-entrypoint-initdb.d"
_SHARED = ("/tmp", "/dev/shm")  # noqa: S108 (this machine's own are taken)


class Pod:
    """The pod of a set of manifests: its folders stay from run to run, as a volume does."""

    def __init__(self, made: Mapping[str, Manifest], programs: Path, port: int) -> None:
        self.root = Path(tempfile.mkdtemp(prefix="tg-pod-"))
        self.port = port
        self.log = self.root / "log"
        self._spec = made["stateful_set"]["spec"]["template"]["spec"]
        (self._container,) = self._spec["containers"]
        self._objects = {each["metadata"]["name"]: each for each in made.values()}
        self._programs = programs
        self._user = pwd.getpwnam("postgres") if os.geteuid() == 0 else pwd.getpwuid(os.geteuid())
        self.root.chmod(0o755)
        self.log.touch()
        self._mount()

    @property
    def data(self) -> Path:
        """PGDATA, from outside."""
        (found,) = (each["value"] for each in self._container["env"] if each["name"] == "PGDATA")
        return Path(self._moved(found))

    @contextmanager
    def running(self, cut: str = "") -> Iterator[subprocess.Popen[bytes]]:
        """The container's process, which is killed at the end if it still runs."""
        command = [self._moved(part) for part in (*self._container["command"], *self._container["args"])]
        variables = {each["name"]: self._moved(each["value"]) for each in self._container["env"]}
        path = f"{self.root}/bin:{self._programs}:{os.environ['PATH']}"
        places = {"PGHOST": self._moved(SOCKETS), "PGPORT": str(self.port), "SCRIPTS": self._moved(_SCRIPTS)}
        as_user: dict[str, Any] = {"user": self._user.pw_uid, "group": self._user.pw_gid, "extra_groups": []}
        with self.log.open("ab") as log:
            process = subprocess.Popen(
                command,
                env={**variables, **places, "PATH": path, "CUT": cut, "LANG": "C.UTF-8"},
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                cwd="/",
                **(as_user if os.geteuid() == 0 else {}),
            )
        try:
            yield process
        finally:
            if process.poll() is None:
                process.send_signal(signal.SIGINT)
            process.wait(timeout=30)

    def remove(self) -> None:
        """Forget its volumes."""
        shutil.rmtree(self.root)

    def _moved(self, text: str) -> str:
        """A path or an argument of the container's as this machine has it."""
        text = text.replace("$$", "$").replace("port=5432", f"port={self.port}")
        for mount in self._mounts():
            text = text.replace(mount, f"{self.root}{mount}")
        return text

    def _mounts(self) -> list[str]:
        return [path for each in self._container["volumeMounts"] if (path := each["mountPath"]) not in _SHARED]

    def _mount(self) -> None:
        volumes = {each["name"]: each for each in self._spec["volumes"]}
        for mount in self._container["volumeMounts"]:
            if mount["mountPath"] in _SHARED:
                continue
            folder = Path(f"{self.root}{mount['mountPath']}")
            folder.mkdir(parents=True)
            if mount.get("readOnly"):
                self._fill(folder, volumes[mount["name"]])
            else:
                self._own(folder, 0o2775)
        entrypoint = self.root / "bin/docker-entrypoint.sh"
        entrypoint.parent.mkdir()
        entrypoint.write_text(_ENTRYPOINT)
        entrypoint.chmod(0o755)

    def _fill(self, folder: Path, volume: Mapping[str, Any]) -> None:
        source: Mapping[str, Any] = next(value for key, value in volume.items() if key != "name")
        for part in source.get("sources", (volume,)):
            found: Mapping[str, Any] = next(value for key, value in part.items() if key != "name")
            values = self._values(found.get("secretName") or found["name"])
            items = found.get("items") or [{"key": key, "path": key} for key in values]
            for item in items:
                file = folder / item["path"]
                file.write_text(values[item["key"]])
                self._own(file, source.get("defaultMode", 0o644))

    def _values(self, name: str) -> dict[str, str]:
        found = self._objects[name]
        data: dict[str, str] = found["data"]
        if found["kind"] == "ConfigMap":
            return data
        return {key: base64.b64decode(value).decode() for key, value in data.items()}

    def _own(self, path: Path, mode: int) -> None:
        # As with fsGroup: root's, and its group the server's. Who isn't root owns it, and no group reads it.
        if os.geteuid() == 0:
            os.chown(path, 0, self._user.pw_gid)
        path.chmod(mode if os.geteuid() == 0 or path.is_dir() else mode & 0o700)
