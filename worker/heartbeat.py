"""The worker's pulse: every second it says that it lives and what it holds, and sweeps."""

from __future__ import annotations

import threading
import time

import structlog

from toygres.engine import Engine
from toygres.errors import Cause, CauseCode, Unavailable
from toygres.store import claims, workers
from toygres.store.session import Store
from toygres.store.workers import Presence
from worker.sweep import Sweep

log = structlog.get_logger(__name__)

BEAT_SECONDS = 1.0
FORGOTTEN = Cause(
    code=CauseCode.WORKERS_DIED,
    message="The worker lost track of the step; it is taken over.",
    remedy="Wait: the step is tried again by itself.",
)


class Heartbeat:
    """A thread of the worker's."""

    def __init__(self, store: Store, presence: Presence, engine: Engine, sweep: Sweep) -> None:
        self._store = store
        self._presence = presence
        self._engine = engine
        self._sweep = sweep
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="heartbeat", daemon=True)

    def start(self) -> None:
        """Begin to beat."""
        self._thread.start()

    def stop(self) -> None:
        """Stop beating, and let others take at once what this worker holds."""
        self._stop.set()
        self._thread.join(timeout=2 * BEAT_SECONDS)
        try:
            workers.depart(self._store, self._presence.worker_id)
            self._sweep.release_lost()
        except Unavailable:
            log.warning("departed_without_word")

    def _run(self) -> None:
        next_at = time.monotonic()
        while not self._stop.wait(max(0.0, next_at - time.monotonic())):
            next_at = time.monotonic() + BEAT_SECONDS
            try:
                self.beat()
            except Unavailable as error:
                log.warning("beat_missed", error=type(error).__name__)
            except Exception as error:
                log.error("beat_failed", exc_info=error)

    def beat(self) -> None:
        """One beat: be seen, let go of what was forgotten, then sweep."""
        if not self._presence.beat():
            # Taken for dead (frozen for long, or cut off): what it held is gone, so it comes back as a new worker.
            workers.depart(self._store, self._presence.worker_id)
            self._engine.worker_id = self._presence.arrive()
            log.warning("worker_arrived_anew", worker=self._engine.worker_id)
        freed = claims.free_forgotten(self._store, self._engine.worker_id, set(self._engine.held), FORGOTTEN)
        if freed:
            log.warning("claims_forgotten", count=len(freed))
        self._sweep.act()
