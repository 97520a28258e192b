"""`toygres down`: stop the `up` of this home from elsewhere, and what one that was killed left running."""

from __future__ import annotations

import os
import signal

from toygres.cli import app
from toygres.cli.output import say
from toygres.errors import Unavailable
from toygres.home import Home

_STOP_SECONDS = 15.0


@app.command()
def down() -> None:
    """Stop what `toygres up` runs on this machine, servers too; their data stays."""
    # They cost a third of a second to import: only for the command that needs them.
    from toygres.processes import identity, running

    home = Home.find()
    found = running.find(home)
    if found is None or not found.lives:
        stopped = _stop_leftovers(home)
        say(f"`toygres up` had ended; {stopped} on {home.path}." if stopped else f"Nothing runs on {home.path}.")
        return
    os.kill(found.pid, signal.SIGTERM)
    if not identity.wait_gone(found.pid, found.started, _STOP_SECONDS):
        raise Unavailable(f"`toygres up` (process {found.pid}) hasn't stopped within {_STOP_SECONDS:.0f} s.")
    say(f"`toygres up` on {home.path} has stopped, and its servers on this machine with it.")


def _stop_leftovers(home: Home) -> str:
    """End what an `up` that was killed left running, and tell what that was; empty when it was nothing.

    Raises Conflict while another `up` is starting or stopping.
    """
    # Not there, or another user's.
    if not any(os.access(file, os.R_OK) for file in (home.running, home.place)):
        return ""
    from toygres.processes.control_plane import end_leftovers
    from toygres.processes.lock import only_up

    with only_up(home):
        end_leftovers(home)
        servers = _stop_servers(home) if home.place.exists() else 0
    return f"stopped the {servers} server{'' if servers == 1 else 's'} that it left running" if servers else ""


def _stop_servers(home: Home) -> int:
    from toygres import config
    from toygres.platforms.local import place, processes
    from toygres.platforms.local.layout import Layout, all_ids
    from toygres.platforms.local.platform import LocalPlatform

    where = place.find(home)
    running = sum(bool(processes.all_of(Layout(where, instance))) for instance in all_ids(where))
    if running:
        LocalPlatform("local", config.load(home=home.path)).shut_down(_STOP_SECONDS)
    return running
