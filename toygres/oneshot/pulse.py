"""The row of a foreground process among the workers: others see that it lives, and it sees who doesn't."""

from __future__ import annotations

import os
import socket
import threading
import time
from collections.abc import Callable

import structlog

from toygres.engine import Engine
from toygres.errors import Cause, CauseCode, Unavailable
from toygres.services import Services
from toygres.store import claims, workers
from toygres.store.workers import Condition, Presence

log = structlog.get_logger(__name__)

_BEAT_SECONDS = 0.5
_RELEASE_SECONDS = 1.0
_ENDING_SECONDS = 2.0
# It takes no messages, and mustn't make others believe that somebody does.
_CONDITION = Condition(idle_seconds=86_400.0)
_LOST = Cause(
    code=CauseCode.WORKERS_DIED,
    message="The worker that ran this step died or froze; it is taken over.",
    remedy="Wait: the step is tried again by itself.",
)
_HUNG = Cause(
    code=CauseCode.NO_ANSWER,
    message="The attempt took longer than the step may; it is tried again.",
    remedy="Wait; look at the platform if it happens again.",
)


class Pulse:
    """Beats twice a second on a thread of its own, and frees what dead workers held on another.

    `away` is called with the seconds for which the metadata DB hasn't answered, whenever it doesn't.
    """

    def __init__(self, services: Services, away: Callable[[float], None]) -> None:
        self._store = services.store
        self._away = away
        self._presence = Presence(services.store, socket.gethostname(), os.getpid())
        self.engine = Engine(services, self._presence.arrive())
        self._stop = threading.Event()
        self._answered_at = time.monotonic()
        self._threads = [
            threading.Thread(target=self._every, args=(_BEAT_SECONDS, self._beat), name="pulse", daemon=True),
            threading.Thread(target=self._every, args=(_RELEASE_SECONDS, self._release), name="release", daemon=True),
        ]

    @property
    def worker_id(self) -> int:
        """Its number among the workers, which changes when others took it for dead."""
        return self._presence.worker_id

    def start(self) -> None:
        """Begin to beat."""
        for thread in self._threads:
            thread.start()

    def stop(self) -> None:
        """Give back what is held, and go. The metadata DB may be gone: then others notice by themselves."""
        self._stop.set()
        for thread in self._threads:
            thread.join(_ENDING_SECONDS)
        try:
            claims.free_all_of(self._store, self.worker_id, _LOST)
            workers.depart(self._store, self.worker_id)
        except Unavailable:
            log.warning("departed_without_word")
        self._presence.leave()

    def _every(self, seconds: float, act: Callable[[], None]) -> None:
        while not self._stop.is_set():
            try:
                act()
            except Unavailable:
                self._away(time.monotonic() - self._answered_at)
            except Exception as error:
                log.error("pulse_failed", exc_info=error)
            self._stop.wait(seconds)

    def _beat(self) -> None:
        if not self._presence.beat(_CONDITION):
            self.engine.worker_id = self._presence.arrive()
            log.warning("worker_arrived_anew", worker=self.engine.worker_id)
        claims.free_forgotten(self._store, self.worker_id, self.engine.held.now(), _LOST)
        self._answered_at = time.monotonic()

    def _release(self) -> None:
        workers.reap(self._store, self.worker_id)
        claims.free_of_dead(self._store, _LOST)
        claims.free_lapsed(self._store, _HUNG)
