"""What one worker process runs now, step by step, and which of it should have returned long ago."""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from uuid import UUID

# A step that returns a little after its limit isn't hung; its claim is gone all the same.
_LATE_SECONDS = 1.0


@dataclass(eq=False)
class Delivery:
    """One delivery of a step, on one thread; `ends_at` (monotonic) is when its claim's time is over."""

    operation_id: UUID
    step: str
    ends_at: float | None = None

    def claimed(self, limit_seconds: float) -> None:
        """Its step was claimed and may now take so long."""
        self.ends_at = time.monotonic() + limit_seconds

    @property
    def hung(self) -> bool:
        """Whether its step should have returned."""
        return self.ends_at is not None and time.monotonic() > self.ends_at + _LATE_SECONDS


class Held:
    """What one process believes to hold. An operation may be delivered twice at once: each delivery counts."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._deliveries: set[Delivery] = set()

    @contextlib.contextmanager
    def delivery(self, operation_id: UUID, step: str) -> Iterator[Delivery]:
        """Count as holding the operation, from before it is claimed until the step has ended."""
        delivery = Delivery(operation_id, step)
        with self._lock:
            self._deliveries.add(delivery)
        try:
            yield delivery
        finally:
            with self._lock:
                self._deliveries.remove(delivery)

    def now(self) -> set[UUID]:
        """Every operation that is held, or about to be; what hangs is lost by its limit, not forgotten."""
        return {delivery.operation_id for delivery in self.running()}

    def running(self) -> list[Delivery]:
        """Every delivery that hasn't returned."""
        with self._lock:
            return list(self._deliveries)

    def hung(self) -> list[Delivery]:
        """Those whose step should have returned; their threads can't be ended but with the process."""
        return [delivery for delivery in self.running() if delivery.hung]
