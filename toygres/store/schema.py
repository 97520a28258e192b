"""Which schema the metadata DB has and which this code needs: told without Alembic, which is dear to import."""

from __future__ import annotations

from pathlib import Path

from toygres.errors import Misconfigured
from toygres.store.session import Connection, Store

_VERSIONS = Path(__file__).parent / "migrations" / "versions"


def known() -> list[str]:
    """Every version that this code brings, newest first: what its file's name begins with."""
    return sorted((file.stem.partition("_")[0] for file in _VERSIONS.glob("[0-9]*.py")), reverse=True)


def version_of(connection: Connection) -> str | None:
    """The version of the schema; None when there is none."""
    if connection.execute("SELECT to_regclass('toygres.schema_version')").fetchone() == (None,):
        return None
    found = connection.execute("SELECT version_num FROM toygres.schema_version").fetchone()
    return found[0] if found else None


def require_current(store: Store) -> None:
    """Return when the schema is at least the one this code was written for; else raise Misconfigured."""
    with store.transaction() as connection:
        found = version_of(connection)
    newest, *older = known()
    if found is None or found in older:
        raise Misconfigured(
            f"The metadata DB's schema is at {found or 'nothing'}, this Toygres needs {newest}.",
            "Run `toygres migrate` first.",
        )
