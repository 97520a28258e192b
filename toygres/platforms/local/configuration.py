"""A server's configuration file and command line: what a user may set in the first, what nobody may in the second."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from toygres.domain.instance import InstanceSpec
from toygres.errors import Refused
from toygres.platforms.local.layout import CONFIGURATION, DATA, Layout
from toygres.platforms.local.refusals import parameter_rejected
from toygres.platforms.parameters import catalogue

_MOST_SHARED_BUFFERS_KB = 128 * 1024
_LEAST_SHARED_BUFFERS_KB = 1024
# The first version that can read asynchronously, by three more processes for each server.
_ASYNCHRONOUS_READS = 18
_PROMISES = {
    "fsync": "on",
    "full_page_writes": "on",
    "synchronous_commit": "on",
    "password_encryption": "scram-sha-256",
}
# What servers have here for whoever asks for nothing, where PostgreSQL's own default is another or initdb's choice.
DEFAULTS = {
    "max_connections": "100",
    # A statement that failed may hold a password, which the log mustn't: it tells the error alone.
    "log_min_error_statement": "panic",
    # initdb derives both from the small WAL segments, and would have a checkpoint every 64 MB.
    "min_wal_size": "80MB",
    "max_wal_size": "1GB",
    "datestyle": "ISO, MDY",
    "timezone": "UTC",
    "log_timezone": "UTC",
    "default_text_search_config": "pg_catalog.english",
    "io_method": "sync",
}


def render(spec: InstanceSpec) -> str:
    """The configuration file for `spec`. Raises Refused for a parameter that may not be set."""
    for name, value in spec.parameters.items():
        _refuse_unsafe(spec.version, name, value)
    lines = [f"{name} = {quoted(value)}" for name, value in {**_defaults(spec), **spec.parameters}.items()]
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


def quoted(value: str) -> str:
    """`value` as postgresql.conf reads it back: it can't leave its quotes, and render lets no line end pass."""
    return "'" + value.replace("\\", "\\\\").replace("'", "''") + "'"


def _defaults(spec: InstanceSpec) -> Mapping[str, str]:
    quarter = spec.memory_bytes // 4096
    buffers = f"{max(_LEAST_SHARED_BUFFERS_KB, min(_MOST_SHARED_BUFFERS_KB, quarter))}kB"
    settings = {**_PROMISES, **DEFAULTS, "shared_buffers": buffers}
    if not spec.version.isdecimal() or int(spec.version) < _ASYNCHRONOUS_READS:
        del settings["io_method"]
    return settings


def _refuse_unsafe(version: str, name: str, value: str) -> None:
    if name not in catalogue.parameters(version):
        raise Refused(parameter_rejected(name, "it isn't among the parameters that can be set."))
    if not value.isprintable():
        raise Refused(parameter_rejected(name, "it holds a character that can't be shown."))
