"""Operations and their steps: written whole at request time, read by everyone who wants to know."""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from toygres.domain import ids
from toygres.domain.operation import OperationState, StepState
from toygres.domain.records import OperationRecord, Page, StepRecord
from toygres.errors import Cause, NotFound
from toygres.store.claims import GRACE_SECONDS
from toygres.store.session import Connection, Row, Store

# Waited is what is left of the time since the step's turn came when its work is taken away.
# Named, since a prepared `SELECT *` fails once a newer version of Toygres has added a column.
_COLUMNS = """
o.id, o.kind, o.state, o.instance_id, o.project, o.actor, o.request_id, o.retry_of, o.superseded_by, o.revision,
o.created_at, o.started_at, o.ended_at, o.deadline_at, o.cancel_requested_at, o.cause, o.leftovers,
i.name AS instance_name, (
    SELECT coalesce(jsonb_agg(jsonb_build_object(
        'position', s.position, 'name', s.name, 'state', s.state, 'attempts', s.attempts, 'looks', s.looks,
        'undoes', (SELECT u.name FROM toygres.steps u WHERE u.operation_id = o.id AND u.position = s.undoes),
        'worked', extract(epoch FROM s.worked + coalesce(toygres.toygres_now() - s.claimed_at, '0')),
        'total', coalesce(extract(epoch FROM coalesce(s.ended_at, o.ended_at, toygres.toygres_now()) - s.turn_at), 0),
        'started_at', s.first_claimed_at, 'ended_at', s.ended_at, 'cause', s.cause, 'told', s.told,
        'login_seconds', s.login_seconds
    ) ORDER BY s.position), '[]') FROM toygres.steps s WHERE s.operation_id = o.id
) AS steps
"""
_FROM = "FROM toygres.operations o JOIN toygres.instances i ON i.id = o.instance_id"
_BY_ID = f"SELECT {_COLUMNS} {_FROM} WHERE o.project = %(project)s AND o.id = %(id)s"
_PAGE = f"""
SELECT {_COLUMNS} {_FROM}
WHERE o.project = %(project)s AND (CAST(%(instance)s AS uuid) IS NULL OR o.instance_id = %(instance)s)
  AND (CAST(%(before)s AS uuid) IS NULL OR o.id < %(before)s)
ORDER BY o.id DESC LIMIT %(limit)s
"""
# An operation of the same instance begins above every fence that its objects have seen.
_INSERT = """
INSERT INTO toygres.operations (id, project, instance_id, kind, gives, gives_failed, gives_cancelled, persistent,
    nsteps, max_attempts, fence, due_at, deadline_at, retry_of, supersedes, actor, request_id, cause)
VALUES (%(id)s, %(project)s, %(instance_id)s, %(kind)s, %(gives)s, %(gives_failed)s, %(gives_cancelled)s,
    %(persistent)s, %(nsteps)s, %(max_attempts)s,
    1 + coalesce((SELECT max(fence) FROM toygres.operations WHERE instance_id = %(instance_id)s), 0),
    toygres.toygres_now() + make_interval(secs => %(grace)s),
    toygres.toygres_now() + make_interval(secs => CAST(%(deadline_seconds)s AS double precision)),
    %(retry_of)s, %(supersedes)s, %(actor)s, %(request_id)s, CAST(%(cause)s AS jsonb))
"""
_INSERT_STEP = """
INSERT INTO toygres.steps (operation_id, position, name, undo, within_seconds, limit_seconds, turn_at)
VALUES (%(operation_id)s, %(position)s, %(name)s, %(undo)s, %(within_seconds)s, %(limit_seconds)s,
        CASE WHEN %(position)s = 0 THEN toygres.toygres_now() END)
"""
_REQUESTED = """
INSERT INTO toygres.events (project, instance_id, operation_id, actor, kind, data)
SELECT project, instance_id, id, actor, 'operation_requested', jsonb_build_object('kind', kind, 'cause', cause)
FROM toygres.operations WHERE id = %(id)s
"""
_CANCEL = """
WITH cancelled AS (
    UPDATE toygres.operations o SET cancel_requested_at = toygres.toygres_now(), revision = o.revision + 1
    WHERE o.id = %(id)s AND o.project = %(project)s AND o.ended_at IS NULL AND o.outcome = 'succeeded'
      AND o.cancel_requested_at IS NULL AND o.kind <> 'cleanup'
      AND (NOT o.persistent OR (o.started_at IS NULL
           -- What it took the place of has ended: without it nobody would go on with the instance.
           AND o.supersedes IS NULL))
    RETURNING o.*
)
INSERT INTO toygres.events (project, instance_id, operation_id, actor, kind)
SELECT project, instance_id, id, %(actor)s, 'cancel_requested' FROM cancelled
"""


