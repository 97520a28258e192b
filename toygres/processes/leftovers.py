"""Ending processes that an `up` left behind when it was killed: politely, then for certain."""

from __future__ import annotations

import contextlib
import os
import signal
import time
from collections.abc import Iterable
from signal import Signals

from toygres.processes import identity

_POLITE_SECONDS = 3.0
_CERTAIN_SECONDS = 2.0


def end(
    processes: Iterable[tuple[int, str]], polite: Signals = signal.SIGTERM, seconds: float = _POLITE_SECONDS
) -> None:
    """End the processes that had these pids and began then; returns once they are gone, or can't be ended.

    `seconds` is how long they have before they are killed.
    """
    left = list(processes)
    for order, patience in ((polite, seconds), (signal.SIGKILL, _CERTAIN_SECONDS)):
        left = [(pid, since) for pid, since in left if identity.lives(pid, since)]
        for pid, _ in left:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, order)
        deadline = time.monotonic() + patience
        for pid, since in left:
            identity.wait_gone(pid, since, max(0.0, deadline - time.monotonic()))
