"""The fault table: what it is made of, and how each of its runs must end, as the declarations say."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum

from toygres.domain.instance import InstanceState
from toygres.domain.operation import Operation, OperationState
from toygres.operations import OPERATIONS


class Fault(StrEnum):
    """What befalls a step; the value is how it is told."""

    RAISES_BEFORE = "raises before its effect"
    RAISES_AFTER = "raises after its effect"
    REFUSED_BEFORE = "is refused before its effect"
    REFUSED_AFTER = "is refused after its effect"
    DIES_BEFORE = "its worker dies before its effect"
    DIES_AFTER = "its worker dies after its effect, before that is recorded"
    FORGOTTEN = "its worker lives, and forgets it after its effect"
    TWICE = "is delivered twice at once, to two workers"
    OUT_OF_ORDER = "every other message comes before its own, and again after the end"
    LEASE_LOST = "its lease is lost while it runs; another worker runs it, then it ends"
    THAWED_AFTER_END = "is frozen before its first call; the operation and the next one end without it; it goes on"
    THAWED_AFTER_DELETE = "is frozen before its first call; the instance is deleted; it goes on"
    CANCELLED = "its operation is cancelled while it runs"


class Part(StrEnum):
    """What a row is to its operation."""

    STEP = "step"
    UNDO = "undo"
    CLEANUP = "cleanup"


@dataclass(frozen=True)
class Row:
    """One step, or one undo as the operation itself or its cleanup runs it."""

    operation: Operation
    step: str
    part: Part

    def __str__(self) -> str:
        part = {Part.STEP: "", Part.UNDO: " undoes", Part.CLEANUP: " is cleaned up"}[self.part]
        return f"{self.operation.kind}{part}: {self.step}"

    @property
    def before(self) -> InstanceState:
        """What the instance is when the operation is ordered."""
        allowed = self.operation.allowed_from
        if not allowed:
            return InstanceState.REQUESTED
        wakes = self.operation.gives is InstanceState.READY and InstanceState.STOPPED in allowed
        return InstanceState.STOPPED if wakes or InstanceState.READY not in allowed else InstanceState.READY

    @property
    def given_up(self) -> InstanceState:
        """What the instance is once the operation failed and is undone."""
        return self.operation.otherwise or self.before

    def ends(self, fault: Fault) -> tuple[OperationState, InstanceState]:
        """How the operation must end, and what its instance is then."""
        operation, cancelled = self.operation, self.operation.when_cancelled or self.before
        if fault is Fault.THAWED_AFTER_DELETE:
            deletes = operation.gives is InstanceState.DELETED
            return OperationState.SUCCEEDED if deletes else OperationState.SUPERSEDED, InstanceState.DELETED
        if self.part is Part.CLEANUP:
            return OperationState.SUCCEEDED, self.given_up
        if self.part is Part.UNDO:
            return OperationState.FAILED, self.given_up
        if not operation.persistent and fault is Fault.CANCELLED:
            return OperationState.CANCELLED, cancelled
        if not operation.persistent and fault in (Fault.REFUSED_BEFORE, Fault.REFUSED_AFTER):
            return OperationState.FAILED, self.given_up
        return OperationState.SUCCEEDED, operation.gives


def rows_of(operation: Operation) -> Iterator[Row]:
    """An operation's rows: its steps, and what undoes them, here and in a cleanup."""
    for step in operation.steps:
        yield Row(operation, step.name, Part.STEP)
    if operation.persistent:
        return
    for step in reversed(operation.steps):
        if step.undo_name:
            yield Row(operation, step.undo_name, Part.UNDO)
            yield Row(operation, step.undo_name, Part.CLEANUP)


ROWS = tuple(row for operation in OPERATIONS.values() for row in rows_of(operation))
