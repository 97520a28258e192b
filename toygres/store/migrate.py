"""Bring the metadata DB's schema up to date, one process at a time; refuse to run on an older one."""

from __future__ import annotations

from importlib.resources import files

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import text

from toygres.errors import Misconfigured
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
            config = _config()
            config.attributes["connection"] = connection
            if _version_of(connection) in {None, *_known()}:
                command.upgrade(config, "head")
            return _version_of(connection) or ""
    finally:
        store.close()


def require_current(store: Store) -> None:
    """Return when the schema is at least the one this code was written for; else raise Misconfigured."""
    with store.transaction() as connection:
        found = _version_of(connection)
    newest = _known()[0]
    if found is None or (found in _known() and found != newest):
        raise Misconfigured(
            f"The metadata DB's schema is at {found or 'nothing'}, this Toygres needs {newest}.",
            "Run `toygres migrate` first.",
        )


def _config() -> Config:
    config = Config()
    # ConfigParser takes a percent sign in a path for the beginning of a name.
    config.set_main_option("script_location", str(files("toygres.store") / "migrations").replace("%", "%%"))
    return config


def _known() -> list[str]:
    """Every version that this code brings, newest first."""
    return [script.revision for script in ScriptDirectory.from_config(_config()).walk_revisions()]


def _version_of(connection: object) -> str | None:
    context = MigrationContext.configure(
        connection,  # type: ignore[arg-type]
        opts={"version_table_schema": "toygres", "version_table": "schema_version"},
    )
    return context.get_current_revision()
