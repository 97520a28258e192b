"""From a declaration to the rows that the ledger keeps: names, bounds and states, resolved when asked for."""

from __future__ import annotations

from dataclasses import dataclass
from uuid import UUID

from toygres.config import Settings
from toygres.domain import ids
from toygres.domain.instance import Instance, InstanceSpec, InstanceState
from toygres.domain.operation import Operation
from toygres.errors import Cause
from toygres.store.operations import Plan, PlannedStep

DEFAULT_PROJECT = "default"


@dataclass(frozen=True, kw_only=True)
class Caller:
    """Who asks, in which project, and the ID of the request; all of it ends up in the ledger."""

    actor: str
    request_id: str
    project: str = DEFAULT_PROJECT


def plan(
    operation: Operation,
    instance_id: UUID,
    spec: InstanceSpec,
    state: InstanceState,
    caller: Caller,
    settings: Settings,
    cause: Cause | None = None,
) -> Plan:
    """The rows of a new operation on an instance of `spec` that is in `state`."""
    steps = tuple(
        PlannedStep(
            name=step.name,
            undo=step.undo_name,
            within_seconds=getattr(settings, step.within.value) if step.within else None,
            limit_seconds=step.limit,
        )
        for step in operation.steps
        if step.needed(spec)
    )
    return Plan(
        id=ids.new(),
        project=caller.project,
        instance_id=instance_id,
        kind=operation.kind,
        gives=operation.gives.value,
        gives_failed=(operation.otherwise or state).value,
        gives_cancelled=(operation.when_cancelled or state).value,
        persistent=operation.persistent,
        max_attempts=settings.step_attempts,
        deadline_seconds=None if operation.persistent else settings.operation_seconds,
        actor=caller.actor,
        request_id=caller.request_id,
        steps=steps,
        cause=cause,
    )


def allowed(operation: Operation, instance: Instance) -> bool:
    """Whether the operation may be ordered in the state that the instance is in."""
    return instance.state in operation.allowed_from
