"""Claims: who may run a step. Every change is one statement whose WHERE holds its invariant.

A step is claimed when it is its turn and nobody holds the operation; whoever writes afterwards must still
hold it, which the fence tells: it grows with each claim, so a worker that lost one can't write.
"""

from __future__ import annotations

import json
from collections.abc import Collection
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from toygres.domain.instance import Instance
from toygres.errors import Cause
from toygres.store import instances
from toygres.store.session import Row, Store

# Seconds after which the sweep publishes what an event or a message should have carried on.
GRACE_SECONDS = 3.0
# The most seconds between two attempts.
LONGEST_PAUSE_SECONDS = 300.0
# Seconds between looks at a parked step while an observer is there to wake it sooner; up to twice as many, so that
# what was parked together isn't looked at together.
LOOK_AGAIN_SECONDS = 120.0
# No wait is as long: what lies further ahead was written before the clock stepped back.
AHEAD = "interval '15 minutes'"


@dataclass(frozen=True, kw_only=True)
class Claim:
    """The right to run one step, and what its holder must know.

    `outages` is how often in a row its platform didn't answer; `turned` says that the operation is being undone;
    `overdue` that its deadline has passed; `limit_seconds` is when the claim ends by itself.
    """

    operation_id: UUID
    kind: str
    position: int
    step: str
    fence: int
    worker: int
    wakes: int
    attempts: int
    max_attempts: int
    limit_seconds: float
    outages: int
    turned: bool
    persistent: bool
    overdue: bool
    waited_for: Cause | None
    request_id: str
    instance: Instance


@dataclass(frozen=True, kw_only=True)
class Ending:
    """What a statement left behind: whether the operation ended, and whether it was told to cancel."""

    ended: bool
    cancelled: bool = False
    woken: bool = False


# An operation that ended gives its instance a state, and its name and port back when nothing is left.
CLOSE_INSTANCE = """
    UPDATE toygres.instances i SET
        state = o.gives,
        observed_generation = CASE WHEN o.state = 'succeeded' THEN i.generation ELSE i.observed_generation END,
        endpoint = CASE WHEN o.gives IN ('deleted', 'failed') THEN NULL ELSE i.endpoint END,
        available = o.gives = 'ready' AND o.state = 'succeeded', checked_at = NULL,
        available_since = toygres.toygres_now(),
        available_cause = CASE WHEN o.state <> 'succeeded' THEN o.cause END,
        released_at = CASE WHEN o.gives IN ('deleted', 'failed')
                           THEN coalesce(i.released_at, toygres.toygres_now()) END,
        updated_at = toygres.toygres_now(){also}
    FROM {source} o WHERE i.id = o.instance_id AND o.ended_at IS NOT NULL
"""

EVENT = """
    INSERT INTO toygres.events (project, instance_id, operation_id, step, actor, kind, data)
    SELECT o.project, o.instance_id, o.id, {step}, {actor}, {kind}, {data} FROM {source} o
"""

