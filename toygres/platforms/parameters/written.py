"""A server's settings as its configuration file has them: alike on every platform, but for its defaults."""

from __future__ import annotations

from collections.abc import Mapping

from toygres.domain.instance import InstanceSpec
from toygres.errors import Cause, CauseCode, Refused
from toygres.platforms.parameters import catalogue

LEAST_SHARED_BUFFERS_KB = 1024
# What is promised of every server's data and passwords.
PROMISES = {
    "fsync": "on",
    "full_page_writes": "on",
    "synchronous_commit": "on",
    "password_encryption": "scram-sha-256",
}
# What servers have for whoever asks for nothing, where PostgreSQL's own default is another or initdb's choice, which
# stands in a file that isn't read, or not read last.
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
}


def lines(spec: InstanceSpec, defaults: Mapping[str, str]) -> list[str]:
    """`defaults`, and over them what was asked for. Raises Refused for a parameter that may not be set."""
    for name, value in spec.parameters.items():
        if name not in catalogue.parameters(spec.version):
            raise Refused(parameter_rejected(name, "it isn't among the parameters that can be set."))
        if not value.isprintable():
            raise Refused(parameter_rejected(name, "it holds a character that can't be shown."))
    return [f"{name} = {quoted(value)}" for name, value in {**defaults, **spec.parameters}.items()]


def quoted(value: str) -> str:
    """`value` as postgresql.conf reads it back: it can't leave its quotes, and `lines` lets no line end pass."""
    return "'" + value.replace("\\", "\\\\").replace("'", "''") + "'"


def parameter_rejected(name: str, why: str, evidence: tuple[str, ...] = ()) -> Cause:
    """A parameter's value isn't one that the server can run with."""
    return Cause(
        code=CauseCode.PARAMETERS_REJECTED,
        message=f"The server can't run with this value of {name}: {why}",
        remedy=f"Order the instance with another value of {name}, or without it.",
        evidence=evidence,
    )
