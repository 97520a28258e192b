"""Turning round: an operation that failed, was cancelled or superseded, and what undoes its steps.

The undo rows are chosen by who was ever claimed; that set only grows with the fence, so each statement
matches the fence that was read, and a claim that slips in between makes it match nothing.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from uuid import UUID

from toygres.errors import Cause
from toygres.store.claims import CLOSE_INSTANCE, EVENT, GRACE_SECONDS
from toygres.store.session import Connection, Store

_UNDONE_LATER = "s.undo IS NOT NULL AND s.undoes IS NULL AND s.first_claimed_at IS NOT NULL"

_TURN = f"""
WITH undos AS (
    SELECT count(*) AS n FROM toygres.steps s WHERE s.operation_id = %(operation)s AND {_UNDONE_LATER}
), turned AS (
    UPDATE toygres.operations o SET
        fence = o.fence + 1, owner = NULL, claimed_at = NULL, lease_until = NULL, not_before = NULL,
        revision = o.revision + 1,
        outcome = %(outcome)s, cause = CAST(%(cause)s AS jsonb), cursor = o.nsteps, nsteps = o.nsteps + undos.n,
        -- Before its first step nothing has happened to a server that runs or is stopped.
        gives = CASE WHEN o.started_at IS NULL AND i.state IN ('ready', 'stopped') THEN i.state
                     WHEN %(outcome)s = 'failed' THEN o.gives_failed ELSE o.gives_cancelled END,
        due_at = CASE WHEN undos.n = 0 THEN NULL ELSE toygres.toygres_now() + make_interval(secs => %(grace)s) END,
        deadline_at = toygres.toygres_now() + make_interval(secs => %(undo_seconds)s),
        state = CASE WHEN undos.n = 0 THEN %(outcome)s ELSE 'undoing' END,
        ended_at = CASE WHEN undos.n = 0 THEN toygres.toygres_now() END
    FROM undos, toygres.instances i
    WHERE i.id = o.instance_id
      AND o.id = %(operation)s AND o.fence = %(fence)s AND o.owner IS NOT DISTINCT FROM CAST(%(worker)s AS integer)
      AND o.ended_at IS NULL AND o.outcome = 'succeeded'
      AND (%(outcome)s <> 'cancelled' OR o.cancel_requested_at IS NOT NULL)
    RETURNING o.*, o.nsteps - undos.n AS first_undo
), stopped AS (
    UPDATE toygres.steps s SET
        state = CASE WHEN s.state = 'pending' OR %(outcome)s = 'cancelled' THEN 'skipped' ELSE 'failed' END,
        ended_at = CASE WHEN s.first_claimed_at IS NOT NULL THEN toygres.toygres_now() END,
        worked = s.worked + (toygres.toygres_now() - coalesce(s.claimed_at, toygres.toygres_now())),
        claimed_at = NULL,
        cause = CASE WHEN s.first_claimed_at IS NOT NULL THEN CAST(%(cause)s AS jsonb) END
    FROM turned o WHERE s.operation_id = o.id AND s.state IN ('pending', 'running', 'waiting')
), appended AS (
    INSERT INTO toygres.steps (operation_id, position, name, undoes, limit_seconds, turn_at)
    SELECT o.id, o.first_undo - 1 + row_number() OVER (ORDER BY s.position DESC), s.undo, s.position,
           s.limit_seconds, CASE WHEN s.position = max(s.position) OVER () THEN toygres.toygres_now() END
    FROM turned o JOIN toygres.steps s ON s.operation_id = o.id WHERE {_UNDONE_LATER}
), instance AS ({CLOSE_INSTANCE.format(source="turned", also="")}
), spent AS (
    DELETE FROM toygres.credentials c USING turned o WHERE c.operation_id = o.id
), event AS ({
    EVENT.format(
        source="turned",
        step="NULL",
        actor="CAST(%(actor)s AS text)",
        kind="CASE WHEN o.ended_at IS NULL THEN 'operation_turned' ELSE 'operation_ended' END",
        data="jsonb_build_object('outcome', o.outcome, 'cause', o.cause)",
    )
})
SELECT ended_at IS NOT NULL AS ended FROM turned
"""

# What couldn't be undone in time becomes an operation of its own that never gives up and holds the instance.
_ABANDON = f"""
WITH abandoned AS (
    UPDATE toygres.operations o SET
        owner = NULL, claimed_at = NULL, lease_until = NULL, revision = o.revision + 1, fence = o.fence + 1,
        state = 'failed', ended_at = toygres.toygres_now(), due_at = NULL, leftovers = CAST(%(leftovers)s AS jsonb)
    WHERE o.id = %(operation)s AND o.fence = %(fence)s AND o.owner IS NOT DISTINCT FROM CAST(%(worker)s AS integer)
      AND o.ended_at IS NULL AND o.outcome <> 'succeeded'
    RETURNING o.*
), left_over AS (
    UPDATE toygres.steps s SET
        state = CASE WHEN s.state = 'pending' THEN 'skipped' ELSE 'failed' END, claimed_at = NULL,
        ended_at = CASE WHEN s.first_claimed_at IS NOT NULL THEN toygres.toygres_now() END,
        cause = CASE WHEN s.first_claimed_at IS NOT NULL THEN CAST(%(cause)s AS jsonb) END
    FROM abandoned o WHERE s.operation_id = o.id AND s.position >= o.cursor
    RETURNING s.position, s.name, s.limit_seconds
), cleanup AS (
    INSERT INTO toygres.operations (id, project, instance_id, kind, gives, gives_failed, gives_cancelled, persistent,
        nsteps, max_attempts, fence, due_at, retry_of, actor, request_id, cause)
    SELECT %(cleanup)s, o.project, o.instance_id, 'cleanup', o.gives, o.gives, o.gives, true,
           (SELECT count(*) FROM left_over), o.max_attempts, o.fence + 1, toygres.toygres_now(), o.id,
           'cleanup', o.request_id, o.cause
    FROM abandoned o RETURNING id
), plan AS (
    INSERT INTO toygres.steps (operation_id, position, name, limit_seconds, turn_at)
    SELECT cleanup.id, row_number() OVER (ORDER BY l.position) - 1, l.name, l.limit_seconds,
           CASE WHEN l.position = min(l.position) OVER () THEN toygres.toygres_now() END
    FROM cleanup CROSS JOIN left_over l
), event AS ({
    EVENT.format(
        source="abandoned",
        step="NULL",
        actor="CAST(%(actor)s AS text)",
        kind="'operation_ended'",
        data="jsonb_build_object('state', o.state, 'leftovers', o.leftovers)",
    )
})
SELECT id FROM cleanup
"""

_SUPERSEDE = f"""
WITH superseded AS (
    UPDATE toygres.operations o SET
        owner = NULL, claimed_at = NULL, lease_until = NULL, revision = o.revision + 1, fence = o.fence + 1,
        state = 'superseded', ended_at = toygres.toygres_now(), due_at = NULL, superseded_by = %(successor)s
    WHERE o.id = %(operation)s AND o.ended_at IS NULL RETURNING o.*
), steps AS (
    UPDATE toygres.steps s SET
        state = 'skipped', claimed_at = NULL,
        ended_at = CASE WHEN s.first_claimed_at IS NOT NULL THEN toygres.toygres_now() END
    FROM superseded o WHERE s.operation_id = o.id AND s.state IN ('pending', 'running', 'waiting')
), spent AS (
    DELETE FROM toygres.credentials c USING superseded o WHERE c.operation_id = o.id
)
{
    EVENT.format(
        source="superseded",
        step="NULL",
        actor="CAST(%(actor)s AS text)",
        kind="'operation_ended'",
        data="jsonb_build_object('state', o.state, 'superseded_by', CAST(%(successor)s AS text))",
    )
}
"""


def turn_round(
    store: Store,
    operation: UUID,
    fence: int,
    outcome: str,
    cause: Cause,
    *,
    worker: int | None,
    actor: str,
    undo_seconds: float,
) -> bool:
    """Head for `outcome` ('failed', 'cancelled') and append the undo of every step that was ever claimed.

    `worker` is who holds the claim, None where nobody may. False when that is no longer so.
    """
    row = store.one(
        _TURN,
        operation=operation,
        fence=fence,
        outcome=outcome,
        cause=json.dumps(cause.to_json()),
        worker=worker,
        actor=actor,
        undo_seconds=undo_seconds,
        grace=GRACE_SECONDS,
    )
    return row is not None


def abandon(
    store: Store,
    operation: UUID,
    fence: int,
    cause: Cause,
    leftovers: Sequence[str],
    *,
    cleanup: UUID,
    worker: int | None,
    actor: str,
) -> bool:
    """End `failed` with what is left, and open the operation `cleanup` that goes on.

    `worker` is who holds the claim, None where nobody may. False when that is no longer so.
    """
    row = store.one(
        _ABANDON,
        operation=operation,
        fence=fence,
        worker=worker,
        actor=actor,
        cause=json.dumps(cause.to_json()),
        leftovers=json.dumps(list(leftovers)),
        cleanup=cleanup,
    )
    return row is not None


def supersede(connection: Connection, operation: UUID, successor: UUID, actor: str) -> bool:
    """End an open operation because another one, of the same instance, takes its place; False when it has ended."""
    values = {"operation": operation, "successor": successor, "actor": actor}
    return connection.execute(_SUPERSEDE, values).rowcount > 0