_CLAIM = f"""
WITH claimed AS (
    UPDATE toygres.operations o SET
        fence = o.fence + 1, owner = %(worker)s, claimed_at = toygres.toygres_now(),
        lease_until = toygres.toygres_now() + make_interval(secs => s.limit_seconds),
        due_at = toygres.toygres_now() + make_interval(secs => s.limit_seconds),
        unclaimed = 0, not_before = NULL, revision = o.revision + 1,
        started_at = coalesce(o.started_at, toygres.toygres_now()),
        state = CASE WHEN o.outcome = 'succeeded' THEN 'running' ELSE 'undoing' END
    FROM toygres.steps s
    WHERE o.id = %(operation)s AND s.operation_id = o.id AND s.position = o.cursor AND s.name = %(step)s
      AND o.ended_at IS NULL AND (o.owner IS NULL OR o.lease_until < toygres.toygres_now())
      AND (o.not_before IS NULL OR o.not_before <= toygres.toygres_now()
           OR o.not_before > toygres.toygres_now() + {AHEAD})
      AND (o.cancel_requested_at IS NULL OR o.outcome <> 'succeeded')
      AND EXISTS (SELECT FROM toygres.workers w WHERE w.id = %(worker)s)
    RETURNING o.*
), step AS (
    UPDATE toygres.steps s SET
        state = 'running', attempts = s.attempts + 1, claimed_at = toygres.toygres_now(),
        excused = s.excused + coalesce(toygres.toygres_now() - s.away_since, '0'), away_since = NULL,
        first_claimed_at = coalesce(s.first_claimed_at, toygres.toygres_now())
    FROM claimed o WHERE s.operation_id = o.id AND s.position = o.cursor
    RETURNING s.attempts, s.outages, s.cause AS waited_for, s.limit_seconds
), instance AS (
    UPDATE toygres.instances i SET state = 'creating', updated_at = toygres.toygres_now()
    FROM claimed o WHERE i.id = o.instance_id AND i.state = 'requested' RETURNING i.id
), event AS ({
    EVENT.format(
        source="claimed",
        step="CAST(%(step)s AS text)",
        actor="'worker:' || %(worker)s",
        kind="'step_claimed'",
        data="jsonb_build_object('fence', o.fence, 'attempt', (SELECT attempts FROM step))",
    )
})
SELECT o.kind AS operation_kind, o.cursor, o.fence AS claim_fence, o.wakes, o.outcome, o.persistent,
       o.max_attempts, o.request_id, coalesce(o.deadline_at < toygres.toygres_now(), false) AS overdue,
       step.attempts, step.outages, step.waited_for, step.limit_seconds, {instances.COLUMNS}
FROM claimed o CROSS JOIN step JOIN toygres.instances i ON i.id = o.instance_id
"""

# Whoever writes must still hold the claim that it was given.
_HOLDS = """
    o.id = %(operation)s AND o.cursor = %(position)s AND o.fence = %(fence)s AND o.owner = %(worker)s
    AND o.ended_at IS NULL"""
_LET_GO = "owner = NULL, claimed_at = NULL, lease_until = NULL, revision = o.revision + 1"
_WORKED = "s.worked + (toygres.toygres_now() - coalesce(s.claimed_at, toygres.toygres_now()))"

# A login is the last step of whatever has one, so that its time reaches the instance as it is closed.
_FINISH = f"""
WITH finished AS (
    UPDATE toygres.operations o SET
        {_LET_GO}, cursor = o.cursor + 1,
        due_at = CASE WHEN o.cursor + 1 = o.nsteps AND (o.cancel_requested_at IS NULL OR o.outcome <> 'succeeded')
                      THEN NULL ELSE toygres.toygres_now() + make_interval(secs => %(grace)s) END,
        ended_at = CASE WHEN o.cursor + 1 = o.nsteps AND (o.cancel_requested_at IS NULL OR o.outcome <> 'succeeded')
                        THEN toygres.toygres_now() END,
        state = CASE WHEN o.cursor + 1 = o.nsteps AND (o.cancel_requested_at IS NULL OR o.outcome <> 'succeeded')
                     THEN o.outcome WHEN o.outcome = 'succeeded' THEN 'running' ELSE 'undoing' END
    WHERE {_HOLDS} RETURNING o.*
), step AS (
    UPDATE toygres.steps s SET
        state = 'done', ended_at = toygres.toygres_now(), worked = {_WORKED}, claimed_at = NULL, cause = NULL,
        told = CAST(nullif(%(told)s, '') AS text), login_seconds = CAST(%(login_seconds)s AS double precision)
    FROM finished o WHERE s.operation_id = o.id AND s.position = o.cursor - 1 RETURNING s.name, s.undoes
), undone AS (
    UPDATE toygres.steps s SET state = 'undone'
    FROM finished o, step WHERE s.operation_id = o.id AND s.position = step.undoes
), next AS (
    UPDATE toygres.steps s SET turn_at = toygres.toygres_now()
    FROM finished o WHERE s.operation_id = o.id AND s.position = o.cursor
), instance AS ({
    CLOSE_INSTANCE.format(
        source="finished",
        also=", login_seconds = coalesce(CAST(%(login_seconds)s AS double precision), i.login_seconds)",
    )
}
), spent AS (
    DELETE FROM toygres.credentials c USING finished o, step
    WHERE c.operation_id = o.id AND (o.ended_at IS NOT NULL OR step.name = 'apply_credentials')
), event AS ({
    EVENT.format(
        source="finished",
        step="(SELECT name FROM step)",
        actor="'worker:' || %(worker)s",
        kind="CASE WHEN o.ended_at IS NULL THEN 'step_done' ELSE 'operation_ended' END",
        data="jsonb_build_object('state', o.state)",
    )
})
SELECT ended_at IS NOT NULL AS ended, cancel_requested_at IS NOT NULL AND outcome = 'succeeded' AS cancelled
FROM finished
"""

