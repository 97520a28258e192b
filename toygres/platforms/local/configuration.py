"""A server's configuration file and command line: what a user may set in the first, what nobody may in the second."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from toygres.domain.instance import InstanceSpec
from toygres.platforms.local.layout import CONFIGURATION, DATA, Layout
from toygres.platforms.parameters import written

_MOST_SHARED_BUFFERS_KB = 128 * 1024
# The first version that can read asynchronously, by three more processes for each server.
_ASYNCHRONOUS_READS = 18
DEFAULTS = {**written.DEFAULTS, "io_method": "sync"}


def render(spec: InstanceSpec) -> str:
    """The configuration file for `spec`. Raises Refused for a parameter that may not be set."""
    lines = written.lines(spec, _defaults(spec))
    # What initdb found out about the machine (which kind of shared memory works) stands in its own file.
    found = f"include_if_exists = '{DATA}/postgresql.conf'"
    return "\n".join(["# Written by Toygres at each start; ALTER SYSTEM has the last word.", found, *lines, ""])


def command(binaries: Path, layout: Layout, port: int, *, address: str) -> list[str]:
    """The command that runs the server; what it sets can't be changed from within, not even by ALTER SYSTEM."""
    fixed = {
        "config_file": str(layout.anchor / CONFIGURATION),
        "listen_addresses": address,
        "port": str(port),
        "unix_socket_directories": str(layout.sockets),
        "unix_socket_permissions": "0700",
        "logging_collector": "off",
        "log_destination": "stderr",
        # Who wrote a line tells what the server said of itself from what it answered to clients.
        "log_line_prefix": "%m [%p] %b ",
        "lc_messages": "C",
    }
    options = [part for name, value in fixed.items() for part in ("-c", f"{name}={value}")]
    return [str(binaries / "postgres"), "-D", str(layout.data), *options]


def _defaults(spec: InstanceSpec) -> Mapping[str, str]:
    quarter = spec.memory_bytes // 4096
    buffers = f"{max(written.LEAST_SHARED_BUFFERS_KB, min(_MOST_SHARED_BUFFERS_KB, quarter))}kB"
    settings = {**written.PROMISES, **DEFAULTS, "shared_buffers": buffers}
    if not spec.version.isdecimal() or int(spec.version) < _ASYNCHRONOUS_READS:
        del settings["io_method"]
    return settings
