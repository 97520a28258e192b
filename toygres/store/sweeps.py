"""The sweep's and the observer's statements: what is due, and what was woken."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from uuid import UUID

from toygres.store.claims import GRACE_SECONDS
from toygres.store.session import Store

# The queue is first in, first out: what was published before its oldest message has been taken or lost, so
# only that is published again. A time that lies far ahead is a clock that stepped back, and due as well.
_SWEEP = """
WITH due AS (
    SELECT id, state FROM toygres.operations
    WHERE ended_at IS NULL AND owner IS NULL
      AND (due_at <= least(toygres.toygres_now(),
                           to_timestamp(CAST(:oldest AS double precision)) + make_interval(secs => :grace))
           OR due_at > toygres.toygres_now() + interval '15 minutes')
    ORDER BY due_at LIMIT :limit FOR UPDATE SKIP LOCKED
)
UPDATE toygres.operations o SET
    due_at = toygres.toygres_now() + make_interval(secs => least(60, 2 * 2 ^ least(o.unclaimed, 5))),
    unclaimed = o.unclaimed + 1
FROM due WHERE o.id = due.id RETURNING o.id, due.state = 'waiting' AS was_parked
"""
_WAKE = """
UPDATE toygres.operations o SET
    wakes = o.wakes + 1,
    due_at = CASE WHEN o.owner IS NULL THEN toygres.toygres_now() + make_interval(secs => :grace) ELSE o.due_at END
WHERE o.instance_id = ANY(:instances) AND o.ended_at IS NULL
RETURNING o.id, o.owner IS NULL AND o.state IN ('waiting', 'undoing') AS parked
"""


@dataclass(frozen=True)
class Due:
    """An operation that the sweep found; `parked` when an event should have woken it."""

    id: UUID
    parked: bool


def take_due(store: Store, oldest_message: float | None, limit: int = 500) -> list[Due]:
    """Operations that nobody holds and that are due; each is put off so that two sweeps don't share it.

    `oldest_message` is when the queue's oldest message was published, in seconds since 1970; None when
    the queue is empty.
    """
    rows = store.all(_SWEEP, oldest=oldest_message, grace=GRACE_SECONDS, limit=limit)
    return [Due(id=row.id, parked=row.was_parked) for row in rows]


def wake(store: Store, instances: Collection[UUID]) -> list[UUID]:
    """Note that these instances changed; the parked operations among theirs, to be published now.

    A wake counts while a step runs, too: parking it then means to look again at once.
    """
    rows = store.all(_WAKE, instances=list(instances), grace=GRACE_SECONDS)
    return [row.id for row in rows if row.parked]
