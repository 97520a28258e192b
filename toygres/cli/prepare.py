"""`toygres prepare`: make what `up` makes by itself, for processes that are started without it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated

import typer

from toygres.cli import OPERATORS_PANEL, app
from toygres.home import Home


@app.command(rich_help_panel=OPERATORS_PANEL)
def prepare(
    *,
    containers: Annotated[
        Path | None,
        typer.Option(
            metavar="FOLDER", help="Also make what the servers of docker-compose.yml and their clients need, below it."
        ),
    ] = None,
) -> None:
    """Make the home's token, keys and Flower's password where they are missing (`up` does it by itself)."""
    # The settings cost a third of a second: only for the command that needs them.
    from toygres.config import load
    from toygres.processes import containers as passwords
    from toygres.processes import flower, keys

    home, settings = Home.find(), load()
    home.make()
    with _saying_what_is_new(home.token, home.secret_keys):
        keys.make_token(home)
        keys.make_keys_file(home)
    of_flower = Home(containers / passwords.FLOWER) if containers else home
    with _saying_what_is_new(*(passwords.files(containers) if containers else ()), of_flower.flower_config):
        if containers:
            passwords.make(containers)
        flower.write_options(of_flower, settings)
    typer.echo(f"{home.path} is prepared.")


@contextmanager
def _saying_what_is_new(*paths: Path) -> Iterator[None]:
    """Name each of these files that the block has written."""
    before = [_version(path) for path in paths]
    yield
    for path, version in zip(paths, before, strict=True):
        if _version(path) != version:
            typer.echo(f"Wrote {path}.")


def _version(path: Path) -> int:
    return path.stat().st_mtime_ns if path.exists() else 0
