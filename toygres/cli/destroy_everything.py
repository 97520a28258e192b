"""`toygres destroy-everything`: end and remove all that Toygres made for a home, after a person said so."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Annotated

import typer

from toygres.cli import app
from toygres.cli.exit_codes import ExitCode
from toygres.cli.output import say
from toygres.home import Home

if TYPE_CHECKING:
    from toygres.cli.destroying import Destroying


@app.command("destroy-everything")
def destroy_everything(
    *,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Don't ask.")] = False,
    leave_clusters: Annotated[
        bool,
        typer.Option("--leave-clusters", help="Delete no instance in a cluster, but name it."),
    ] = False,
) -> None:
    """Stop and remove all that Toygres made on this machine: instances, their data, and its home.

    Instances in a cluster that only this home knows are deleted first.
    """
    # Half a second to import: only for the command that needs it.
    from toygres.processes import removal

    home = Home.find()
    if not removal.is_home(home):
        say(f"There is nothing of Toygres in {home.path}.")
        return
    beyond = _beyond(home, leave=leave_clusters)
    if not yes:
        _require_terminal()
        _ask(home, [_counted(removal.count_instances(home)), beyond.at_stake() if beyond else ""])
    if beyond:
        beyond.clear_platforms()
    complete = removal.destroy(home, typer.echo)
    if beyond:
        beyond.tell_outside()
    if not complete:
        say("Not all of it could be removed. Mend what the lines above name, and run it again.")
        raise typer.Exit(ExitCode.FAILED)


def _beyond(home: Home, *, leave: bool) -> Destroying | None:
    """What may have to be done beyond this machine; None where the home tells that there is nothing."""
    from toygres.processes import metadata, outside

    if not metadata.may_know_elsewhere(home) and outside.DATABASE not in outside.read(home):
        return None
    # All of the control plane.
    from toygres.cli.destroying import Destroying

    return Destroying(home, leave=leave)


def _require_terminal() -> None:
    if not sys.stdin.isatty():
        say("Nothing was removed: there is no terminal to ask on, and --yes wasn't given.")
        raise typer.Exit(ExitCode.USAGE)


def _counted(instances: int) -> str:
    return f"{instances} instance{'' if instances == 1 else 's'} with all data" if instances else ""


def _ask(home: Home, at_stake: list[str]) -> None:
    data = "".join(f"{each}, " for each in at_stake if each)
    try:
        written = typer.prompt(
            f"{data}{'and ' if data else ''}everything else of Toygres in {home.path} will be gone. "
            "Write that path, or yes, to remove it",
            err=True,
        )
    except typer.Abort:
        say("\nNothing was removed.")
        raise typer.Exit(ExitCode.INTERRUPTED) from None
    if written.strip() not in (str(home.path), "yes"):
        say("Nothing was removed: that is neither its path nor yes.")
        raise typer.Exit(ExitCode.USAGE)
