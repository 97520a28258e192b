"""`toygres destroy-everything`: end and remove all that Toygres made on this machine, after a person said so."""

from __future__ import annotations

import sys
from typing import Annotated

import typer

from toygres.cli import app
from toygres.cli.exit_codes import ExitCode
from toygres.cli.output import say
from toygres.home import Home


@app.command("destroy-everything")
def destroy_everything(*, yes: Annotated[bool, typer.Option("--yes", "-y", help="Don't ask.")] = False) -> None:
    """Stop and remove all that Toygres made on this machine: instances, their data, and its home."""
    # Half a second to import: only for the command that needs it.
    from toygres.processes import removal

    home = Home.find()
    if not removal.is_home(home):
        say(f"There is nothing of Toygres in {home.path}.")
        return
    if not yes:
        _ask(home, removal.count_instances(home))
    if not removal.destroy(home, typer.echo):
        say("Not all of it could be removed. Mend what the lines above name, and run it again.")
        raise typer.Exit(ExitCode.FAILED)


def _ask(home: Home, instances: int) -> None:
    if not sys.stdin.isatty():
        say("Nothing was removed: there is no terminal to ask on, and --yes wasn't given.")
        raise typer.Exit(ExitCode.USAGE)
    data = f"{instances} instance{'' if instances == 1 else 's'} with all data, and " if instances else ""
    try:
        written = typer.prompt(
            f"{data}everything else of Toygres in {home.path} will be gone. Write that path, or yes, to remove it",
            err=True,
        )
    except typer.Abort:
        say("\nNothing was removed.")
        raise typer.Exit(ExitCode.INTERRUPTED) from None
    if written.strip() not in (str(home.path), "yes"):
        say("Nothing was removed: that is neither its path nor yes.")
        raise typer.Exit(ExitCode.USAGE)
