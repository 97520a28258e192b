"""Something that a worker does every so often, on a thread of its own."""

from __future__ import annotations

import random
import threading
import time
from collections.abc import Callable

import structlog

from toygres.errors import Unavailable
from worker.background import Background

log = structlog.get_logger(__name__)


class Timer(Background):
    """Calls `act` every `seconds`, the first time at once; what it raises is logged, and the next call comes.

    With `jitter`, up to that part of each pause is left out, at random.
    """

    def __init__(self, name: str, seconds: float, act: Callable[[], object], jitter: float = 0.0) -> None:
        super().__init__(name)
        self._name = name
        self._seconds = seconds
        self._jitter = jitter
        # Nobody's secret hangs on it, and nobody else's chances.
        self._chance = random.Random()  # noqa: S311
        self._act = act
        self._stopped = False
        self._due = threading.Event()

    def stop(self) -> None:
        """Call no more; doesn't wait for a call that is going on."""
        self._stopped = True
        self._due.set()

    def call_now(self) -> None:
        """Don't wait for the next time."""
        self._due.set()

    def _run(self) -> None:
        next_at = time.monotonic()
        while True:
            self._due.wait(max(0.0, next_at - time.monotonic()))
            self._due.clear()
            if self._stopped:
                return
            next_at = time.monotonic() + self._seconds * self._chance.uniform(1 - self._jitter, 1)
            try:
                self._act()
            except Unavailable as error:
                log.warning("timer_missed", timer=self._name, reason=error.message)
            except Exception as error:
                log.error("timer_failed", timer=self._name, exc_info=error)
