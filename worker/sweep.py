"""The sweep: frees what dead workers held, then publishes what is left of all that is due."""

from __future__ import annotations

from collections.abc import Sequence

import structlog

from toygres.errors import Cause, CauseCode, Unavailable
from toygres.services import Services
from toygres.store import claims, counters, sweeps, workers
from toygres.store.sweeps import Due
from toygres.store.workers import Presence
from toygres.turning import end_undeliverable
from worker.chains import publish_rest
from worker.queue import Queue

log = structlog.get_logger(__name__)

_DIED = Cause(
    code=CauseCode.WORKERS_DIED,
    message="The worker that ran this step died or froze; it is taken over.",
    remedy="Wait: the step is tried again by itself.",
)
_HUNG = Cause(
    code=CauseCode.NO_ANSWER,
    message="The attempt took longer than the step may; it is tried again.",
    remedy="Wait; look at the platform if it happens again.",
)


class Sweep:
    """The only recovery there is; safe to run twice at once and from anywhere.

    It counts the parked steps that it finds due: a silent observer fails nothing, and costs seconds.
    """

    def __init__(self, services: Services, queue: Queue, presence: Presence) -> None:
        self._services = services
        self._store = services.store
        self._queue = queue
        self._presence = presence
        self._told = ""

    def act(self) -> int:
        """Sweep once; how many operations were published. Raises Unavailable when the DB doesn't answer."""
        self.release_lost()
        published = 0
        while True:
            try:
                oldest_age = self._queue.oldest_age()
            except Unavailable as away:
                # Nobody can say now what was lost: nothing is published, and nothing marked.
                self._tell_once(away.message)
                return published
            self._tell_once("")
            due = sweeps.take_due(self._store, oldest_age)
            told = self._publish(due)
            published += told
            if told < sweeps.AT_ONCE:
                return published

    def _publish(self, due: Sequence[Due]) -> int:
        """Publish until the broker stops answering; what is left then has been put off, and is due again soon."""
        for found in due:
            end_undeliverable(self._services, found)
        published = 0
        for found in due:
            if publish_rest(self._store, found.id):
                published += 1
            elif not self._queue.answers():
                break
        parked = sum(found.parked for found in due)
        if parked:
            counters.add(self._store, counters.FOUND_PARKED, parked)
        if due:
            log.info("swept", due=len(due), published=published, parked=parked)
        return published

    def _tell_once(self, trouble: str) -> None:
        if trouble and trouble != self._told:
            log.warning("sweep_waits_for_broker", reason=trouble)
        self._told = trouble

    def release_lost(self) -> None:
        """Free the claims of workers that are gone, and those whose step's time is over."""
        dead = workers.reap(self._store, self._presence.worker_id)
        freed = claims.free_of_dead(self._store, _DIED)
        hung = claims.free_lapsed(self._store, _HUNG)
        if dead or freed or hung:
            log.warning("claims_freed", dead_workers=dead, of_dead=len(freed), of_hung=len(hung))
