"""Ctrl-C and its like for commands that carry operations out themselves: noted, told to what waits, never raised."""

from __future__ import annotations

import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from queue import SimpleQueue

from toygres.oneshot.foreground import Interrupted, Told


class Interruptions:
    """Notes that somebody wants to end this, for whatever asks, and tells it to what waits at the inbox.

    It takes no lock that the thread which is interrupted might hold.
    """

    def __init__(self) -> None:
        self.inbox: SimpleQueue[Told] = SimpleQueue()
        self._requested = False

    def __call__(self, *_: object) -> None:
        """What a signal does."""
        self._requested = True
        self.inbox.put(Interrupted())

    def requested(self) -> bool:
        """Whether somebody wants it."""
        return self._requested

    def forget(self) -> None:
        """What was asked for is being done; from now on only another one counts."""
        self._requested = False
        while not self.inbox.empty():
            self.inbox.get()

    def check(self) -> None:
        """Raise Interrupted where nothing waits."""
        if self._requested:
            raise Interrupted


@contextmanager
def told_to_stop(handler: Callable[..., None]) -> Iterator[None]:
    """In this block what ends a command calls `handler` instead."""
    signals = [signal.SIGINT, signal.SIGTERM]
    # nohup has it ignored, and means it.
    if signal.getsignal(signal.SIGHUP) is not signal.SIG_IGN:
        signals.append(signal.SIGHUP)
    before = {number: signal.signal(number, handler) for number in signals}
    try:
        yield
    finally:
        for number, found in before.items():
            signal.signal(number, found)
