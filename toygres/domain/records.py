"""Operations, their steps and events as the ledger's rows say: what people and programs are shown."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Generic, TypeVar
from uuid import UUID

from toygres.domain.operation import OperationState, StepState
from toygres.errors import Cause

Item = TypeVar("Item")


@dataclass(frozen=True, kw_only=True)
class StepRecord:
    """One step of one operation.

    `attempts` counts the times it was tried, `looks` the times it wasn't time yet; `waited_seconds` and
    `worked_seconds` split the time since its turn came; `undoes` names the step that it undoes;
    `told` is how it went, in its own words; `login_seconds` is how long a login took that it made.
    """

    position: int
    name: str
    undoes: str | None
    state: StepState
    attempts: int
    looks: int
    waited_seconds: float
    worked_seconds: float
    started_at: datetime | None
    ended_at: datetime | None
    cause: Cause | None
    told: str | None = None
    login_seconds: float | None = None


@dataclass(frozen=True, kw_only=True)
class OperationRecord:
    """One operation and its steps, in order, those to come included; `revision` grows with every change."""

    id: UUID
    kind: str
    state: OperationState
    instance_id: UUID
    instance_name: str
    project: str
    actor: str
    request_id: str
    retry_of: UUID | None
    superseded_by: UUID | None
    revision: int
    created_at: datetime
    started_at: datetime | None
    ended_at: datetime | None
    deadline_at: datetime | None
    cancel_requested_at: datetime | None
    cause: Cause | None
    leftovers: tuple[str, ...]
    steps: tuple[StepRecord, ...]


@dataclass(frozen=True, kw_only=True)
class EventRecord:
    """One thing that happened; events are never changed. `place` is where a reader goes on."""

    xid: int
    position: int
    id: UUID
    at: datetime
    project: str
    instance_id: UUID | None
    operation_id: UUID | None
    step: str | None
    actor: str
    kind: str
    data: Mapping[str, object]

    @property
    def place(self) -> tuple[int, int]:
        """Behind which the next events are."""
        return self.xid, self.position


@dataclass(frozen=True, kw_only=True)
class Page(Generic[Item]):
    """Some of a list's items, and where the next ones begin."""

    items: tuple[Item, ...]
    next_cursor: str | None
