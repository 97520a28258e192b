"""What is to be seen of an instance's server: files and processes, looked at, never asked."""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import suppress

from toygres.errors import Cause, CauseCode
from toygres.platforms.local import processes
from toygres.platforms.local.causes import why_ended
from toygres.platforms.local.folder import opened
from toygres.platforms.local.layout import DATA, INSTANCES, LOG, Layout
from toygres.platforms.local.refusals import storage_missing
from toygres.platforms.local.scrub import scrubbed, without_statements
from toygres.platforms.local.server import START_MARK, STOP, launched, wanted
from toygres.platforms.protocol import ServerPhase, ServerStatus

_EVIDENCE_LINES = 30


def observe(layout: Layout, port: int | None, secrets: Iterable[str] = ()) -> ServerStatus:
    """The server's phase, and why it isn't up."""
    meant = wanted(layout)
    if meant is None:
        return ServerStatus(phase=ServerPhase.ABSENT)
    stopped = meant.startswith(STOP)
    status = processes.status(layout) if processes.postmaster(layout) else None
    if status is None and not processes.leaders(layout):
        return ServerStatus(phase=ServerPhase.STOPPED, cause=_stopped()) if stopped else _ended(layout, port, secrets)
    if stopped or status == processes.STOPPING:
        return ServerStatus(phase=ServerPhase.STOPPING, cause=_stopping())
    if status == processes.READY:
        return ServerStatus(phase=ServerPhase.UP)
    return ServerStatus(phase=ServerPhase.STARTING, cause=_starting())


def evidence(layout: Layout, secrets: Iterable[str] = ()) -> tuple[str, ...]:
    """The last 30 lines that the server wrote of itself since it was last started, without secrets."""
    text = None
    with suppress(FileNotFoundError, NotADirectoryError), opened(layout.place, INSTANCES, layout.id.hex) as anchor:
        text = anchor.read(LOG)
    # Only a line feed ends a line: PostgreSQL writes what else a client's words may hold as it is.
    lines = (text or "").split("\n")
    marks = [number for number, line in enumerate(lines) if line == START_MARK]
    since = lines[marks[-1] + 1 :] if marks else lines
    own = without_statements(since, from_the_start=bool(marks))
    return scrubbed([line for line in own if line.strip()][-_EVIDENCE_LINES:], secrets)


def _ended(layout: Layout, port: int | None, secrets: Iterable[str]) -> ServerStatus:
    with suppress(FileNotFoundError), opened(layout.place, INSTANCES, layout.id.hex) as anchor:
        if DATA not in anchor.names():
            return ServerStatus(phase=ServerPhase.BROKEN, cause=storage_missing(layout.data))
    if launched(layout) != wanted(layout):
        return ServerStatus(phase=ServerPhase.STARTING, cause=_starting())
    return ServerStatus(phase=ServerPhase.BROKEN, cause=why_ended(evidence(layout, secrets), port))


def _starting() -> Cause:
    return Cause(
        code=CauseCode.STARTING,
        message="The server is starting: it doesn't accept clients yet.",
        remedy="Wait: it is looked at again by itself.",
    )


def _stopping() -> Cause:
    return Cause(
        code=CauseCode.STOPPING,
        message="The server is stopping: it ends open sessions and writes what is left to the disk.",
        remedy="Wait: it is looked at again by itself.",
    )


def _stopped() -> Cause:
    return Cause(
        code=CauseCode.SERVER_STOPPED,
        message="The server was stopped, as ordered.",
        remedy="Start the instance to use it again.",
    )
