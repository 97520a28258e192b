"""Operations that turn round or end with no step saying so: cancelled, out of time, or their undo given up."""

from __future__ import annotations

from uuid import UUID

import structlog

from toygres.domain import ids
from toygres.domain.instance import Instance
from toygres.errors import Cause, CauseCode
from toygres.services import Services
from toygres.store import instances, operations, turns
from toygres.store.sweeps import Due

log = structlog.get_logger(__name__)

_CANCELLED = Cause(
    code=CauseCode.CANCELLED,
    message="The operation was cancelled.",
    remedy="Order it again if it is still wanted.",
)


def cancel_unheld(services: Services, operation_id: UUID) -> bool:
    """Turn round an operation that was told to cancel and that nobody holds; False when there is none."""
    found = operations.standing(services.store, operation_id)
    if found is None or found.held or found.turned or not found.cancelled:
        return False
    return _turn_unheld(services, operation_id, found.fence, "cancelled", _CANCELLED)


def end_undeliverable(services: Services, due: Due) -> bool:
    """Turn or end, without a claim, what no delivery may come to: cancelled, or its deadline over.

    True when what is left of the operation has changed, or it has ended.
    """
    if due.cancelled and not due.turned:
        return cancel_unheld(services, due.id)
    if not due.overdue:
        return False
    step = operations.current_step(services.store, due.id)
    if step is None:
        return False
    cause = deadline_passed(step.name, step.cause)
    if not due.turned:
        return _turn_unheld(services, due.id, due.fence, "failed", cause)
    instance = instances.find(services.store, step.instance_id)
    return instance is not None and abandon(services, due.id, due.fence, instance, cause, worker=None, actor="sweep")


def abandon(
    services: Services,
    operation_id: UUID,
    fence: int,
    instance: Instance,
    cause: Cause,
    *,
    worker: int | None,
    actor: str,
) -> bool:
    """End an operation whose undo can't finish in time; a cleanup operation goes on, slowly, for ever."""
    try:
        left = tuple(services.platform(instance.platform).objects(instance.id))
    except Exception as error:
        # The platform may be why it can't finish: then what is left is what wasn't undone.
        log.warning("leftovers_unreadable", exc_info=error)
        left = operations.remaining(services.store, operation_id)
    cleanup = ids.new()
    abandoned = turns.abandon(
        services.store, operation_id, fence, cause, left, cleanup=cleanup, worker=worker, actor=actor
    )
    if abandoned:
        log.error("undo_abandoned", leftovers=list(left), cleanup=ids.shown(ids.OPERATION, cleanup))
    return abandoned


def _turn_unheld(services: Services, operation_id: UUID, fence: int, outcome: str, cause: Cause) -> bool:
    return turns.turn_round(
        services.store,
        operation_id,
        fence,
        outcome,
        cause,
        worker=None,
        actor="sweep" if outcome == "failed" else "cancel",
        undo_seconds=services.settings.undo_seconds,
    )


def deadline_passed(step: str, waited_for: Cause | None) -> Cause:
    """Why an operation failed whose deadline passed: with what its step was waiting for."""
    reason = f" It waited for this: {waited_for.message}" if waited_for else ""
    return Cause(
        code=CauseCode.DEADLINE_PASSED,
        message=f"The operation's deadline passed before {step} was done.{reason}",
        remedy=waited_for.remedy if waited_for else "See what took the steps before it so long, and order it again.",
        evidence=waited_for.evidence if waited_for else (),
    )
