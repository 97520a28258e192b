"""Keeps `available` true: logs in to ready instances again and again, and at once when their server changed.

A server that ended unasked is started again.
"""

from __future__ import annotations

import time
from uuid import UUID

import structlog

from toygres import postgres, renewal, revival
from toygres.domain.instance import Instance, InstanceState
from toygres.domain.records import OperationRecord
from toygres.errors import DATA_OUT_FIRST, Cause, CauseCode, Refused, Unavailable
from toygres.platforms.protocol import ServerPhase, ServerStatus
from toygres.services import Services
from toygres.store import instances
from worker.chains import publish

log = structlog.get_logger(__name__)

_EVERY_SECONDS = 30.0
_RENEWAL_SECONDS = 3600.0
_EVERY_SECONDS_WHILE_UNAVAILABLE = 5.0


class Keeper:
    """Looks at instances; safe in any number of workers, each instance is taken by one."""

    def __init__(self, services: Services) -> None:
        self._services = services
        self._renewal_due: dict[UUID, float] = {}

    def act(self) -> None:
        """Look at the ready instances that nobody has looked at for long."""
        store, here = self._services.store, self._services.here()
        away: set[str] = set()
        for instance_id in instances.take_due_for_check(store, here, _EVERY_SECONDS, _EVERY_SECONDS_WHILE_UNAVAILABLE):
            try:
                self._look(instance_id, away)
            except Unavailable:
                raise
            except Exception as error:
                # One instance's trouble must not keep the others from being looked at.
                log.error("look_failed", instance=str(instance_id), exc_info=error)

    def _look(self, instance_id: UUID, away: set[str]) -> None:
        """Record whether a client can log in, if the instance is ready and nothing is going on with it."""
        found = instances.find(self._services.store, instance_id)
        if found is None or found.operation_id is not None or found.state is not InstanceState.READY:
            return
        if found.platform in away:
            # Each that is asked costs the seconds until it doesn't answer, and the others wait for their turn.
            return
        try:
            self._look_at(found)
        except (Refused, Unavailable) as unseen:
            # What is away is one platform, or the metadata DB, which the next statement tells.
            log.info("look_put_off", instance=found.name, reason=str(unseen))
            away |= {found.platform} if isinstance(unseen, Unavailable) else set()

    def _look_at(self, found: Instance) -> None:
        status = self._services.platform(found.platform).glance(found)
        # An event may have been missed, or nobody was there to hear it.
        if ordered := revival.look_at(self._services, found, status):
            publish(ordered)
            return
        if ordered := self._renewal(found):
            publish(ordered)
            return
        trouble = self._trouble(found, status)
        if instances.set_available(self._services.store, found.id, trouble is None, trouble):
            log.warning("availability_changed", instance=found.name, available=trouble is None)

    def _renewal(self, found: Instance) -> OperationRecord | None:
        """Order that its certificate be renewed, if it is time; looked at once an hour."""
        if time.monotonic() < self._renewal_due.get(found.id, 0.0):
            return None
        self._renewal_due[found.id] = time.monotonic() + _RENEWAL_SECONDS
        return renewal.consider(self._services, found)

    def _trouble(self, found: Instance, status: ServerStatus) -> Cause | None:
        platform = self._services.platform(found.platform)
        if status.phase is not ServerPhase.UP:
            return status.cause or _unclear(status.phase)
        kept = platform.credentials(found, lately=True)
        with platform.reach(found) as way:
            if kept is None or way is None:
                return Cause(
                    code=CauseCode.CREDENTIALS_MISSING,
                    message="The instance's credentials are gone.",
                    remedy=f"Restore them if you can. {DATA_OUT_FIRST}",
                )
            return postgres.check_health(way, found.spec.database, kept.monitor)


def _unclear(phase: ServerPhase) -> Cause:
    return Cause(
        code=CauseCode.SERVER_STOPPED,
        message=f"The server is {phase.value}.",
        remedy="Start the instance again.",
    )
