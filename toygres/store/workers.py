"""Which workers live: each has a row that it touches every second, and a session lock that ends with it.

The lock tells at once that a process died; the row tells of one that is frozen or cut off, and it alone must
do behind a pooler that forbids session locks.
"""

from __future__ import annotations

import time

import psycopg

from toygres.errors import Bug, Unavailable
from toygres.store.session import Store

# The first key of every worker's session lock; the second is its number.
LOCK_CLASS = 7400
FROZEN_AFTER_SECONDS = 5.0
_UNSEEN_SECONDS = 2.0
# When the DB restarted every session is gone and every worker lives: who has lost its own lately judges nobody by it.
_OWN_SESSION_SECONDS = 8.0

# A time ahead of now is a clock that stepped back: such a row says nothing, so its lock is asked.
_REAP = f"""
WITH suspects AS MATERIALIZED (
    SELECT id, seen_at < toygres.toygres_now() - make_interval(secs => {FROZEN_AFTER_SECONDS}) AS frozen
    FROM toygres.workers
    WHERE seen_at < toygres.toygres_now() - make_interval(secs => {_UNSEEN_SECONDS})
       OR seen_at > toygres.toygres_now() + make_interval(secs => {FROZEN_AFTER_SECONDS})
)
DELETE FROM toygres.workers w USING suspects s
WHERE w.id = s.id AND (s.frozen OR (:by_lock AND pg_try_advisory_xact_lock({LOCK_CLASS}, s.id)))
RETURNING w.id
"""
# A frozen process keeps its sessions, and with them the lead: they are ended for it.
_END_SESSIONS = """
SELECT pg_terminate_backend(pid) FROM pg_stat_activity
WHERE usename = current_user AND datname = current_database() AND application_name = ANY(:names)
"""


class Presence:
    """One worker's session lock, on a connection of its own; used by one thread."""

    def __init__(self, store: Store, host: str, pid: int) -> None:
        self._store = store
        self._host = host
        self._pid = pid
        self._connection: psycopg.Connection | None = None
        self._locked_at = time.monotonic()
        self.worker_id = 0

    @property
    def may_judge(self) -> bool:
        """Whether this worker has held its own session for long enough to take a lost one for a death."""
        return time.monotonic() - self._locked_at > _OWN_SESSION_SECONDS

    @property
    def name(self) -> str:
        """What this worker's sessions are called in pg_stat_activity."""
        return session_name(self.worker_id)

    def arrive(self) -> int:
        """Register, lock first, so that nobody sees a row without its lock; the worker's number.

        Raises Unavailable when the metadata DB doesn't answer.
        """
        row = self._store.one("SELECT nextval(pg_get_serial_sequence('toygres.workers', 'id'))::integer AS id")
        if row is None:
            raise Bug("a sequence gave no number")
        self.worker_id = row.id
        self._lock()
        self._store.run(
            "INSERT INTO toygres.workers (id, host, pid) OVERRIDING SYSTEM VALUE VALUES (:id, :host, :pid)",
            id=self.worker_id,
            host=self._host,
            pid=self._pid,
        )
        return self.worker_id

    def beat(self) -> bool:
        """Say that the worker lives; False when others took it for dead and it must arrive anew. Raises Unavailable."""
        known = self._store.run(
            "UPDATE toygres.workers SET seen_at = toygres.toygres_now() WHERE id = :id", id=self.worker_id
        )
        if known and not self._still_locked():
            self._lock()
        return known > 0

    def leave(self) -> None:
        """Give the lock back; the row goes with `depart`."""
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    def _still_locked(self) -> bool:
        if self._connection is None:
            return False
        try:
            self._connection.execute("SELECT 1")
        except psycopg.Error:
            return False
        return True

    def _lock(self) -> None:
        self.leave()
        connection = self._store.direct(self.name)
        try:
            # Whoever reaps tries the lock for an instant only.
            connection.execute("SELECT pg_advisory_lock(%s, %s)", (LOCK_CLASS, self.worker_id))
        except psycopg.Error as lost:
            connection.close()
            raise Unavailable("The metadata database doesn't answer.") from lost
        self._connection = connection
        self._locked_at = time.monotonic()


def session_name(worker_id: int) -> str:
    """What a worker's own sessions are called in pg_stat_activity."""
    return f"toygres worker {worker_id}"


def depart(store: Store, worker_id: int) -> None:
    """Forget a worker that stops."""
    store.run("DELETE FROM toygres.workers WHERE id = :id", id=worker_id)


def reap(store: Store, *, by_lock: bool) -> list[int]:
    """Forget the workers that froze and, `by_lock`, those whose session is gone; their numbers."""
    dead = [row.id for row in store.all(_REAP, by_lock=by_lock)]
    if dead:
        store.all(_END_SESSIONS, names=[session_name(worker) for worker in dead])
    return dead


def living(store: Store) -> int:
    """How many workers were seen of late."""
    row = store.one(
        "SELECT count(*) AS n FROM toygres.workers WHERE seen_at > toygres.toygres_now() - make_interval(secs => :s)",
        s=FROZEN_AFTER_SECONDS,
    )
    return int(row.n) if row else 0
