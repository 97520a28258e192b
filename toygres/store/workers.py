"""Which workers live: each has a row that it touches every second, and a session lock that ends with it.

The lock tells at once that a process died; the row tells of one that is frozen or cut off, and it alone must
do behind a pooler that forbids session locks.
"""

from __future__ import annotations

from uuid import UUID

import psycopg

from toygres.errors import Bug, Unavailable
from toygres.store.session import Store

# The first key of every worker's session lock; the second is its number.
LOCK_CLASS = 7400
FROZEN_AFTER_SECONDS = 5.0
_UNSEEN_SECONDS = 2.0
# Every session is gone after the DB restarted, and every worker lives: nobody is taken for dead so soon.
_DB_RESTART_GRACE_SECONDS = 8.0

_REAP = f"""
WITH suspects AS MATERIALIZED (
    SELECT id, seen_at < toygres.toygres_now() - make_interval(secs => {FROZEN_AFTER_SECONDS}) AS frozen
    FROM toygres.workers
    WHERE seen_at < toygres.toygres_now() - make_interval(secs => {_UNSEEN_SECONDS})
      AND pg_postmaster_start_time() < clock_timestamp() - make_interval(secs => {_DB_RESTART_GRACE_SECONDS})
)
DELETE FROM toygres.workers w USING suspects s
WHERE w.id = s.id AND (s.frozen OR pg_try_advisory_xact_lock({LOCK_CLASS}, s.id))
RETURNING w.id
"""


class Presence:
    """One worker's session lock, on a connection of its own."""

    def __init__(self, store: Store, host: str, pid: int) -> None:
        self._store = store
        self._host = host
        self._pid = pid
        self._connection: psycopg.Connection | None = None
        self.worker_id = 0

    def arrive(self) -> int:
        """Register, lock first, so that nobody sees a row without its lock; the worker's number.

        Raises Unavailable when the metadata DB doesn't answer.
        """
        self.leave()
        try:
            return self._arrive()
        except psycopg.Error as error:
            self.leave()
            raise Unavailable("The metadata database doesn't answer.") from error

    def _arrive(self) -> int:
        self._connection = psycopg.connect(self._store.conninfo, autocommit=True, connect_timeout=3)
        row = self._connection.execute(
            "SELECT nextval(pg_get_serial_sequence('toygres.workers', 'id'))::integer"
        ).fetchone()
        if row is None:
            raise Bug("a sequence gave no number")
        self._connection.execute("SELECT pg_advisory_lock(%s, %s)", (LOCK_CLASS, row[0]))
        self._connection.execute(
            "INSERT INTO toygres.workers (id, host, pid) OVERRIDING SYSTEM VALUE VALUES (%s, %s, %s)",
            (row[0], self._host, self._pid),
        )
        self.worker_id = int(row[0])
        return self.worker_id

    def beat(self) -> bool:
        """Say that the worker lives; False when others took it for dead and it must arrive anew."""
        known = self._store.run(
            "UPDATE toygres.workers SET seen_at = toygres.toygres_now() WHERE id = :id", id=self.worker_id
        )
        return known > 0 and self._connection is not None and not self._connection.closed

    def leave(self) -> None:
        """Give the lock back; the row goes with `depart`."""
        if self._connection is not None:
            self._connection.close()
            self._connection = None


def depart(store: Store, worker_id: int) -> None:
    """Forget a worker that stops: what it holds is free at once."""
    store.run("DELETE FROM toygres.workers WHERE id = :id", id=worker_id)


def reap(store: Store) -> list[int]:
    """Forget the workers that died or froze; their numbers."""
    return [row.id for row in store.all(_REAP)]


def living(store: Store) -> int:
    """How many workers were seen of late."""
    row = store.one(
        "SELECT count(*) AS n FROM toygres.workers WHERE seen_at > toygres.toygres_now() - make_interval(secs => :s)",
        s=FROZEN_AFTER_SECONDS,
    )
    return int(row.n) if row else 0


def held_by(store: Store, worker_id: int) -> list[UUID]:
    """The operations that a worker holds."""
    rows = store.all("SELECT id FROM toygres.operations WHERE owner = :id", id=worker_id)
    return [row.id for row in rows]
