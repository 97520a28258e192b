"""The worker's pulse: it says that the worker lives and what it holds, and does nothing else, so it is never late."""

from __future__ import annotations

from collections.abc import Callable
from uuid import UUID

import structlog

from toygres.engine import Engine
from toygres.errors import Cause, CauseCode
from toygres.store import claims, workers
from toygres.store.session import Store
from toygres.store.workers import Condition, Presence

log = structlog.get_logger(__name__)

FORGOTTEN = Cause(
    code=CauseCode.WORKERS_DIED,
    message="The worker lost track of the step, or stopped; it is taken over.",
    remedy="Wait: the step is tried again by itself.",
)


class Heartbeat:
    """What others know of this worker; `condition` tells how it is."""

    def __init__(self, store: Store, presence: Presence, engine: Engine, condition: Callable[[], Condition]) -> None:
        self._store = store
        self._presence = presence
        self._engine = engine
        self._condition = condition

    def beat(self) -> None:
        """Be seen, then let go of what was forgotten. Raises Unavailable."""
        if not self._presence.beat(self._condition()):
            # Taken for dead (frozen for long, or cut off): what it held is gone, so it comes back as a new worker.
            self._engine.worker_id = self._presence.arrive()
            log.warning("worker_arrived_anew", worker=self._engine.worker_id)
        freed = claims.free_forgotten(self._store, self._presence.worker_id, self._engine.held.now(), FORGOTTEN)
        if freed:
            log.warning("claims_forgotten", count=len(freed))

    def end(self) -> list[UUID]:
        """Let others take at once what this worker holds; the operations, to be published. Raises Unavailable."""
        freed = claims.free_all_of(self._store, self._presence.worker_id, FORGOTTEN)
        workers.depart(self._store, self._presence.worker_id)
        self._presence.leave()
        return freed
