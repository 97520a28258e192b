"""How a worker process ends: it takes nothing more, what runs gets a little time, and then the process is gone.

Celery waits without bound for its threads, and so does Python when it exits; a thread can't be ended. So a thread
of our own, made while all is well, ends the process when the time is over, whatever the others do.
"""

from __future__ import annotations

import os
import select
import signal
import threading
import time
from collections.abc import Callable

import structlog
from billiard.process import active_children
from celery.worker import state

log = structlog.get_logger(__name__)

# Whoever restarts processes reads it as: try again (EX_TEMPFAIL).
TRY_AGAIN = 75


class Departure:
    """The one way out. `seconds` is what running steps get, `ending_seconds` what `end` may take afterwards."""

    def __init__(
        self, seconds: float, begin: Callable[[], None], end: Callable[[], None], ending_seconds: float
    ) -> None:
        self._seconds = seconds
        self._ending_seconds = ending_seconds
        self._begin = begin
        self._end = end
        self._code = 0
        self._going = False
        # A pipe, since a signal's handler may take no lock.
        self._told, self._tell = os.pipe()
        os.set_blocking(self._tell, False)
        threading.Thread(target=self._run, name="departure", daemon=True).start()

    def on_signals(self) -> None:
        """Go, orderly, on each signal that means so; at once when it comes again. For the main thread."""
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGQUIT):
            signal.signal(number, self._signalled)

    def go(self, code: int = 0) -> None:
        """Leave with this exit code; only the first call does it. Safe from any thread and in a signal's handler."""
        if self._going:
            return
        self._going = True
        self._code = code
        # Celery's main thread looks at it, stops receiving, and waits for the running steps.
        state.should_stop = code  # type: ignore[assignment]
        os.write(self._tell, b".")

    def _signalled(self, _number: int, _frame: object) -> None:
        if self._going:
            os.write(self._tell, b"!")
        self.go()

    def _run(self) -> None:
        os.read(self._told, 1)
        began = time.monotonic()
        self._begin()
        select.select([self._told], [], [], self._seconds)  # a signal that came again ends the wait
        ending = threading.Thread(target=self._end, name="ending", daemon=True)
        ending.start()
        ending.join(self._ending_seconds)
        for child in active_children():
            child.terminate()
        log.warning("worker_left", code=self._code, seconds=round(time.monotonic() - began, 1))
        os._exit(self._code)
