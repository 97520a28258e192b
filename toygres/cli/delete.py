"""`toygres delete`: end an instance and its data, after a person said so."""

from __future__ import annotations

import sys
from typing import Annotated, Any

import typer

from toygres.cli import app
from toygres.cli.client import Client, instance_path
from toygres.cli.exit_codes import ExitCode
from toygres.cli.outcome import WaitOption, conclude
from toygres.cli.output import Form, OutputOption, say

Json = dict[str, Any]


@app.command()
def delete(
    instance: Annotated[str, typer.Argument(help="Its name or ID.")],
    *,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Don't ask.")] = False,
    wait: WaitOption = True,
    output: OutputOption = Form.TABLE,
) -> None:
    """Delete an instance and its data."""
    client = Client.find()
    if not yes:
        _ask(client.get(instance_path(instance)))
    conclude(client, client.delete(instance_path(instance)), wait=wait, form=output, tell=_tell)


def _ask(instance: Json) -> None:
    if not sys.stdin.isatty():
        say("Nothing was deleted: there is no terminal to ask on, and --yes wasn't given.")
        raise typer.Exit(ExitCode.USAGE)
    name = instance["name"]
    try:
        written = typer.prompt(f"{name} and all its data will be gone. Write its name to delete it", err=True)
    except typer.Abort:
        say("\nNothing was deleted.")
        raise typer.Exit(ExitCode.INTERRUPTED) from None
    if written != name:
        say("Nothing was deleted: that isn't its name.")
        raise typer.Exit(ExitCode.USAGE)


def _tell(instance: Json) -> None:
    typer.echo(f"{instance['name']} is deleted")
