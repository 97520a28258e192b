"""A slow look at everything that bears this installation's mark: what ended instances left behind is removed.

It happens when a process is killed in the one instant in which nothing else would find what it made.
"""

from __future__ import annotations

from uuid import UUID

import structlog

from toygres.domain import ids
from toygres.errors import Refused, Unavailable
from toygres.platforms.protocol import Platform, Trace
from toygres.services import Services
from toygres.store import instances

log = structlog.get_logger(__name__)


class Audit:
    """Compares what platforms have with the ledger's rows; safe in any number of workers."""

    def __init__(self, services: Services) -> None:
        self._services = services
        self._told: set[UUID] = set()

    def act(self) -> None:
        """Look once at each platform. Raises Unavailable when the metadata DB doesn't answer."""
        for platform in self._services.here().values():
            try:
                found = platform.found(self._services.installation_id)
            except (Refused, Unavailable) as unseen:
                log.info("audit_put_off", platform=platform.name, reason=str(unseen))
                continue
            # Rows are read after the objects: what a retry makes from now on isn't among those.
            for instance_id, trace in found.items():
                self._compare(platform, instance_id, trace)

    def _compare(self, platform: Platform, instance_id: UUID, trace: Trace) -> None:
        shown = ids.shown(ids.INSTANCE, instance_id)
        known = instances.highest_fence(self._services.store, instance_id)
        if known is None or known < trace.fence:
            # The metadata DB is older than the objects (a backup, it may be): nobody's data are deleted for that.
            if instance_id not in self._told:
                log.error("instance_unknown", platform=platform.name, instance=shown)
            self._told.add(instance_id)
        elif instances.is_over(self._services.store, instance_id):
            try:
                log.warning("left_behind_removed", instance=shown, objects=list(trace.discard()))
            except (Refused, Unavailable) as kept:
                log.warning("left_behind", instance=shown, reason=str(kept))
