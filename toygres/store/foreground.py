"""What a process must know that carries out one operation by itself, without messages: whose turn it is, and when."""

from __future__ import annotations

from dataclasses import dataclass
from uuid import UUID

from toygres.store.session import Store

_TURN = """
SELECT s.name AS step, o.owner IS NOT NULL AS held, s.state = 'waiting' AS waiting,
       greatest(0, extract(epoch FROM coalesce(o.not_before, toygres.toygres_now()) - toygres.toygres_now()))::float
           AS pause_seconds,
       coalesce(extract(epoch FROM o.due_at - toygres.toygres_now()), 0)::float AS due_seconds
FROM toygres.operations o
JOIN toygres.steps s ON s.operation_id = o.id AND s.position = least(o.cursor, o.nsteps - 1)
WHERE o.id = %(id)s AND o.ended_at IS NULL
"""


@dataclass(frozen=True, kw_only=True)
class Turn:
    """The step whose turn it is; `held` when some worker runs it, `waiting` when it was looked at before.

    No claim is given for `pause_seconds`; it is due in `due_seconds`, or was.
    """

    step: str
    held: bool
    waiting: bool
    pause_seconds: float
    due_seconds: float


def turn(store: Store, operation_id: UUID) -> Turn | None:
    """Where the operation stands; None when it has ended."""
    row = store.one(_TURN, id=operation_id)
    return Turn(**row._asdict()) if row else None


def is_known(store: Store, worker_id: int) -> bool:
    """Whether a worker has a row: it lives, or died so lately that nobody has noticed."""
    return store.one("SELECT id FROM toygres.workers WHERE id = %(id)s", id=worker_id) is not None
