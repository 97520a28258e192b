"""Why nobody can log in to a server that is ready: read from what the client library says (row 27).

libpq gives no SQLSTATE for what goes wrong while connecting, so the words are all there is; the server writes them in
English, since its `lc_messages` is C.
"""

from __future__ import annotations

import re

from toygres.errors import Cause, CauseCode
from toygres.platforms.kubernetes.causes.verdict import Kind, Verdict, sentence_end

WRONG_PASSWORD = Kind(
    code=CauseCode.WRONG_PASSWORD,
    sentence="The server doesn't accept the password in the instance's Secret: {words}.",
    remedy="If the role's password was changed in the database, set it back to what the Secret holds.",
    sign="`password authentication failed`",
)
TLS_UNTRUSTED = Kind(
    code=CauseCode.TLS_UNTRUSTED,
    sentence="The server's TLS certificate isn't the one that is expected: {words}.",
    remedy="See that the Secret with the certificate wasn't changed, and that nothing else answers at this address.",
    sign="`does not match host name`, `certificate verify failed`, `does not support SSL`",
)
DATABASE_MISSING = Kind(
    code=CauseCode.DATABASE_MISSING,
    sentence="The instance's database was never made, or was dropped: {words}.",
    remedy="Create it in the server, or delete the instance and order it again: an interrupted first start leaves it "
    "out.",
    sign='`database "…" does not exist`',
)
LOGIN_NOT_ALLOWED = Kind(
    code=CauseCode.LOGIN_NOT_ALLOWED,
    sentence="The server's access rules let nobody in this way: {words}.",
    remedy="Connect with TLS (`sslmode=verify-full`); if pg_hba.conf was changed, take that back.",
    sign="`no pg_hba.conf entry`, `pg_hba.conf rejects`",
)
NAME_UNRESOLVED = Kind(
    code=CauseCode.NAME_UNRESOLVED,
    sentence="The Service's name can't be resolved from here: {words}.",
    remedy="Wait some seconds after it was made; if it stays so, see whether the cluster's DNS runs. Outside of the "
    "cluster its names aren't known.",
    sign="`failed to resolve host`, `could not translate host name`",
    heals=True,
)
NETWORK_BLOCKED = Kind(
    code=CauseCode.NETWORK_BLOCKED,
    sentence="No connection comes about though the server is ready: {words}.",
    remedy="See whether a NetworkPolicy or firewall lies between: the instance's own lets in its project's namespace, "
    "the control plane's, and what was asked for.",
    sign="`connection timeout expired`, `No route to host`",
    heals=True,
)

KINDS = (WRONG_PASSWORD, TLS_UNTRUSTED, DATABASE_MISSING, LOGIN_NOT_ALLOWED, NAME_UNRESOLVED, NETWORK_BLOCKED)

_BY_WORDS = tuple(
    (re.compile(pattern, re.IGNORECASE), kind)
    for pattern, kind in (
        (r"password authentication failed", WRONG_PASSWORD),
        (r'database "[^"]*" does not exist', DATABASE_MISSING),
        (r"no pg_hba\.conf entry|pg_hba\.conf rejects", LOGIN_NOT_ALLOWED),
        (
            r"does not match host name|certificate verify failed|does not support SSL|root certificate file"
            r"|SSL error: (?!syscall|unexpected eof|.*connection reset|.*shutdown)",
            TLS_UNTRUSTED,
        ),
        (r"failed to resolve host|could not translate host name|Name or service not known", NAME_UNRESOLVED),
        (
            r"timeout expired|Connection timed out|No route to host|Network is unreachable|timed out",
            NETWORK_BLOCKED,
        ),
    )
)


def verdict(said: str) -> Verdict | None:
    """Why a login to a ready server fails, by the words of libpq or psycopg; None when they say nothing special."""
    for pattern, kind in _BY_WORDS:
        if line := next((line for line in said.splitlines() if pattern.search(line)), None):
            return kind.found(words=_words(line))
    return None


def cause(said: str) -> Cause | None:
    """The cause alone, as `Way.explain` wants it."""
    found = verdict(said)
    return found.cause if found else None


def _words(line: str) -> str:
    """The server's own words where it wrote some, without the addresses that libpq puts before them."""
    return sentence_end(line.rpartition("FATAL:")[2] if "FATAL:" in line else line.removeprefix("connection failed: "))