# A wake that came since the claim means: look again now.
_PARK = f"""
WITH parked AS (
    UPDATE toygres.operations o SET
        {_LET_GO}, state = CASE WHEN o.outcome = 'succeeded' THEN 'waiting' ELSE 'undoing' END,
        due_at = least(
            toygres.toygres_now()
                + make_interval(secs => CASE WHEN o.wakes = %(wakes)s THEN %(later)s * (1 + random()) ELSE 0 END),
            CASE WHEN %(bounded)s THEN s.first_claimed_at + s.excused + make_interval(secs => s.within_seconds) END,
            o.deadline_at)
    FROM toygres.steps s
    WHERE {_HOLDS} AND s.operation_id = o.id AND s.position = o.cursor
      AND (s.within_seconds IS NULL OR NOT %(bounded)s
           OR s.first_claimed_at + s.excused + make_interval(secs => s.within_seconds) > toygres.toygres_now())
    RETURNING o.*, s.cause AS last_cause
), step AS (
    UPDATE toygres.steps s SET
        state = 'waiting', attempts = s.attempts - 1, looks = s.looks + 1, worked = {_WORKED}, claimed_at = NULL,
        cause = CAST(%(cause)s AS jsonb), outages = 0
    FROM parked o WHERE s.operation_id = o.id AND s.position = o.cursor RETURNING s.name
), event AS ({
    EVENT.format(
        source="parked",
        step="(SELECT name FROM step)",
        actor="'worker:' || %(worker)s",
        kind="'step_waiting'",
        data="CAST(%(cause)s AS jsonb)",
    )
} WHERE o.last_cause IS DISTINCT FROM CAST(%(cause)s AS jsonb))
SELECT false AS ended, cancel_requested_at IS NOT NULL AND outcome = 'succeeded' AS cancelled,
       wakes <> %(wakes)s AS woken
FROM parked
"""

_TRY_LATER = f"""
WITH failed AS (
    UPDATE toygres.operations o SET
        {_LET_GO}, state = CASE WHEN o.outcome = 'succeeded' THEN 'waiting' ELSE 'undoing' END,
        due_at = least(toygres.toygres_now() + make_interval(secs => %(later)s), o.deadline_at),
        not_before = least(toygres.toygres_now() + make_interval(secs => %(later)s), o.deadline_at)
    WHERE {_HOLDS} RETURNING o.*
), step AS (
    UPDATE toygres.steps s SET
        state = 'waiting', worked = {_WORKED}, claimed_at = NULL, cause = CAST(%(cause)s AS jsonb),
        attempts = s.attempts - %(forgiven)s, outages = (s.outages + 1) * %(forgiven)s,
        away_since = CASE WHEN %(forgiven)s = 1 THEN s.claimed_at END
    FROM failed o WHERE s.operation_id = o.id AND s.position = o.cursor RETURNING s.name
), event AS ({
    EVENT.format(
        source="failed",
        step="(SELECT name FROM step)",
        actor="'worker:' || %(worker)s",
        kind="'attempt_failed'",
        data="CAST(%(cause)s AS jsonb)",
    )
})
SELECT false AS ended, cancel_requested_at IS NOT NULL AND outcome = 'succeeded' AS cancelled FROM failed
"""

