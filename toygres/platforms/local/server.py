"""Runs, stops and removes an instance's server: a process that outlives whoever started it."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path

import psutil
import structlog

from toygres.errors import Refused, Unavailable
from toygres.platforms.local import process_ends, processes
from toygres.platforms.local.commands import CommandFailed, run
from toygres.platforms.local.fence import passed
from toygres.platforms.local.folder import opened
from toygres.platforms.local.layout import CONFIGURATION, DATA, INSTANCES, LOG, OLD_LOG, STARTS, WANTED, Layout
from toygres.platforms.local.refusals import full_disk_refused, storage_missing

START_MARK = "-- toygres starts the server --"
RUN = "run"
STOP = "stop"

_ENDING_SECONDS = 15.0
_REMOVE_SECONDS = 10.0
_LAUNCH_SECONDS = 10.0
_LARGEST_LOG_BYTES = 4 * 2**20
# The last look at what is wanted is taken by the process that becomes the server, so that it doesn't matter how long
# ago whoever launches it looked. The subshell is left to init, so that none of us has to wait for it. By then whoever
# wrote the lock files has ended: PostgreSQL itself would not start while any process at all has the number in them.
# What fails before there is a server is said on the way back; the rest goes to the log.
_LAUNCH = f"""
cd "$1" 2>/dev/null || exit 0
(
  {{ IFS= read -r wanted <{WANTED}; }} 2>/dev/null && [ "$wanted" = "$2" ] || exit 0
  rm -rf {DATA}/postmaster.pid "$3" && mkdir -p -m 700 "$3" && echo "{START_MARK}" >>{LOG} && echo "$2" >"$4" &&
  shift 4 && exec "$@" </dev/null >>{LOG} 2>&1
) &
"""

_log = structlog.get_logger(__name__)


def apply(layout: Layout, fence: int, configuration: str, command: Sequence[str]) -> None:
    """Write the configuration and run the server unless it runs. Raises Refused when its data are missing."""
    with full_disk_refused(layout.place.root):
        with passed(layout, fence):
            running = (wanted(layout) or "").startswith(RUN) and _runs(layout)
            ticket = "" if running else f"{RUN} {fence} {secrets.token_hex(4)}"
            known = _is_known(layout)
            _write(layout, configuration, ticket)
        if not running:
            if known:
                _await_end(layout)
            launch(layout, ticket, command)


def resume(layout: Layout, command: Callable[[], Sequence[str]]) -> bool:
    """Run a server that should run and doesn't, although no step asks for it; whether it had to."""
    meant = wanted(layout) or ""
    if not meant.startswith(RUN) or processes.leaders(layout):
        return False
    ticket = f"{RUN} {meant.split()[1]} {secrets.token_hex(4)}"
    with opened(layout.place, INSTANCES, layout.id.hex) as anchor:
        anchor.write(WANTED, f"{ticket}\n")
    _await_end(layout)
    launch(layout, ticket, command())
    return True


def launch(layout: Layout, ticket: str, command: Sequence[str]) -> None:
    """Start the server if what is wanted is still `ticket`; returns once its process is there. Raises CommandFailed.

    A ticket is launched once: two servers of one ticket could both take the data for theirs.
    """
    _limit_log(layout)
    arguments: list[str | Path] = [processes.LAUNCHER, layout.anchor, ticket, layout.sockets, layout.started, *command]
    said = run(layout.place, ["sh", "-c", _LAUNCH, *arguments], seconds=_LAUNCH_SECONDS)
    if said:
        raise CommandFailed("The server", "couldn't be launched", tuple(said.splitlines()))
    _log.info("server_launched", instance=str(layout.id), ticket=ticket)


def stop(layout: Layout, fence: int) -> None:
    """Tell the server to end open sessions and stop; absent is fine. Doesn't wait."""
    with passed(layout, fence):
        with suppress(FileNotFoundError), opened(layout.place, INSTANCES, layout.id.hex) as anchor:
            anchor.write(WANTED, f"{STOP} {fence}\n")
        processes.stop_fast(_running(layout))


def remove(layout: Layout, fence: int) -> None:
    """End the server and forget its configuration and log; returns once no process of it is left."""
    with passed(layout, fence):
        _forget(layout, WANTED)
        processes.stop_fast(_running(layout))
    processes.end(layout)
    with passed(layout, fence):
        _forget(layout, CONFIGURATION, LOG, OLD_LOG)
    run(layout.place, ["rm", "-rf", "--", layout.sockets, layout.started], seconds=_REMOVE_SECONDS)


def wanted(layout: Layout) -> str | None:
    """`run <fence> <a fresh word>` or `stop <fence>`; None when no server is to be there."""
    with suppress(FileNotFoundError), opened(layout.place, INSTANCES, layout.id.hex) as anchor:
        found = anchor.read(WANTED)
        return found.strip() if found else None
    return None


def launched(layout: Layout) -> str | None:
    """The ticket for which the server was last launched."""
    with suppress(FileNotFoundError), opened(layout.place, STARTS) as starts:
        found = starts.read(layout.id.hex)
        return found.strip() if found else None
    return None


def _running(layout: Layout) -> list[psutil.Process]:
    found = processes.postmaster(layout)
    return [found] if found else processes.leaders(layout)


def _is_known(layout: Layout) -> bool:
    """Whether a server can have been launched: its configuration is written before, and removed once it has ended."""
    with suppress(FileNotFoundError), opened(layout.place, INSTANCES, layout.id.hex) as anchor:
        return CONFIGURATION in anchor.names()
    return False


def _write(layout: Layout, configuration: str, ticket: str) -> None:
    try:
        with opened(layout.place) as root:
            root.make(STARTS)
        with opened(layout.place, INSTANCES, layout.id.hex) as anchor:
            if DATA not in anchor.names():
                raise Refused(storage_missing(layout.data))
            anchor.write(CONFIGURATION, configuration)
            if ticket:
                anchor.write(WANTED, f"{ticket}\n")
    except FileNotFoundError:
        raise Refused(storage_missing(layout.data)) from None


def _runs(layout: Layout) -> bool:
    return processes.postmaster(layout) is not None and processes.status(layout) != processes.STOPPING


def _await_end(layout: Layout) -> None:
    """Wait for a server that stops, and end what is left of a dead one or was launched for an older ticket."""
    found = processes.postmaster(layout)
    if found:
        # Whoever stopped it may have died between saying so and telling it.
        processes.stop_fast([found])
        if not process_ends.wait(found, _ENDING_SECONDS):
            raise Unavailable("The server is still stopping.", "It is tried again by itself.")
    processes.end(layout)


def _limit_log(layout: Layout) -> None:
    with suppress(FileNotFoundError), opened(layout.place, INSTANCES, layout.id.hex) as anchor:
        if anchor.size(LOG) > _LARGEST_LOG_BYTES:
            anchor.rename(LOG, OLD_LOG)


def _forget(layout: Layout, *names: str) -> None:
    with suppress(FileNotFoundError), opened(layout.place, INSTANCES, layout.id.hex) as anchor:
        for name in names:
            anchor.unlink(name)
