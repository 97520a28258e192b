"""The observer: turns a platform's changes into wake-ups. One leads for each platform, whoever has the lock."""

from __future__ import annotations

import threading
from collections.abc import Callable
from uuid import UUID

import structlog

from toygres import revival
from toygres.platforms.protocol import EVERYTHING, Platform
from toygres.services import Services
from toygres.store import instances, sweeps
from toygres.store.leadership import Leadership
from worker.chains import publish, publish_rest

log = structlog.get_logger(__name__)


class Observer:
    """Acts only while it leads.

    It never talks to a server itself: `look_now` has somebody else log in, which may take seconds.
    """

    def __init__(
        self, services: Services, platform: Platform, worker_id: Callable[[], int], look_now: Callable[[], None]
    ) -> None:
        self._services = services
        self._platform = platform
        self._leadership = Leadership(services.store, f"observer:{platform.name}", worker_id)
        self._look_now = look_now

    def act(self, stop: threading.Event) -> None:
        """Stand for leader, and lead from then on; ends, and gives the lead away, at `stop`."""
        with self._leadership.held(stop) as lost:
            if lost is not None:
                log.info("observer_leads", platform=self._platform.name)
                self._platform.watch(self._changed, lost)

    def _changed(self, instance_id: UUID) -> None:
        try:
            if instance_id == EVERYTHING:
                self._look_at_all()
                return
            woken = sweeps.wake(self._services.store, [instance_id])
            for operation_id in woken:
                publish_rest(self._services.store, operation_id)
            if not woken:
                self._consider(instance_id)
        except Exception as error:
            # One instance's trouble must not blind the others; the sweep looks again in time.
            log.warning("change_untold", instance=str(instance_id), exc_info=error)

    def _look_at_all(self) -> None:
        """Wake every operation that waits for something on the platform."""
        waiting = instances.busy_on(self._services.store, self._platform.name)
        for operation_id in sweeps.wake(self._services.store, waiting):
            publish_rest(self._services.store, operation_id)

    def _consider(self, instance_id: UUID) -> None:
        """Have a server that ended started again; have somebody log in to any other."""
        ordered = revival.consider(self._services, instance_id)
        if ordered is not None:
            publish(ordered)
            return
        instances.look_soon(self._services.store, instance_id)
        self._look_now()
