"""`toygres prepare`: make what `up` makes by itself, for processes that are started without it."""

from __future__ import annotations

import typer

from toygres.cli import OPERATORS_PANEL, app
from toygres.home import Home


@app.command(rich_help_panel=OPERATORS_PANEL)
def prepare() -> None:
    """Make the home's token, keys and Flower's password where they are missing (`up` does it by itself)."""
    # The settings cost a third of a second: only for the command that needs them.
    from toygres.config import load
    from toygres.processes import flower, keys

    home = Home.find()
    home.make()
    keys.make_token(home)
    keys.make_keys_file(home)
    flower.write_options(home, load())
    typer.echo(f"{home.path} is prepared.")
