"""Publishing: the steps that are left, as a chain. A hint that may be lost, repeated or late."""

from __future__ import annotations

from collections.abc import Sequence
from uuid import UUID

import structlog
from celery import chain
from kombu.exceptions import OperationalError

from toygres.domain import ids
from toygres.domain.operation import StepState
from toygres.domain.records import OperationRecord
from toygres.store import operations
from toygres.store.session import Store
from worker.app import celery

log = structlog.get_logger(__name__)

_LEFT = (StepState.PENDING, StepState.RUNNING, StepState.WAITING)


def publish(operation: OperationRecord) -> bool:
    """Publish what is left of an operation; False when the broker didn't take it (the sweep will try)."""
    return publish_steps(operation.id, [step.name for step in operation.steps if step.state in _LEFT])


def publish_rest(store: Store, operation_id: UUID) -> bool:
    """Publish what the ledger says is left; False when the broker didn't take it, or nothing is left."""
    return publish_steps(operation_id, operations.remaining(store, operation_id))


def publish_steps(operation_id: UUID, steps: Sequence[str]) -> bool:
    """Publish these steps in this order; a web process gives up on a silent broker within a second."""
    if not steps:
        return False
    shown = ids.shown(ids.OPERATION, operation_id)
    signatures = [celery.signature(name, args=(shown,), immutable=True) for name in steps]
    try:
        chain(*signatures).apply_async()
    except (OperationalError, OSError) as error:
        log.warning("publish_failed", operation=shown, error=type(error).__name__)
        return False
    return True
