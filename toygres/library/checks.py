"""Logging in to a server that a URI names: directly, or to one in the cluster the way that the control plane finds."""

from __future__ import annotations

import re
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import parse_qs, unquote, urlsplit

from toygres import postgres
from toygres.domain.instance import Endpoint, Login, Way
from toygres.errors import Cause, CauseCode, FieldError, Invalid, Misconfigured, Refused, Unavailable
from toygres.library.finding import Place
from toygres.library.shapes import HealthStatus

_IN_CLUSTER = re.compile(r"(?P<name>[a-z][-a-z0-9]*)\.(?P<namespace>[a-z0-9][-a-z0-9]*)\.svc(\.[-.a-z0-9]+)?")
_FORM = "postgresql://USER:PASSWORD@HOST:PORT/DATABASE"
_CHECKED = frozenset({"require", "verify-ca", "verify-full"})
_PHASES = {
    CauseCode.STARTING: "starting",
    CauseCode.STOPPING: "stopping",
    CauseCode.CONNECTION_REFUSED: "unreachable",
    CauseCode.NO_ANSWER: "unreachable",
    CauseCode.NAME_UNRESOLVED: "unreachable",
    CauseCode.NETWORK_BLOCKED: "unreachable",
    CauseCode.PLATFORM_UNREACHABLE: "unreachable",
}


def test_connection(uri: str) -> bool:
    """Whether a client can log in as the URI says, write a row and read it back. Raises Invalid for another URI.

    A Service of the cluster is reached at its address, at its pod's, or through a port-forward, and its certificate is
    checked. Another host is connected to directly, checked where the URI names an `sslrootcert`. Takes 15 s at most.
    """
    asked = _Asked.read(uri)
    try:
        with _way(asked) as way:
            return postgres.test_connection(way, asked.database, asked.login) is None
    except (Refused, Unavailable):
        return False


def check_health(uri: str) -> HealthStatus:
    """Whether a client can log in as the URI says, to a server that takes writes, and why not. Raises Invalid."""
    asked = _Asked.read(uri)
    began = time.monotonic()
    told = ""
    try:
        with _way(asked) as way:
            told = way.told
            trouble = postgres.check_health(way, asked.database, asked.login)
    except Refused as refused:
        trouble = refused.cause
    except Unavailable as away:
        trouble = away.cause or Cause(code=CauseCode.PLATFORM_UNREACHABLE, message=away.message, remedy=away.remedy)
    seconds = round(time.monotonic() - began, 4)
    if trouble is None:
        return HealthStatus(phase="up", ready=True, seconds=seconds, told=told)
    return HealthStatus(
        phase=_PHASES.get(trouble.code, "refused"),
        ready=False,
        seconds=seconds,
        cause=trouble.message,
        remedy=trouble.remedy,
        code=trouble.code.value,
        told=told,
    )


@dataclass(frozen=True, kw_only=True, repr=False)
class _Asked:
    endpoint: Endpoint
    database: str
    login: Login
    authority: str | None

    @classmethod
    def read(cls, uri: str) -> _Asked:
        """What the URI says. Raises Invalid, without the URI, which has a password in it."""
        try:
            parts = urlsplit(uri)
            port = parts.port or 5432
        except ValueError:
            raise _invalid("can't be read") from None
        if parts.scheme not in ("postgresql", "postgres") or not (parts.hostname and parts.username and parts.password):
            raise _invalid("isn't one")
        return cls(
            endpoint=Endpoint(host=parts.hostname, port=port),
            database=unquote(parts.path.removeprefix("/")) or unquote(parts.username),
            login=Login(user=unquote(parts.username), password=unquote(parts.password)),
            authority=_authority(parts.query, parts.hostname),
        )


def _authority(query: str, host: str) -> str | None:
    options = {name: values[-1] for name, values in parse_qs(query).items()}
    if unknown := sorted(options.keys() - {"sslmode", "sslrootcert"}):
        raise _invalid(f"has the parameter {unknown[0]}, which isn't known here")
    named = options.get("sslrootcert")
    if named is None:
        # What is in the cluster is checked by its own authority.
        if options.get("sslmode") in _CHECKED and not _IN_CLUSTER.fullmatch(host):
            raise _invalid("wants TLS, and names no sslrootcert to check it by")
        return None
    try:
        return Path(named).read_text()
    except (OSError, UnicodeDecodeError):
        raise _invalid(f"names an sslrootcert that can't be read ({named})") from None


@contextmanager
def _way(asked: _Asked) -> Iterator[Way]:
    """The way to the server. Raises Refused, Unavailable."""
    inside = _IN_CLUSTER.fullmatch(asked.endpoint.host)
    found = None
    if inside is not None:
        try:
            place = Place(inside["namespace"])
            found = place.find(inside["name"])
        except Misconfigured as unknown:
            raise Unavailable(unknown.message, unknown.remedy) from None
        if found is not None:
            with place.platform.reach(found.instance) as way:
                if way is not None:
                    yield way
                    return
    yield Way(endpoint=asked.endpoint, authority=asked.authority)


def _invalid(why: str) -> Invalid:
    return Invalid([FieldError(field="uri", value=None, message=why, allowed=_FORM)])
