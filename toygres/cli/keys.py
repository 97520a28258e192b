"""`toygres keys`: the keys that encrypt passwords on their way from a request to the platform."""

from __future__ import annotations

from contextlib import closing
from typing import TYPE_CHECKING

import typer

from toygres.cli import OPERATORS_PANEL, app
from toygres.errors import Conflict, Unavailable
from toygres.home import Home

if TYPE_CHECKING:
    from toygres.config import Settings
    from toygres.rotation import Rotation

keys = typer.Typer(help="Change the keys that encrypt passwords on their way.", no_args_is_help=True)
app.add_typer(keys, name="keys", rich_help_panel=OPERATORS_PANEL)


@keys.callback()
def _about() -> None:
    """Change the keys that encrypt passwords on their way."""


@keys.command()
def rotate() -> None:
    """Encrypt all anew with a new key; the previous one is kept until the next time.

    The home's keys are changed while everything runs. With TOYGRES_SECRET_KEYS,
    put the new key before the old one everywhere and start everything again; then
    run this; then take the old one out and start everything once more.
    """
    # psycopg and the settings take a quarter of a second: only for the command that needs them.
    from toygres.config import load
    from toygres.rotation import rotate as rotate_keys
    from toygres.store.session import Store

    settings = load()
    if settings.database_url is None:
        raise Unavailable(
            "The metadata DB doesn't run, and what it holds has to be encrypted anew.",
            "Start it with `toygres up`, or set DATABASE_URL; then run this again.",
        )
    _require_known(settings)
    with closing(Store(settings.database_url.get_secret_value(), connections=1)) as store:
        _tell(settings, rotate_keys(settings, store))


def _require_known(settings: Settings) -> None:
    """Raise Conflict when the home's `up` doesn't know the key that all is about to be encrypted with."""
    from toygres.keyring import load_keys, parse
    from toygres.processes import running

    found = running.find(settings.home_folder)
    if settings.secret_keys is None or found is None or not found.lives:
        return
    given = Home(settings.home).read_running().get("settings", {}).get("secret_keys") or ""
    if load_keys(settings)[0] not in parse(given):
        raise Conflict(
            f"`toygres up` (process {found.pid}) doesn't know the first key of TOYGRES_SECRET_KEYS.",
            "Start it again with that variable, and every other process, too; then run this again.",
        )


def _tell(settings: Settings, done: Rotation) -> None:
    how_many = f"{done.passwords} password{'' if done.passwords == 1 else 's'} on the way"
    if settings.secret_keys is not None:
        typer.echo(f"All is encrypted with the first key of TOYGRES_SECRET_KEYS, {how_many}.")
        typer.echo("Now take the others out of the variable, and start every process again.")
        return
    typer.echo(f"All is encrypted with the new key in {settings.home_folder.secret_keys}, {how_many}.")
    typer.echo("What runs takes it up by itself; the previous key is kept until the next rotation.")
