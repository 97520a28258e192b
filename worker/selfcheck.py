"""What a worker can find wrong with itself, and what it does about it: mend it, or leave in order to be started anew.

Nobody else notices a worker whose slots are taken by steps that never return, or one that is connected and deaf:
it beats and sweeps as ever.
"""

from __future__ import annotations

import time
from typing import Protocol

import structlog

from toygres.domain import ids
from toygres.errors import Unavailable
from toygres.held import Held
from toygres.store.workers import Condition
from worker.departure import TRY_AGAIN, Departure
from worker.queue import NEGLECTED_SECONDS, Queue

log = structlog.get_logger(__name__)

# The part of a worker's slots that may be lost before it leaves.
_LOST_PART = 0.25


class Listener(Protocol):
    """What receives messages."""

    @property
    def listens(self) -> bool: ...  # noqa: D102

    def listen_again(self) -> None: ...  # noqa: D102


class SelfCheck:
    """One worker's look at itself, called every second."""

    def __init__(self, slots: int, held: Held, queue: Queue, departure: Departure) -> None:
        self._slots = slots
        self._held = held
        self._queue = queue
        self._departure = departure
        self._listener: Listener | None = None
        self._took_at = self._neglected_since = time.monotonic()
        self._mended = False

    def listen_through(self, listener: Listener) -> None:
        """From now on messages come through this; those that waited while the worker began don't count."""
        self._neglected_since = time.monotonic()
        self._listener = listener

    def took(self) -> None:
        """A message was taken."""
        self._took_at = time.monotonic()

    def condition(self) -> Condition:
        """How this worker is, for others to see."""
        running, hung = len(self._held.running()), len(self._held.hung())
        idle = time.monotonic() - self._took_at
        return Condition(slots=self._slots, busy=running, hung=hung, idle_seconds=idle)

    def act(self) -> None:
        """Leave when too many slots are lost; listen again, and then leave, when messages wait and none comes."""
        self._count_lost_slots()
        neglected = self._neglected_seconds()
        if neglected < NEGLECTED_SECONDS:
            self._mended = False
        elif neglected > 2 * NEGLECTED_SECONDS:
            log.error("worker_deaf", neglected_seconds=round(neglected))
            self._departure.go(TRY_AGAIN)
        elif not self._mended:
            self._listen_again(neglected)

    def _count_lost_slots(self) -> None:
        hung = self._held.hung()
        if hung and len(hung) >= self._slots * _LOST_PART:
            log.error(
                "slots_lost",
                slots=self._slots,
                steps=[f"{delivery.step} of {ids.shown(ids.OPERATION, delivery.operation_id)}" for delivery in hung],
            )
            self._departure.go(TRY_AGAIN)

    def _neglected_seconds(self) -> float:
        """For how long this worker has had a free slot, something to take or no ear for it, and taken nothing."""
        now = time.monotonic()
        taken_since = self._took_at > self._neglected_since
        if taken_since or len(self._held.running()) >= self._slots or not self._misses_messages():
            self._neglected_since = now
        return now - self._neglected_since

    def _misses_messages(self) -> bool:
        try:
            waiting = self._queue.oldest_age() is not None
        except Unavailable:
            # Nobody can take anything, and the consumer is busy looking for the broker.
            return False
        return waiting or not (self._listener is None or self._listener.listens)

    def _listen_again(self, neglected: float) -> None:
        if self._listener is None:
            return
        log.warning("listens_again", listened=self._listener.listens, neglected_seconds=round(neglected))
        self._listener.listen_again()
        self._mended = True
