"""When controllers act: in real time made faster, or by hand."""

from __future__ import annotations

import heapq
import itertools
import threading
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta


class Clock:
    """Runs what is due, one thing at a time, holding `lock`.

    `speed` makes delays shorter (10: a tenth). With `by_hand` nothing happens until `advance_to` is called, and times
    on objects are those of this clock.
    """

    def __init__(self, lock: threading.RLock, speed: float = 1.0, *, by_hand: bool = False) -> None:
        self.speed = speed
        self.by_hand = by_hand
        self.failures: list[BaseException] = []
        self._lock = lock
        self._due: list[tuple[float, int, Callable[[], None]]] = []
        self._changed = threading.Condition()
        self._numbers = itertools.count()
        self._time = 0.0
        self._began = datetime.now(UTC)
        self._stopped = False
        self._thread: threading.Thread | None = None

    def start(self) -> None:
        if not self.by_hand:
            self._thread = threading.Thread(target=self._run, name="fake cluster's controllers", daemon=True)
            self._thread.start()

    def stop(self) -> None:
        """End the thread; what was due later never happens."""
        with self._changed:
            self._stopped = True
            self._changed.notify_all()
        if self._thread is not None and self._thread is not threading.current_thread():
            self._thread.join()

    def now(self) -> datetime:
        """The time that objects get."""
        return self._began + timedelta(seconds=self._time) if self.by_hand else datetime.now(UTC)

    def stamp(self, *, micro: bool = False, later: float = 0.0) -> str:
        """The time as objects have it, to the second or (`micro`) to the microsecond."""
        moment = self.now() + timedelta(seconds=later)
        return moment.strftime("%Y-%m-%dT%H:%M:%S.%fZ" if micro else "%Y-%m-%dT%H:%M:%SZ")

    def seconds(self) -> float:
        """Seconds at the recorded pace, since no particular time."""
        return self._time if self.by_hand else time.monotonic() * self.speed

    def later(self, seconds: float, action: Callable[[], None]) -> None:
        """Run `action` when so many seconds have passed at the recorded pace."""
        with self._changed:
            when = self._time + seconds if self.by_hand else time.monotonic() + seconds / self.speed
            heapq.heappush(self._due, (when, next(self._numbers), action))
            self._changed.notify_all()

    def advance_to(self, seconds: float) -> None:
        """By hand: let everything happen until that time since the beginning."""
        while (action := self._next_by_hand(seconds)) is not None:
            with self._lock:
                action()
        self._time = max(self._time, seconds)

    def advance(self, seconds: float) -> None:
        """By hand: let so many seconds pass."""
        self.advance_to(self._time + seconds)

    def _next_by_hand(self, until: float) -> Callable[[], None] | None:
        with self._changed:
            if not self._due or self._due[0][0] > until:
                return None
            when, _, action = heapq.heappop(self._due)
            self._time = max(self._time, when)
            return action

    def _run(self) -> None:
        while (action := self._next()) is not None:
            with self._lock:
                try:
                    action()
                except Exception as error:  # kept for the one who stops the cluster
                    self.failures.append(error)

    def _next(self) -> Callable[[], None] | None:
        with self._changed:
            while not self._stopped:
                wait = self._due[0][0] - time.monotonic() if self._due else None
                if wait is not None and wait <= 0:
                    return heapq.heappop(self._due)[2]
                self._changed.wait(wait)
            return None
