"""Events: what happened, in an order that a reader can resume without missing one."""

from __future__ import annotations

from uuid import UUID

from toygres.domain.records import EventRecord
from toygres.store.session import Store

# A transaction that still runs may yet add an event with a smaller number than those that are there: readers stop
# before the oldest one. Numbers of events alone don't order commits; a transaction's number and its events' do.
_AFTER = """
SELECT CAST(CAST(xid AS text) AS bigint) AS xid, position, id, at, project, instance_id, operation_id, step, actor,
       kind, data
FROM toygres.events
WHERE (xid, position) > (CAST(CAST(%(xid)s AS text) AS xid8), CAST(%(position)s AS bigint))
  AND xid < pg_snapshot_xmin(pg_current_snapshot()) AND project = %(project)s
  AND (CAST(%(instance)s AS uuid) IS NULL OR instance_id = %(instance)s)
ORDER BY xid, position LIMIT %(limit)s
"""


def after(
    store: Store, project: str, place: tuple[int, int] = (0, 0), limit: int = 500, instance: UUID | None = None
) -> tuple[EventRecord, ...]:
    """The next events behind `place` (an event's own), oldest first, of one instance or of all."""
    xid, position = place
    rows = store.all(_AFTER, project=project, xid=str(xid), position=position, limit=limit, instance=instance)
    return tuple(EventRecord(**row._asdict()) for row in rows)
