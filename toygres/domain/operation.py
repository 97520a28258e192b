"""An operation is a declaration: named steps, what each undoes, and the state that the whole gives."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from toygres.domain.instance import InstanceSpec, InstanceState
from toygres.errors import Bug, Cause

StepFunction = Callable[[Any], None]


class OperationState(StrEnum):
    """Where an operation stands: exactly one of the last four is its end."""

    QUEUED = "queued"
    RUNNING = "running"
    WAITING = "waiting"
    UNDOING = "undoing"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    CANCELLED = "cancelled"
    SUPERSEDED = "superseded"


class StepState(StrEnum):
    """Where a step stands."""

    PENDING = "pending"
    RUNNING = "running"
    WAITING = "waiting"
    DONE = "done"
    FAILED = "failed"
    SKIPPED = "skipped"
    UNDONE = "undone"


class Within(StrEnum):
    """A bound on how long a step may wait; each is a setting, resolved into rows at request time."""

    SERVER_START = "server_start_seconds"
    SERVER_STOP = "server_stop_seconds"
    LOGIN = "login_seconds"
    ADDRESS = "address_seconds"
    CERTIFICATE = "certificate_seconds"


class NotYet(Exception):
    """Raised by a step whose time hasn't come: not an attempt; look again, bounded by `within`.

    `again_seconds` is for what no observer tells of: look again so soon.
    """

    def __init__(self, cause: Cause, again_seconds: float | None = None) -> None:
        super().__init__(cause.message)
        self.cause = cause
        self.again_seconds = again_seconds


def always(_spec: InstanceSpec) -> bool:
    """Every instance."""
    return True


@dataclass(frozen=True)
class Step:
    """A named, repeatable piece of an operation.

    `within` bounds the wait for it to be done; `limit` is the seconds that one attempt may take
    before its claim ends. It is planned for the instances whose spec is one that it is `needed` for.
    """

    run: StepFunction
    undo: StepFunction | None = None
    within: Within | None = None
    limit: float = 60.0
    needed: Callable[[InstanceSpec], bool] = always

    @property
    def name(self) -> str:
        """What rows, messages and people call the step."""
        return self.run.__name__

    @property
    def undo_name(self) -> str | None:
        """What its reverse is called."""
        return self.undo.__name__ if self.undo else None


@dataclass(frozen=True, kw_only=True)
class Operation:
    """One durable change to an instance.

    `during` is the instance's state while it runs (None: unchanged); `gives` when it succeeded;
    `otherwise` when it failed and `when_cancelled` when it was cancelled (None: as before it).
    A `persistent` operation is tried for ever and can be cancelled only before its first step.
    """

    kind: str
    title: str
    allowed_from: frozenset[InstanceState]
    gives: InstanceState
    steps: tuple[Step, ...]
    during: InstanceState | None = None
    otherwise: InstanceState | None = None
    when_cancelled: InstanceState | None = None
    persistent: bool = False

    def __post_init__(self) -> None:
        undos = [step.undo_name for step in self.steps if step.undo and not self.persistent]
        names = [step.name for step in self.steps] + undos
        if len(names) != len(set(names)):
            raise Bug(f"operation {self.kind} names a step twice: {names}")

    def functions(self) -> dict[str, StepFunction]:
        """Every function that a row of this operation may name: steps first, then their undos."""
        functions = {step.name: step.run for step in self.steps}
        undos = {step.undo.__name__: step.undo for step in reversed(self.steps) if step.undo}
        return functions if self.persistent else {**functions, **undos}

    def unwound(self, kind: str, **changes: Any) -> Operation:
        """The operation that undoes this one's steps, newest first."""
        undos = tuple(Step(step.undo, limit=step.limit) for step in reversed(self.steps) if step.undo)
        return Operation(kind=kind, steps=undos, persistent=True, **changes)
