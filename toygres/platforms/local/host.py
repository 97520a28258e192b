"""This machine, as the local platform meets it: who it is, and whether a port is free."""

from __future__ import annotations

import hashlib
import socket
from pathlib import Path

_MACHINE_IDS = (Path("/etc/machine-id"), Path("/var/lib/dbus/machine-id"))


def identity(home: Path) -> str:
    """What this machine and home are and no other: the same after a restart.

    The machine's own ID, which systemd asks not to show to others, goes in only as a hash.
    """
    return f"{hashlib.sha256(_machine().encode()).hexdigest()[:16]}:{home.resolve()}"


def port_in_use(host: str, port: int) -> bool:
    """Whether a server could not listen on `port` now."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family) as probe:
        # As PostgreSQL does, since connections that ended a moment ago don't keep it from listening.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError:
            return True
    return False


def _machine() -> str:
    for file in _MACHINE_IDS:
        try:
            if found := file.read_text().strip():
                return found
        except OSError:
            continue
    return socket.gethostname()
