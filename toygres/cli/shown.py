"""Operations from the ledger in the form that the API answers, in which everything here shows them."""

from __future__ import annotations

from typing import Any

from toygres.domain import ids
from toygres.domain.records import OperationRecord, StepRecord
from toygres.errors import Cause
from toygres.operations import OPERATIONS

Json = dict[str, Any]


def shown(found: OperationRecord) -> Json:
    """As much of it as is shown to a person."""
    title = OPERATIONS[found.kind].title if found.kind in OPERATIONS else "Remove what a failed operation left behind"
    return {
        "id": ids.shown(ids.OPERATION, found.id),
        "kind": found.kind,
        "title": title,
        "state": found.state.value,
        "instance": {"id": ids.shown(ids.INSTANCE, found.instance_id), "name": found.instance_name},
        "cause": _cause(found.cause),
        "leftovers": list(found.leftovers),
        "steps": [_step(step) for step in found.steps],
    }


def _step(step: StepRecord) -> Json:
    return {
        "position": step.position,
        "name": step.name,
        "undoes": step.undoes,
        "state": step.state.value,
        "attempts": step.attempts,
        "waited_seconds": step.waited_seconds,
        "worked_seconds": step.worked_seconds,
        "cause": _cause(step.cause),
        "told": step.told,
        "login_seconds": step.login_seconds,
    }


def _cause(cause: Cause | None) -> Json | None:
    return cause.to_json() if cause else None
