"""Bring the metadata DB's schema up to date, one process at a time."""

from __future__ import annotations

from contextlib import closing
from importlib.resources import files

import psycopg
from alembic import command
from alembic.config import Config
from sqlalchemy import NullPool, create_engine
from sqlalchemy.exc import OperationalError

from toygres.errors import Unavailable
from toygres.store.schema import known, version_of
from toygres.store.session import Store

_LOCK = 7_400_001


def upgrade(database_url: str) -> str:
    """Apply every version that is missing, all or none; returns the version that is reached.

    Raises Unavailable when the DB doesn't answer.
    """
    with closing(Store(database_url, connections=1)) as store, closing(store.direct("toygres migrate")) as connection:
        try:
            return _upgrade(connection)
        except (psycopg.OperationalError, OperationalError) as lost:
            raise Unavailable("The metadata database doesn't answer.") from lost


def _upgrade(connection: psycopg.Connection) -> str:
    # Alembic writes through SQLAlchemy: that gets the one connection, whose transaction it then begins and ends.
    connection.autocommit = False
    engine = create_engine("postgresql+psycopg://", creator=lambda: connection, poolclass=NullPool)
    with engine.begin() as begun:
        connection.execute("SELECT pg_advisory_xact_lock(%s)", [_LOCK])
        if version_of(connection) in {None, *known()}:
            config = migrations()
            config.attributes["connection"] = begun
            command.upgrade(config, "head")
        return version_of(connection) or ""


def migrations() -> Config:
    """Where Alembic finds the versions."""
    config = Config()
    # ConfigParser takes a percent sign in a path for the beginning of a name.
    config.set_main_option("script_location", str(files("toygres.store") / "migrations").replace("%", "%%"))
    return config
