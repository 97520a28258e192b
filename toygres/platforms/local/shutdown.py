"""Ends every server of a home within seconds: properly where it can be, and for certain."""

from __future__ import annotations

import signal
import time
from collections.abc import Sequence
from dataclasses import dataclass
from uuid import UUID

import psutil

from toygres.platforms.local import processes
from toygres.platforms.local.layout import Layout

# Kept back for servers that write for too long: ended at once they lose nothing, and recover when they start.
_AT_ONCE_SECONDS = 0.5
_KILL_SECONDS = 0.3


@dataclass(frozen=True)
class ShutDown:
    """What ending all servers came to: those that had to be ended at once, and those that are left even so."""

    cut_short: tuple[UUID, ...] = ()
    left: tuple[UUID, ...] = ()


def shut_down(layouts: Sequence[Layout], seconds: float) -> ShutDown:
    """End all processes of these instances; returns once none is left, within `seconds` or little more."""
    until = time.monotonic() + seconds
    found = processes.by_instance(layouts)
    for layout in layouts:
        processes.stop_fast(processes.leading(found.get(layout.id, ()), layout))
    _await(found, until - _AT_ONCE_SECONDS - _KILL_SECONDS)
    cut_short = left = processes.by_instance(layouts) if found else {}
    for number, kept_back in ((signal.SIGQUIT, _KILL_SECONDS), (signal.SIGKILL, 0.0)):
        if not left:
            break
        for living in left.values():
            for process in living:
                processes.send(process, number)
        _await(left, until - kept_back)
        left = processes.by_instance(layouts)
    return ShutDown(tuple(cut_short), tuple(left))


def _await(found: dict[UUID, list[psutil.Process]], until: float) -> None:
    for living in found.values():
        processes.wait_all(living, max(0.0, until - time.monotonic()))
