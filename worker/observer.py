"""The observer: turns a platform's changes into wake-ups. One leads for each platform, whoever has the lock."""

from __future__ import annotations

import threading
from uuid import UUID

import structlog

from toygres.domain.instance import Instance, InstanceState
from toygres.errors import Unavailable
from toygres.platforms.protocol import Platform, ServerPhase
from toygres.services import Services
from toygres.store import instances, sweeps
from toygres.store.leadership import Leadership
from worker.chains import publish_rest

log = structlog.get_logger(__name__)

_PAUSE_SECONDS = 1.0


class Observer:
    """A thread of the worker's; it acts only while it leads."""

    def __init__(self, services: Services, platform: Platform) -> None:
        self._services = services
        self._platform = platform
        self._leadership = Leadership(services.store, f"observer:{platform.name}")
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name=f"observer-{platform.name}", daemon=True)

    def start(self) -> None:
        """Begin to stand for leader."""
        self._thread.start()

    def stop(self) -> None:
        """Give the lead away and end; doesn't wait for it."""
        self._stop.set()
        self._leadership.give_up()

    def join(self) -> None:
        """Wait, for a moment at most, until it has ended."""
        self._thread.join(timeout=1.0)

    def _run(self) -> None:
        while not self._stop.is_set():
            try:
                with self._leadership.held(self._stop) as lost:
                    if lost is not None:
                        log.info("observer_leads", platform=self._platform.name)
                        self._platform.watch(self._changed, lost)
            except Exception as error:
                log.warning("observer_interrupted", platform=self._platform.name, exc_info=error)
            self._stop.wait(_PAUSE_SECONDS)

    def _changed(self, instance_id: UUID) -> None:
        try:
            woken = sweeps.wake(self._services.store, [instance_id])
            for operation_id in woken:
                publish_rest(self._services.store, operation_id)
            if not woken:
                self._keep_true(instance_id)
        except Unavailable:
            # The sweep looks again in time.
            log.warning("change_untold", instance=str(instance_id))

    def _keep_true(self, instance_id: UUID) -> None:
        """What the instance's row says of its availability follows what is to be seen of its server."""
        found = instances.find(self._services.store, instance_id)
        if found is not None and found.operation_id is None and found.state is InstanceState.READY:
            self._record(found)

    def _record(self, found: Instance) -> None:
        status = self._platform.observe(found)
        up = status.phase is ServerPhase.UP
        if instances.set_available(self._services.store, found.id, up, None if up else status.cause):
            log.warning("availability_changed", instance=found.name, available=up)
