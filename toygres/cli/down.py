"""`toygres down`: stop the `up` of this home from elsewhere."""

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
    """Stop what `toygres up` runs, servers too; their data stays."""
    # They cost a third of a second to import: only for the command that needs them.
    from toygres.processes import identity, running

    home = Home.find()
    found = running.find(home)
    if found is None or not found.lives:
        say(f"Nothing runs on {home.path}.")
        return
    os.kill(found.pid, signal.SIGTERM)
    if not identity.wait_gone(found.pid, found.started, _STOP_SECONDS):
        raise Unavailable(f"`toygres up` (process {found.pid}) hasn't stopped within {_STOP_SECONDS:.0f} s.")
    say(f"`toygres up` on {home.path} has stopped, and its servers with it.")
