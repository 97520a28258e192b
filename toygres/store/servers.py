"""What `up` itself writes of the servers on its machine: those it found gone, and those it ended."""

from __future__ import annotations

import json
from collections.abc import Collection
from contextlib import closing
from dataclasses import dataclass
from uuid import UUID

from toygres.errors import Cause, CauseCode
from toygres.store.session import Store

GONE = Cause(
    code=CauseCode.SERVER_EXITED,
    message="The server isn't there: it ended while no Toygres ran.",
    remedy="Wait: it is started again by itself.",
)
SHUT_DOWN = Cause(
    code=CauseCode.SHUT_DOWN,
    message="Toygres was stopped, and the server with it.",
    remedy="The next `toygres up` starts it; or start it yourself.",
)

_SECONDS = 2

_FOUND_GONE = """
WITH gone AS (
    UPDATE toygres.instances i SET available = false, available_since = toygres.toygres_now(), checked_at = NULL,
        available_cause = %(cause)s::jsonb, updated_at = toygres.toygres_now()
    WHERE i.platform = %(platform)s AND i.state = 'ready' AND i.available AND i.id <> ALL(%(running)s)
    RETURNING i.*
), event AS (
    INSERT INTO toygres.events (project, instance_id, actor, kind, data)
    SELECT project, id, %(actor)s, 'availability', jsonb_build_object('value', false, 'cause', available_cause)
    FROM gone
)
SELECT name FROM gone ORDER BY name
"""
# A server that was launched by one of these is waited for by a later step of it.
_AWAITED = """
SELECT i.id, i.port, i.spec->>'version' AS version
FROM toygres.instances i JOIN toygres.operations o ON o.instance_id = i.id AND o.ended_at IS NULL
WHERE i.platform = %(platform)s AND o.outcome = 'succeeded' AND o.gives = 'ready' AND i.port IS NOT NULL
"""
# Creates, deletes and the cleanups of what was to run go on at the next `up`. What was to run by now comes back with
# it, and says so by its cause; what was told to stop, or has been given up, doesn't.
_ENDED = """
WITH here AS (
    SELECT i.id, o.id AS operation, i.available_cause AS cause, CASE
        WHEN o.id IS NOT NULL THEN o.gives = 'ready'
        ELSE i.state = 'ready' AND coalesce(i.available_cause->>'code', '') <> 'ServerKeepsEnding' END AS comes_back
    FROM toygres.instances i
    LEFT JOIN toygres.operations o ON o.instance_id = i.id AND o.ended_at IS NULL
    WHERE i.platform = %(platform)s AND i.id <> ALL(%(left)s)
      AND (i.state = 'ready' OR (i.state = 'stopped' AND o.id IS NOT NULL))
), closed AS (
    UPDATE toygres.operations o SET
        owner = NULL, claimed_at = NULL, lease_until = NULL, not_before = NULL, due_at = NULL,
        fence = o.fence + 1, revision = o.revision + 1, ended_at = toygres.toygres_now(),
        state = CASE WHEN o.outcome <> 'succeeded' THEN o.outcome
                     WHEN o.gives = 'stopped' THEN 'succeeded' ELSE 'failed' END,
        outcome = CASE WHEN o.outcome = 'succeeded' AND o.gives <> 'stopped' THEN 'failed' ELSE o.outcome END,
        cause = CASE WHEN o.outcome = 'succeeded' THEN %(cause)s::jsonb ELSE o.cause END
    FROM here WHERE o.id = here.operation AND o.ended_at IS NULL AND (o.kind <> 'cleanup' OR o.gives = 'stopped')
    RETURNING o.*
), steps AS (
    UPDATE toygres.steps s SET
        state = CASE WHEN o.state = 'succeeded' THEN 'done'
                     WHEN s.first_claimed_at IS NULL OR o.cause <> %(cause)s::jsonb THEN 'skipped' ELSE 'failed' END,
        ended_at = CASE WHEN s.first_claimed_at IS NOT NULL OR o.state = 'succeeded' THEN o.ended_at END,
        worked = s.worked + (o.ended_at - coalesce(s.claimed_at, o.ended_at)), claimed_at = NULL,
        cause = CASE WHEN s.first_claimed_at IS NOT NULL AND o.state <> 'succeeded' THEN o.cause END
    FROM closed o WHERE s.operation_id = o.id AND s.state IN ('pending', 'running', 'waiting')
), stopped AS (
    UPDATE toygres.instances i SET state = 'stopped', available = false, available_since = toygres.toygres_now(),
        checked_at = NULL, updated_at = toygres.toygres_now(),
        available_cause = CASE WHEN here.comes_back THEN %(cause)s::jsonb
                               WHEN here.operation IS NULL THEN here.cause
                               ELSE (SELECT o.cause FROM closed o WHERE o.id = here.operation
                                     AND o.state <> 'succeeded') END
    FROM here WHERE i.id = here.id RETURNING i.*
), told AS (
    INSERT INTO toygres.events (project, instance_id, operation_id, actor, kind, data)
    SELECT project, instance_id, id, 'up', 'operation_ended', jsonb_build_object('state', state, 'cause', cause)
    FROM closed
    UNION ALL
    SELECT project, id, NULL, 'up', 'server_shut_down', jsonb_build_object('cause', available_cause) FROM stopped
)
SELECT name FROM stopped ORDER BY name
"""


@dataclass(frozen=True)
class Awaited:
    """An instance whose server some open operation waits for."""

    id: UUID
    port: int
    version: str


def known_identity(database_url: str, platform: str) -> str | None:
    """Which place the platform is; None when nobody has used it yet. Raises Unavailable."""
    with _connected(database_url) as store:
        row = store.one("SELECT identity FROM toygres.platforms WHERE name = %(platform)s", platform=platform)
    return row.identity if row else None


def found_gone(
    database_url: str, platform: str, running: Collection[UUID], *, cause: Cause = GONE, actor: str = "up"
) -> list[str]:
    """Have the ready instances whose server isn't `running` not read available; their names. Raises Unavailable."""
    values = {"platform": platform, "running": list(running), "cause": json.dumps(cause.to_json()), "actor": actor}
    with _connected(database_url) as store:
        return [row.name for row in store.all(_FOUND_GONE, **values)]


def awaited(database_url: str, platform: str) -> list[Awaited]:
    """The instances whose server an open operation has launched, or will. Raises Unavailable."""
    with _connected(database_url) as store:
        return [Awaited(row.id, row.port, row.version) for row in store.all(_AWAITED, platform=platform)]


def ended(database_url: str, platform: str, left: Collection[UUID]) -> list[str]:
    """Record that no server runs but those that are `left`; the names of the instances that ran.

    They read stopped, and what was open to start, stop or restart them has ended. Raises Unavailable.
    """
    values = {"platform": platform, "left": list(left), "cause": json.dumps(SHUT_DOWN.to_json())}
    with _connected(database_url) as store:
        return [row.name for row in store.all(_ENDED, **values)]


def _connected(database_url: str) -> closing[Store]:
    return closing(Store(database_url, connections=1, statement_seconds=_SECONDS))
