"""Which names in a home are Toygres': `destroy-everything` removes these, and leaves whatever else lies there."""

from __future__ import annotations

import fnmatch
import re
from collections.abc import Mapping

from toygres.processes.table import PROCESSES

_HEX = "[0-9a-f]"
# What is written whole or not at all is called like this until it is whole.
_SCRATCH = re.compile(r"\.(.+)\.[0-9a-f]{8}(?:[0-9a-f]{8})?")
_LOGS = sorted({process.name for process in PROCESSES} | {"beat", "migrate", "up"})

# By folder, the home being ""; a folder that has no entry of its own is removed with all that is in it.
OURS: Mapping[str, tuple[str, ...]] = {
    "": (
        *("token", "secret-keys", "flowerconfig.py"),
        *("running.json", "resume.json", "place.json", "metadata-place.json", "outside.json"),
        *("up.lock", "place.lock", "template.lock", "binaries.lock", "outside.lock"),
        *("spares.lock", "servers.lock", "secret-keys.lock"),
        *("beat-schedule", "beat-schedule.bak", "beat-schedule.dat", "beat-schedule.db", "beat-schedule.dir"),
        *("logs", "broker", "credentials", "fences", "servers", "metadata"),
    ),
    "logs": tuple(f"{name}.log{end}" for name in _LOGS for end in ("", ".1")),
    "broker": ("valkey.conf", "valkey.sock", "appendonlydir", "dump.rdb", "temp-*"),
    "credentials": (f"{_HEX * 32}.json",),
    "fences": (_HEX * 32,),
    "servers": (
        *("instances", "starts", "spares", "templates", "binaries", "sockets"),
        *("metadata", "metadata.partial*", ".check"),
    ),
    "metadata": ("binaries", "sockets", "metadata", "metadata.partial*"),
}
# Removed last: they name what lies elsewhere.
RECORDS = ("place.json", "metadata-place.json", "outside.json")


def is_ours(folder: str, name: str) -> bool:
    """Whether Toygres makes something called `name` in this folder of the home."""
    scratch = _SCRATCH.fullmatch(name)
    return any(
        fnmatch.fnmatchcase(candidate, pattern)
        for candidate in (name, scratch[1] if scratch else name)
        for pattern in OURS[folder]
    )
