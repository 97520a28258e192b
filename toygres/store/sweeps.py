"""The sweep's and the observer's statements: what is due, and what was woken."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from uuid import UUID

from toygres.store.claims import AHEAD, GRACE_SECONDS
from toygres.store.session import Store

# So many are published in less than the margin.
AT_ONCE = 100
_MARGIN_SECONDS = 1.0

# The queue is first in, first out: what was published before its oldest message has been taken or lost, so
# only that is published again. Publishing comes a little after the statement that notes it, which is the margin.
# A time that lies far ahead is a clock that stepped back, and due as well. What nobody claims, though it was taken,
# may have gone to an older worker that doesn't know the step: it is published steadily, for the next one.
# Two subqueries with a range each: the plan reads only what is due off the index, whatever else is open.
_OPEN = "SELECT id FROM toygres.operations WHERE ended_at IS NULL AND owner IS NULL"
_SWEEP = f"""
UPDATE toygres.operations o SET
    due_at = toygres.toygres_now() + make_interval(secs => %(grace)s * least(o.unclaimed + 1, 2)),
    unclaimed = o.unclaimed + 1
WHERE o.id = ANY(
    ARRAY({_OPEN} AND due_at <= least(
              toygres.toygres_now(),
              toygres.toygres_now()
                  - make_interval(secs => CAST(%(oldest_age)s AS double precision) - %(grace)s + %(margin)s))
          ORDER BY due_at LIMIT %(limit)s FOR UPDATE SKIP LOCKED)
    || ARRAY({_OPEN} AND due_at > toygres.toygres_now() + {AHEAD}
          ORDER BY due_at LIMIT %(limit)s FOR UPDATE SKIP LOCKED)
)
RETURNING o.id, o.unclaimed = 1 AND EXISTS (
        SELECT FROM toygres.steps s
        WHERE s.operation_id = o.id AND s.position = o.cursor AND s.looks > 0 AND s.state = 'waiting'
          AND o.not_before IS NULL AND coalesce(s.cause ->> 'code', '') <> 'WorkersDied'
    ) AS parked,
    o.fence, o.outcome <> 'succeeded' AS turned, o.cancel_requested_at IS NOT NULL AS cancelled,
    coalesce(o.deadline_at < toygres.toygres_now(), false) AS overdue
"""
_WAKE = """
UPDATE toygres.operations o SET
    wakes = o.wakes + 1,
    due_at = CASE WHEN o.owner IS NULL AND o.not_before IS NULL
                  THEN toygres.toygres_now() + make_interval(secs => %(grace)s) ELSE o.due_at END
WHERE o.instance_id = ANY(%(instances)s) AND o.ended_at IS NULL
RETURNING o.id, o.owner IS NULL AND o.not_before IS NULL AND o.state IN ('waiting', 'undoing') AS parked
"""


@dataclass(frozen=True)
class Due:
    """An operation that the sweep found, as far as it must know; `parked` when an event should have woken it."""

    id: UUID
    parked: bool
    fence: int
    turned: bool
    cancelled: bool
    overdue: bool


def take_due(store: Store, oldest_age: float | None, limit: int = AT_ONCE) -> list[Due]:
    """Operations that nobody holds and that are due; each is put off so that two sweeps don't share it.

    `oldest_age` is for how many seconds the queue's oldest message has waited; None when the queue is empty.
    """
    rows = store.all(_SWEEP, oldest_age=oldest_age, grace=GRACE_SECONDS, margin=_MARGIN_SECONDS, limit=limit)
    return [Due(**row._asdict()) for row in rows]


def wake(store: Store, instances: Collection[UUID]) -> list[UUID]:
    """Note that these instances changed; the parked operations among theirs, to be published now.

    A wake counts while a step runs, too: parking it then means to look again at once.
    """
    rows = store.all(_WAKE, instances=list(instances), grace=GRACE_SECONDS)
    return [row.id for row in rows if row.parked]