_HAND_BACK = f"""
WITH handed AS (
    UPDATE toygres.operations o SET
        {_LET_GO}, due_at = toygres.toygres_now() + make_interval(secs => %(later)s),
        not_before = toygres.toygres_now() + make_interval(secs => %(later)s),
        state = CASE WHEN o.outcome = 'succeeded' THEN 'waiting' ELSE 'undoing' END
    WHERE {_HOLDS} RETURNING o.*
)
UPDATE toygres.steps s SET
    state = 'waiting', attempts = s.attempts - 1, worked = {_WORKED}, claimed_at = NULL,
    cause = CAST(%(cause)s AS jsonb)
FROM handed o WHERE s.operation_id = o.id AND s.position = o.cursor
"""

# Locked in one order, since every worker's sweep frees what it finds. A step that keeps killing its worker has used
# up its attempts; where it must be tried for ever, it waits longer each time, or it would kill one worker a second.
# Due before all else: its message was taken, so it needn't be looked for among those that wait.
_FREE = f"""
WITH lost AS MATERIALIZED (
    SELECT o.id FROM toygres.operations o WHERE o.owner IS NOT NULL AND ({{lost}}) ORDER BY o.id FOR UPDATE
), pause AS (
    SELECT s.operation_id AS id, s.name AS step,
           CASE WHEN {{forgiven}} = 0 AND s.attempts >= o.max_attempts AND (o.persistent OR o.outcome <> 'succeeded')
           THEN least({LONGEST_PAUSE_SECONDS}, 2 ^ least(s.attempts - o.max_attempts, 10)) ELSE 0 END AS seconds
    FROM lost JOIN toygres.operations o ON o.id = lost.id
    JOIN toygres.steps s ON s.operation_id = o.id AND s.position = o.cursor
), freed AS (
    UPDATE toygres.operations o SET
        {_LET_GO},
        due_at = CASE WHEN pause.seconds > 0 THEN
            least(toygres.toygres_now() + make_interval(secs => pause.seconds), o.deadline_at) ELSE to_timestamp(0) END,
        not_before = CASE WHEN pause.seconds > 0 THEN
            least(toygres.toygres_now() + make_interval(secs => pause.seconds), o.deadline_at) END,
        state = CASE WHEN o.outcome = 'succeeded' THEN 'waiting' ELSE 'undoing' END
    FROM pause WHERE o.id = pause.id RETURNING o.*, pause.step
), step AS (
    UPDATE toygres.steps s SET
        state = 'waiting', worked = {_WORKED}, claimed_at = NULL, cause = CAST(%(cause)s AS jsonb),
        attempts = s.attempts - {{forgiven}}
    FROM freed o WHERE s.operation_id = o.id AND s.position = o.cursor
), event AS ({
    EVENT.format(source="freed", step="o.step", actor="'sweep'", kind="'claim_lost'", data="CAST(%(cause)s AS jsonb)")
})
SELECT id FROM freed
"""


def claim(store: Store, worker: int, operation: UUID, step: str) -> Claim | None:
    """Take the step, or None when it isn't its turn, somebody holds it, or the worker isn't known."""
    row = store.one(_CLAIM, worker=worker, operation=operation, step=step)
    if row is None:
        return None
    return Claim(
        operation_id=operation,
        kind=row.operation_kind,
        position=row.cursor,
        step=step,
        fence=row.claim_fence,
        worker=worker,
        wakes=row.wakes,
        attempts=row.attempts,
        max_attempts=row.max_attempts,
        limit_seconds=row.limit_seconds,
        outages=row.outages,
        turned=row.outcome != "succeeded",
        persistent=row.persistent,
        overdue=row.overdue,
        waited_for=Cause.from_json(row.waited_for) if row.waited_for else None,
        request_id=row.request_id,
        instance=instances.from_row(row),
    )


