"""Events: what happened, in an order that a reader can resume without missing one."""

from __future__ import annotations

from uuid import UUID

from toygres.domain.records import EventRecord
from toygres.store.session import Store

# Readers stop at the oldest running transaction: a smaller position may still be on its way behind it.
_AFTER = """
SELECT position, id, at, project, instance_id, operation_id, step, actor, kind, data FROM toygres.events
WHERE project = :project AND position > :after AND xid < pg_snapshot_xmin(pg_current_snapshot())
  AND (CAST(:instance AS uuid) IS NULL OR instance_id = :instance)
ORDER BY position LIMIT :limit
"""


def after(
    store: Store, project: str, position: int, limit: int = 500, instance: UUID | None = None
) -> tuple[EventRecord, ...]:
    """The next events behind `position`, oldest first, of one instance or of all."""
    rows = store.all(_AFTER, project=project, after=position, limit=limit, instance=instance)
    return tuple(EventRecord(**row._mapping) for row in rows)
