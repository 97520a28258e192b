"""Somebody else who does something at the same time, until a lock of ours holds them up."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

from stateful.machine import Machine

_PATIENCE = 30.0


class Meanwhile(threading.Thread):
    """Somebody else; what it raised is raised where it is waited for."""

    def __init__(self, act: Callable[[], None]) -> None:
        super().__init__(daemon=True)
        self._act = act
        self._error: Exception | None = None

    def run(self) -> None:
        try:
            self._act()
        except Exception as error:
            self._error = error

    def join(self, timeout: float | None = _PATIENCE) -> None:
        super().join(timeout)
        if self._error is not None:
            raise self._error


def meanwhile(m: Machine, act: Callable[[], None]) -> Meanwhile:
    """Begin `act`; returns once it waits for a lock of ours, of which no event tells, or has ended."""
    other = Meanwhile(act)
    other.start()
    until = time.monotonic() + _PATIENCE
    waiting = "SELECT FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'"
    while other.is_alive() and time.monotonic() < until and not m.world.store.all(waiting):
        threading.Thread.join(other, 0.01)
    return other
