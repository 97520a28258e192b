"""Servers that ended unasked are started again, as operations that tell why, but only so often."""

from __future__ import annotations

from dataclasses import replace
from uuid import UUID

import structlog

from toygres.domain import ids
from toygres.domain.instance import Instance, InstanceState
from toygres.domain.records import OperationRecord
from toygres.errors import Cause, CauseCode
from toygres.operations import START
from toygres.planning import Caller, plan
from toygres.platforms.protocol import ServerPhase, ServerStatus
from toygres.services import Services
from toygres.store import instances, operations
from toygres.store.operations import Plan

log = structlog.get_logger(__name__)

ACTOR = "observer"

# An absent server is none that ended: its folder may be on a disk that isn't mounted, or on another machine.
_ENDED = frozenset({ServerPhase.BROKEN, ServerPhase.STOPPED})


def consider(services: Services, instance_id: UUID) -> OperationRecord | None:
    """Look at an instance, and order that its server be started if it ended unasked; what was ordered."""
    found = instances.find(services.store, instance_id)
    return look_at(services, found) if found is not None else None


def consider_all(services: Services) -> list[OperationRecord]:
    """Look at every ready instance; what was ordered. One instance's trouble doesn't keep the others from it."""
    ordered = []
    for found in instances.ready_and_idle(services.store):
        try:
            ordered.append(look_at(services, found))
        except Exception as error:
            log.error("look_failed", instance=ids.shown(ids.INSTANCE, found.id), exc_info=error)
    return [operation for operation in ordered if operation is not None]


def look_at(services: Services, found: Instance, status: ServerStatus | None = None) -> OperationRecord | None:
    """Order a start if this ready instance has nothing going on and no server; what was ordered.

    `status` is what was seen of its server after `found` was read; None has it looked at. Safe in any number of
    workers at once: one orders. Whoever has ended too often stays as it is, with a cause that says so.
    """
    if not _is_ours_to_start(services, found):
        return None
    status = status or services.platform(found.platform).observe(found)
    if status.phase not in _ENDED or (status.cause and status.cause.code is CauseCode.STORAGE_MISSING):
        return None
    return _order(services, found, status.cause or _unexplained(status.phase))


def _is_ours_to_start(services: Services, found: Instance) -> bool:
    return (
        services.other_host(found.platform) is None
        and found.state is InstanceState.READY
        and found.operation_id is None
        and not _given_up(found)
        and not services.platform(found.platform).capabilities().brings_back
    )


def _given_up(found: Instance) -> bool:
    return found.available.cause is not None and found.available.cause.code is CauseCode.SERVER_KEEPS_ENDING


def _order(services: Services, found: Instance, why: Cause) -> OperationRecord | None:
    settings, chosen = services.settings, None
    with services.store.transaction() as connection:
        instances.one_request_at_a_time(connection, found.id)
        # Whatever happened since it was read may be why no server was seen, or be over.
        if instances.reread(connection, found) != found:
            return None
        before = operations.count_since_others(connection, found.id, ACTOR, settings.server_restarts_seconds)
        if before < settings.server_restarts:
            chosen = _plan(services, found, why)
            instances.begin(connection, found.id, found.state, chosen.cause or why)
            operations.insert(connection, chosen)
    if chosen is None:
        _give_up(services, found, why, before + 1)
        return None
    log.warning("server_started_again", instance=ids.shown(ids.INSTANCE, found.id), cause=why.code.value)
    return operations.find(services.store, found.project, chosen.id)


def _plan(services: Services, found: Instance, why: Cause) -> Plan:
    caller = Caller(actor=ACTOR, request_id=ids.shown("req", ids.new()), project=found.project)
    cause = replace(why, remedy="Nothing is to be done: the server is started again by itself.")
    return plan(START, found.id, found.spec, found.state, caller, services.settings, cause)


def _give_up(services: Services, found: Instance, why: Cause, times: int) -> None:
    often = f"ended {times} times within {services.settings.server_restarts_seconds:g} s"
    cause = Cause(
        code=CauseCode.SERVER_KEEPS_ENDING,
        message=f"The server {often if times > 1 else 'ended'} and isn't started again by itself. {why.message}",
        remedy=f"Read the log lines and mend what they name; then start it: `toygres start {found.name}`.",
        evidence=why.evidence,
    )
    if instances.set_available(services.store, found.id, value=False, cause=cause, new_cause=True):
        log.error("server_given_up", instance=ids.shown(ids.INSTANCE, found.id), times=times)


def _unexplained(phase: ServerPhase) -> Cause:
    return Cause(
        code=CauseCode.SERVER_STOPPED, message=f"The server is {phase.value}.", remedy="Start the instance again."
    )
