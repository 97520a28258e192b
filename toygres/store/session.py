"""Connections to the metadata DB: single statements by themselves, requests' several ones in a transaction."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import psycopg
from psycopg.conninfo import make_conninfo
from psycopg.types.json import set_json_dumps
from sqlalchemy import Connection, Row, create_engine, make_url, text
from sqlalchemy.exc import DBAPIError, InterfaceError, OperationalError
from sqlalchemy.exc import TimeoutError as PoolExhausted

from toygres.errors import Unavailable

__all__ = ["Connection", "Store"]

set_json_dumps(json.dumps)

# A host that vanished must not hold a session lock for hours: the kernel gives up after these seconds.
_KEEPALIVE: dict[str, int] = {
    "connect_timeout": 3,
    "keepalives_idle": 3,
    "keepalives_interval": 1,
    "keepalives_count": 3,
    "tcp_user_timeout": 5000,
}


class Store:
    """The metadata DB behind `database_url`; safe to share between threads.

    Each statement of the engine is a transaction by itself (one round trip); `transaction()` is for
    requests that write several rows. Every call raises Unavailable when the DB doesn't answer.
    """

    def __init__(self, database_url: str, *, connections: int = 10, statement_seconds: float = 10.0) -> None:
        self.url = make_url(database_url).set(drivername="postgresql+psycopg")
        self._engine = create_engine(
            self.url,
            pool_size=connections,
            max_overflow=connections,
            pool_pre_ping=True,
            pool_timeout=10,
            # Parameters hold sealed passwords; an error's text goes into the logs.
            hide_parameters=True,
            connect_args={
                **_KEEPALIVE,
                "options": f"-c statement_timeout={int(statement_seconds * 1000)} -c timezone=UTC",
                "application_name": "toygres",
            },
        )
        self._statements = self._engine.execution_options(isolation_level="AUTOCOMMIT")

    @property
    def _conninfo(self) -> str:
        # Never a URL rendered anew: SQLAlchemy writes a space as `+`, which libpq takes for a plus.
        parts = self.url.translate_connect_args(username="user", database="dbname")
        query = {name: value if isinstance(value, str) else ",".join(value) for name, value in self.url.query.items()}
        return make_conninfo("", **parts, **query)

    def direct(self, name: str = "toygres") -> psycopg.Connection:
        """A connection of one's own, for LISTEN and session locks. Raises Unavailable.

        Both ends notice within seconds that the other's host is gone; `name` is shown in pg_stat_activity.
        """
        try:
            return psycopg.connect(
                self._conninfo,
                autocommit=True,
                application_name=name,
                options="-c tcp_keepalives_idle=3 -c tcp_keepalives_interval=1 -c tcp_keepalives_count=3",
                **_KEEPALIVE,  # type: ignore[arg-type]
            )
        except psycopg.Error as lost:
            raise Unavailable("The metadata database doesn't answer.") from lost

    def one(self, statement: str, **values: Any) -> Row[Any] | None:
        """Run one statement; its first row, or None."""
        with _answering(), self._statements.connect() as connection:
            return connection.execute(text(statement), values).first()

    def all(self, statement: str, **values: Any) -> Sequence[Row[Any]]:
        """Run one statement; all its rows."""
        with _answering(), self._statements.connect() as connection:
            return connection.execute(text(statement), values).all()

    def run(self, statement: str, **values: Any) -> int:
        """Run one statement; how many rows it changed."""
        with _answering(), self._statements.connect() as connection:
            return connection.execute(text(statement), values).rowcount

    @contextmanager
    def transaction(self) -> Iterator[Connection]:
        """Several statements, all or none."""
        with _answering(), self._engine.begin() as connection:
            yield connection

    def close(self) -> None:
        """Give every connection back."""
        self._engine.dispose()


@contextmanager
def _answering() -> Iterator[None]:
    try:
        yield
    except (OperationalError, InterfaceError, PoolExhausted) as lost:
        raise Unavailable("The metadata database doesn't answer.") from lost
    except DBAPIError as error:
        if error.connection_invalidated:
            raise Unavailable("The metadata database doesn't answer.") from error
        raise
