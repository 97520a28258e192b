"""Bring the metadata DB's schema up to date, one process at a time."""

from __future__ import annotations

from importlib.resources import files

from alembic import command
from alembic.config import Config
from sqlalchemy import text

from toygres.store.schema import known, version_of
from toygres.store.session import Store

_LOCK = 7_400_001


def upgrade(database_url: str) -> str:
    """Apply every version that is missing, all or none; returns the version that is reached.

    Raises Unavailable when the DB doesn't answer.
    """
    store = Store(database_url, statement_seconds=0)
    try:
        with store.transaction() as connection:
            connection.execute(text("SELECT pg_advisory_xact_lock(:lock)"), {"lock": _LOCK})
            if version_of(connection) in {None, *known()}:
                config = migrations()
                config.attributes["connection"] = connection
                command.upgrade(config, "head")
            return version_of(connection) or ""
    finally:
        store.close()


def migrations() -> Config:
    """Where Alembic finds the versions."""
    config = Config()
    # ConfigParser takes a percent sign in a path for the beginning of a name.
    config.set_main_option("script_location", str(files("toygres.store") / "migrations").replace("%", "%%"))
    return config