@dataclass(frozen=True, kw_only=True)
class PlannedStep:
    """A step as the ledger keeps it; the plan is data, so that it outlives an edit of the declaration."""

    name: str
    undo: str | None
    within_seconds: float | None
    limit_seconds: float


@dataclass(frozen=True, kw_only=True)
class Plan:
    """Everything that is decided about an operation when it is requested."""

    id: UUID
    project: str
    instance_id: UUID
    kind: str
    gives: str
    gives_failed: str
    gives_cancelled: str
    persistent: bool
    max_attempts: int
    deadline_seconds: float | None
    actor: str
    request_id: str
    steps: tuple[PlannedStep, ...]
    retry_of: UUID | None = None
    supersedes: UUID | None = None
    cause: Cause | None = None


@dataclass(frozen=True, kw_only=True)
class Standing:
    """Where an open operation stands, as far as the engine must know."""

    fence: int
    held: bool
    cancelled: bool
    turned: bool


@dataclass(frozen=True, kw_only=True)
class CurrentStep:
    """The step whose turn it is."""

    name: str
    cause: Cause | None
    instance_id: UUID


def insert(connection: Connection, plan: Plan) -> None:
    """Write the operation with all its steps."""
    connection.execute(_INSERT, _values(plan))
    connection.cursor().executemany(
        _INSERT_STEP,
        [
            {
                "operation_id": plan.id,
                "position": position,
                "name": step.name,
                "undo": step.undo,
                "within_seconds": step.within_seconds,
                "limit_seconds": step.limit_seconds,
            }
            for position, step in enumerate(plan.steps)
        ],
    )
    connection.execute(_REQUESTED, {"id": plan.id})


def open_of(connection: Connection, instance_id: UUID) -> tuple[UUID, str] | None:
    """The ID and kind of the instance's open operation; None when nothing is going on."""
    row = connection.execute(
        "SELECT id, kind FROM toygres.operations WHERE instance_id = %(id)s AND ended_at IS NULL",
        {"id": instance_id},
    ).fetchone()
    return (row.id, row.kind) if row else None


def newest_after(connection: Connection, operation_id: UUID) -> tuple[UUID, str] | None:
    """The ID and kind of the last thing that was ordered for the instance after this operation; None when it is last.

    Cleanups aren't ordered. An operation begins above every fence of those before it, whatever the clocks said.
    """
    row = connection.execute(
        """SELECT n.id, n.kind FROM toygres.operations o
               JOIN toygres.operations n ON n.instance_id = o.instance_id AND n.fence > o.fence
               WHERE o.id = %(id)s AND n.kind <> 'cleanup' ORDER BY n.fence DESC LIMIT 1""",
        {"id": operation_id},
    ).fetchone()
    return (row.id, row.kind) if row else None


def count_since_others(connection: Connection, instance_id: UUID, actor: str, seconds: float) -> int:
    """How many operations `actor` ordered for the instance in the last `seconds`, and since anybody else did."""
    [row] = connection.execute(
        """SELECT count(*) AS n FROM toygres.operations o WHERE o.instance_id = %(instance)s AND o.actor = %(actor)s
                AND o.created_at > toygres.toygres_now() - make_interval(secs => %(seconds)s)
                AND o.fence > (SELECT coalesce(max(p.fence), 0) FROM toygres.operations p
                               WHERE p.instance_id = %(instance)s AND p.actor <> %(actor)s AND p.kind <> 'cleanup')""",
        {"instance": instance_id, "actor": actor, "seconds": seconds},
    ).fetchall()
    return int(row.n)


def get(store: Store, project: str, operation_id: str) -> OperationRecord:
    """The operation with this ID. Raises NotFound."""
    identity = ids.parse(ids.OPERATION, operation_id)
    row = store.one(_BY_ID, project=project, id=identity) if identity else None
    if row is None:
        raise NotFound(f"There is no operation {operation_id!r}.", "`toygres operations` shows those that exist.")
    return _record(row)


def find(store: Store, project: str, operation_id: UUID) -> OperationRecord:
    """The operation with this ID. Raises NotFound."""
    return get(store, project, ids.shown(ids.OPERATION, operation_id))


def list_page(
    store: Store, project: str, limit: int, cursor: str | None, instance: UUID | None = None
) -> Page[OperationRecord]:
    """The newest operations first, of one instance or of all. Raises Invalid for a bad cursor."""
    before = ids.parse_cursor(ids.OPERATION, cursor)
    rows = store.all(_PAGE, project=project, instance=instance, before=before, limit=limit + 1)
    items = tuple(_record(row) for row in rows[:limit])
    more = ids.shown(ids.OPERATION, items[-1].id) if len(rows) > limit else None
    return Page(items=items, next_cursor=more)


