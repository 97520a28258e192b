"""Connections to the metadata DB: single statements by themselves, requests' several ones in a transaction."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import psycopg
from psycopg.conninfo import make_conninfo
from psycopg.rows import RowFactory, namedtuple_row, tuple_row
from psycopg.types.json import set_json_dumps

from toygres.errors import Misconfigured, Unavailable
from toygres.store.pool import Connection, Pool

__all__ = ["Connection", "Row", "Store"]

# What a statement found: its columns are attributes, of whichever types they have.
Row = Any

set_json_dumps(json.dumps)

# A host that vanished must not hold a session lock for hours: the kernel gives up after these seconds.
_KEEPALIVE: dict[str, int] = {
    "connect_timeout": 3,
    "keepalives_idle": 3,
    "keepalives_interval": 1,
    "keepalives_count": 3,
    "tcp_user_timeout": 5000,
}
_WAIT_SECONDS = 10.0
_AWAY = "The metadata database doesn't answer."


class Store:
    """The metadata DB behind `database_url`; safe to share between threads.

    Each statement of the engine is a transaction by itself (one round trip); `transaction()` is for
    requests that write several rows. Values are psycopg's `%(name)s`. Every call raises Unavailable when the DB
    doesn't answer. `connections` stay open, and as many more are opened while they are needed.
    """

    def __init__(self, database_url: str, *, connections: int = 10, statement_seconds: float = 10.0) -> None:
        self.conninfo = conninfo(database_url)
        options = f"-c statement_timeout={int(statement_seconds * 1000)} -c timezone=UTC"
        self._pool = Pool(
            lambda: self._open("toygres", options, namedtuple_row),
            kept=connections,
            most=2 * connections,
            wait_seconds=_WAIT_SECONDS,
        )

    def direct(self, name: str = "toygres") -> psycopg.Connection:
        """A connection of one's own, for LISTEN and session locks. Raises Unavailable.

        Both ends notice within seconds that the other's host is gone; `name` is shown in pg_stat_activity.
        """
        options = "-c tcp_keepalives_idle=3 -c tcp_keepalives_interval=1 -c tcp_keepalives_count=3"
        try:
            return self._open(name, options, tuple_row)
        except psycopg.Error as lost:
            raise _told(lost) from lost

    def one(self, statement: str, **values: Any) -> Row | None:
        """Run one statement; its first row, or None."""
        with self._connection() as connection:
            return connection.execute(statement, values).fetchone()

    def all(self, statement: str, **values: Any) -> Sequence[Row]:
        """Run one statement; all its rows."""
        with self._connection() as connection:
            return connection.execute(statement, values).fetchall()

    def run(self, statement: str, **values: Any) -> int:
        """Run one statement; how many rows it changed."""
        with self._connection() as connection:
            return connection.execute(statement, values).rowcount

    @contextmanager
    def transaction(self) -> Iterator[Connection]:
        """Several statements, all or none."""
        with self._connection() as connection, connection.transaction():
            yield connection

    def close(self) -> None:
        """Give every connection back."""
        self._pool.close()

    @contextmanager
    def _connection(self) -> Iterator[Connection]:
        connection = None
        try:
            with self._pool.connection() as connection:
                yield connection
        except (psycopg.OperationalError, psycopg.InterfaceError) as lost:
            raise _told(lost) from lost
        except psycopg.Error as error:
            if connection is not None and connection.closed:
                raise Unavailable(_AWAY) from error
            raise

    def _open(self, name: str, options: str, row_factory: RowFactory[Any]) -> Connection:
        return psycopg.connect(
            self.conninfo,
            autocommit=True,
            row_factory=row_factory,
            application_name=name,
            client_encoding="UTF8",
            options=options,
            **_KEEPALIVE,  # type: ignore[arg-type]
        )


def _told(lost: psycopg.Error) -> Unavailable:
    """A server that went answers no more (SQLSTATE class 57P, or none at all); any other has said why it couldn't."""
    if lost.sqlstate is None or lost.sqlstate.startswith("57P"):
        return Unavailable(_AWAY)
    return Unavailable(f"The metadata database couldn't do what it was asked ({type(lost).__name__}).")


def conninfo(database_url: str) -> str:
    """The URL in libpq's other form; the name of a Python driver, which other programs want in it, is left out.

    Raises Misconfigured when libpq can't read it.
    """
    scheme, separator, rest = database_url.partition("://")
    try:
        return make_conninfo(f"{scheme.partition('+')[0]}{separator}{rest}")
    except psycopg.ProgrammingError:
        # What libpq says quotes the URL, and so the password.
        raise Misconfigured("DATABASE_URL isn't one that libpq can read: see PostgreSQL's connection URIs.") from None