def is_held(store: Store, held: Claim) -> bool:
    """Whether the claim is still its holder's. Raises Unavailable."""
    return store.one(f"SELECT o.id FROM toygres.operations o WHERE {_HOLDS}", **_match(held)) is not None


def finish(store: Store, held: Claim, told: str = "", login_seconds: float | None = None) -> Ending | None:
    """The step is done, and tells how it went, and how long a login took; the last one gives the instance its state.

    None when the claim was lost.
    """
    values = {"grace": GRACE_SECONDS, "told": told, "login_seconds": login_seconds}
    return _ending(store.one(_FINISH, **_match(held), **values))


def park(
    store: Store, held: Claim, cause: Cause, later: float = LOOK_AGAIN_SECONDS, *, bounded: bool = True
) -> Ending | None:
    """Give the slot back and look again in `later` to twice as many seconds, or when woken.

    None when the claim was lost, or, where the wait is `bounded`, when the step's `within` has passed.
    """
    values = {"wakes": held.wakes, "later": later, "bounded": bounded, "cause": _json(cause)}
    return _ending(store.one(_PARK, **_match(held), **values))


def try_later(store: Store, held: Claim, cause: Cause, later: float, *, forgiven: bool = False) -> Ending | None:
    """The attempt failed; the next may begin in `later` seconds, and one that is `forgiven` doesn't count.

    None when the claim was lost.
    """
    values = {"later": later, "cause": _json(cause), "forgiven": int(forgiven)}
    return _ending(store.one(_TRY_LATER, **_match(held), **values))


def hand_back(store: Store, held: Claim, cause: Cause, later: float) -> bool:
    """Give the claim back unused, so that another worker takes it in `later` seconds; False when it was lost."""
    return store.run(_HAND_BACK, **_match(held), later=later, cause=_json(cause)) > 0


def free_lapsed(store: Store, cause: Cause) -> list[UUID]:
    """Take away every claim whose step's time limit has passed."""
    lost = f"o.lease_until < toygres.toygres_now() OR o.claimed_at > toygres.toygres_now() + {AHEAD}"
    return [row.id for row in store.all(_FREE.format(lost=lost, forgiven=0), cause=_json(cause))]


def free_of_dead(store: Store, cause: Cause) -> list[UUID]:
    """Take away every claim of a worker that is no longer registered."""
    lost = "NOT EXISTS (SELECT FROM toygres.workers w WHERE w.id = o.owner)"
    return [row.id for row in store.all(_FREE.format(lost=lost, forgiven=0), cause=_json(cause))]


def free_forgotten(store: Store, worker: int, held: Collection[UUID], cause: Cause) -> list[UUID]:
    """Take away what `worker` has but doesn't know of, so that a live worker can't hold it for ever.

    `held` must have been read after the worker's last beat: what was claimed since then isn't judged.
    """
    lost = """o.owner = %(worker)s AND o.id <> ALL(%(held)s)
        AND o.claimed_at < (SELECT w.seen_at FROM toygres.workers w WHERE w.id = %(worker)s)"""
    statement = _FREE.format(lost=lost, forgiven=1)
    return [row.id for row in store.all(statement, worker=worker, held=list(held), cause=_json(cause))]


def free_all_of(store: Store, worker: int, cause: Cause) -> list[UUID]:
    """Take away all that a worker holds which says that it stops; none of it counts as an attempt."""
    statement = _FREE.format(lost="o.owner = %(worker)s", forgiven=1)
    return [row.id for row in store.all(statement, worker=worker, cause=_json(cause))]


def _match(held: Claim) -> dict[str, Any]:
    return {
        "operation": held.operation_id,
        "position": held.position,
        "fence": held.fence,
        "worker": held.worker,
    }


def _ending(row: Row | None) -> Ending | None:
    if row is None:
        return None
    return Ending(ended=row.ended, cancelled=row.cancelled, woken=getattr(row, "woken", False))


def _json(cause: Cause) -> str:
    return json.dumps(cause.to_json())
