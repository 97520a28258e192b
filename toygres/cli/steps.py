"""Follow an operation to its end by the API's long poll, through a restart of the API if need be."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from threading import Event
from typing import Any

from toygres.cli.client import Client, operation_path
from toygres.cli.displays import Display, LineDisplay, LiveDisplay
from toygres.errors import Unavailable

Json = dict[str, Any]

ENDED = frozenset({"succeeded", "failed", "cancelled", "superseded"})

POLL_SECONDS = 25
# Longer than a restart of the API takes, short enough that nobody waits for one that is gone.
PATIENCE_SECONDS = 60.0
LONGEST_PAUSE_SECONDS = 5.0


def follow(client: Client, operation: Json, *, live: bool | None = None) -> Json:
    """The operation as it ended, its steps shown on stderr meanwhile.

    `live` redraws in place; None does so on a terminal. Ctrl-C ends the following, not the operation.
    Raises Unavailable when the API is gone for longer than a restart takes.
    """
    with _display(live) as display:
        display.show(operation)
        for changed in changes(client, operation):
            operation = changed
            display.show(operation)
    return operation


def changes(client: Client, operation: Json) -> Iterator[Json]:
    """Each newer form of the operation until its end; the API holds each call until there is one."""
    outage = _Outage()
    while operation["state"] not in ENDED:
        try:
            answer = client.get(
                operation_path(operation["id"]),
                extra_seconds=POLL_SECONDS,
                after_revision=operation["revision"],
                wait_seconds=POLL_SECONDS,
            )
        except Unavailable as trouble:
            outage.outlast(trouble)
            continue
        outage = _Outage()
        if answer["revision"] > operation["revision"]:
            operation = answer
            yield operation


class _Outage:
    """A time in which the API doesn't answer: pauses that grow, and an end to patience."""

    def __init__(self) -> None:
        self._pause = 0.1
        self._since: float | None = None

    def outlast(self, trouble: Unavailable) -> None:
        """Pause before the next call. Raises `trouble` when patience is at its end."""
        now = time.monotonic()
        self._since = now if self._since is None else self._since
        if now - self._since > PATIENCE_SECONDS:
            raise trouble
        Event().wait(self._pause)
        self._pause = min(self._pause * 2, LONGEST_PAUSE_SECONDS)


def _display(live: bool | None) -> Display:
    if live is False or (live is None and not sys.stderr.isatty()):
        return LineDisplay()
    from rich.console import Console

    console = Console(stderr=True)
    # A dumb terminal can't move its cursor up.
    return LineDisplay() if console.is_dumb_terminal else LiveDisplay(console)