def request_cancel(store: Store, project: str, operation_id: UUID, actor: str) -> bool:
    """Ask that the operation be cancelled at its next boundary; False when it can't be any more."""
    return store.run(_CANCEL, id=operation_id, project=project, actor=actor) > 0


def revision(store: Store, operation_id: UUID) -> int | None:
    """How often the operation has changed; None when there is no such operation."""
    row = store.one("SELECT revision FROM toygres.operations WHERE id = %(id)s", id=operation_id)
    return row.revision if row else None


def remaining(store: Store, operation_id: UUID) -> tuple[str, ...]:
    """The names of the steps that are left, in order; empty when the operation ended."""
    rows = store.all(
        """SELECT s.name FROM toygres.steps s JOIN toygres.operations o ON o.id = s.operation_id
           WHERE o.id = %(id)s AND o.ended_at IS NULL AND s.position >= o.cursor ORDER BY s.position""",
        id=operation_id,
    )
    return tuple(row.name for row in rows)


def current_step(store: Store, operation_id: UUID) -> CurrentStep | None:
    """The step whose turn it is, and what it last waited for; None when the operation has ended."""
    row = store.one(
        """SELECT s.name, s.cause, o.instance_id FROM toygres.operations o
           JOIN toygres.steps s ON s.operation_id = o.id AND s.position = least(o.cursor, o.nsteps - 1)
           WHERE o.id = %(id)s AND o.ended_at IS NULL""",
        id=operation_id,
    )
    if row is None:
        return None
    cause = Cause.from_json(row.cause) if row.cause else None
    return CurrentStep(name=row.name, cause=cause, instance_id=row.instance_id)


def standing(store: Store, operation_id: UUID) -> Standing | None:
    """Where the operation stands; None when it ended or never was."""
    row = store.one(
        """SELECT fence, owner IS NOT NULL AS held, cancel_requested_at IS NOT NULL AS cancelled,
                  outcome <> 'succeeded' AS turned
           FROM toygres.operations WHERE id = %(id)s AND ended_at IS NULL""",
        id=operation_id,
    )
    return Standing(fence=row.fence, held=row.held, cancelled=row.cancelled, turned=row.turned) if row else None


def _values(plan: Plan) -> dict[str, Any]:
    return {
        "id": plan.id,
        "project": plan.project,
        "instance_id": plan.instance_id,
        "kind": plan.kind,
        "gives": plan.gives,
        "gives_failed": plan.gives_failed,
        "gives_cancelled": plan.gives_cancelled,
        "persistent": plan.persistent,
        "nsteps": len(plan.steps),
        "max_attempts": plan.max_attempts,
        "grace": GRACE_SECONDS,
        "deadline_seconds": plan.deadline_seconds,
        "retry_of": plan.retry_of,
        "supersedes": plan.supersedes,
        "actor": plan.actor,
        "request_id": plan.request_id,
        "cause": json.dumps(plan.cause.to_json()) if plan.cause else None,
    }


def _record(row: Row) -> OperationRecord:
    return OperationRecord(
        id=row.id,
        kind=row.kind,
        state=OperationState(row.state),
        instance_id=row.instance_id,
        instance_name=row.instance_name,
        project=row.project,
        actor=row.actor,
        request_id=row.request_id,
        retry_of=row.retry_of,
        superseded_by=row.superseded_by,
        revision=row.revision,
        created_at=row.created_at,
        started_at=row.started_at,
        ended_at=row.ended_at,
        deadline_at=row.deadline_at,
        cancel_requested_at=row.cancel_requested_at,
        cause=Cause.from_json(row.cause) if row.cause else None,
        leftovers=tuple(row.leftovers),
        steps=tuple(_step(step) for step in row.steps),
    )


def _step(stored: dict[str, Any]) -> StepRecord:
    worked = float(stored["worked"])
    return StepRecord(
        position=stored["position"],
        name=stored["name"],
        undoes=stored["undoes"],
        state=StepState(stored["state"]),
        attempts=stored["attempts"],
        looks=stored["looks"],
        waited_seconds=round(max(0.0, float(stored["total"]) - worked), 3),
        worked_seconds=round(worked, 3),
        started_at=_time(stored["started_at"]),
        ended_at=_time(stored["ended_at"]),
        cause=Cause.from_json(stored["cause"]) if stored["cause"] else None,
        told=stored["told"],
        login_seconds=stored["login_seconds"],
    )


def _time(stored: str | None) -> datetime | None:
    return datetime.fromisoformat(stored) if stored else None
