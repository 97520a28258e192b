"""Whether the metadata DB is reached directly, or through a pooler that takes session locks and LISTEN away."""

from __future__ import annotations

import secrets
from contextlib import closing
from dataclasses import dataclass

import psycopg

from toygres.errors import Unavailable
from toygres.store.session import Store

# What nobody else locks: workers lock by two keys, migrations by another number.
_LOCK = 7_400_002
_HEARD_SECONDS = 2.0


@dataclass(frozen=True, kw_only=True)
class Directness:
    """What a try showed: whether a pooler is in between, a session's lock keeps others out, and LISTEN hears."""

    pooled: bool
    locks: bool
    listens: bool


def try_out(store: Store) -> Directness:
    """Try it on two connections; takes two seconds where LISTEN hears nothing. Raises Unavailable."""
    channel = f"toygres_doctor_{secrets.token_hex(4)}"
    with closing(store.direct("toygres doctor")) as one, closing(store.direct("toygres doctor")) as other:
        try:
            return Directness(pooled=_is_pooled(one), locks=_locks(one, other), listens=_listens(one, other, channel))
        except psycopg.Error as lost:
            raise Unavailable(f"The metadata database broke off ({type(lost).__name__}).") from lost


def _is_pooled(connection: psycopg.Connection) -> bool:
    """A pooler makes up the number that a connection begins with: it isn't the server process's."""
    row = connection.execute("SELECT pg_backend_pid()").fetchone()
    return row is not None and row[0] != connection.info.backend_pid


def _locks(one: psycopg.Connection, other: psycopg.Connection) -> bool:
    key = secrets.randbits(31)
    _taken(one, key)
    try:
        return not _taken(other, key)
    finally:
        # By both: behind a pooler nobody knows whose it is.
        for connection in (one, other):
            connection.execute("SELECT pg_advisory_unlock(%s, %s)", (_LOCK, key))


def _taken(connection: psycopg.Connection, key: int) -> bool:
    row = connection.execute("SELECT pg_try_advisory_lock(%s, %s)", (_LOCK, key)).fetchone()
    return row is not None and bool(row[0])


def _listens(one: psycopg.Connection, other: psycopg.Connection, channel: str) -> bool:
    one.execute(f"LISTEN {channel}")
    other.execute("SELECT pg_notify(%s, '')", (channel,))
    heard = any(one.notifies(timeout=_HEARD_SECONDS, stop_after=1))
    one.execute(f"UNLISTEN {channel}")
    return heard
