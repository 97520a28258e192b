"""`toygres migrate`: bring the metadata DB's schema up to this release's."""

from __future__ import annotations

import typer

from toygres.cli import OPERATORS_PANEL, app
from toygres.errors import Misconfigured


@app.command(rich_help_panel=OPERATORS_PANEL)
def migrate() -> None:
    """Migrate the metadata DB that DATABASE_URL names (`up` does it by itself)."""
    # Alembic and the settings take half a second: only for the command that needs them.
    from toygres.config import load
    from toygres.store.migrate import upgrade

    url = load().database_url
    if url is None:
        raise Misconfigured(
            "DATABASE_URL isn't set, and no `toygres up` runs from this home.",
            "Set it to the metadata DB's address; the embedded one is migrated by `toygres up`.",
        )
    typer.echo(f"The metadata DB's schema is version {upgrade(url.get_secret_value())}.")
