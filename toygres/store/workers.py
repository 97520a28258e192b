"""Which workers live: each has a row that it touches twice a second, and a session lock that ends with it.

The lock tells at once that a process died; the row tells of one that is frozen or cut off, and it alone must
do behind a pooler, where session locks mean nothing.
"""

from __future__ import annotations

from dataclasses import dataclass

import psycopg

from toygres.errors import Bug, Unavailable
from toygres.store.session import Store

# The first key of every worker's session lock; the second is its number.
LOCK_CLASS = 7400
FROZEN_AFTER_SECONDS = 5.0
# A living worker whose session was cut has beaten again by then, and so holds its lock anew.
_UNSEEN_SECONDS = 1.2
# Who missed its own beats for so long can't tell others' silence from an absence of the DB.
_OWN_GAP_SECONDS = 2.5
# Every living worker has its lock again so soon after the sessions of all were cut.
LOCKED_AGAIN_SECONDS = 3.0

# After a restart of the DB every session is gone and every row is old, though every worker lives. So by locks judges
# only who has held its own for a while, and by rows only who has beaten for as long as the others were silent.
# A time ahead of now is a clock that stepped back: such a row says nothing, so its lock is asked.
_REAP = f"""
WITH judge AS MATERIALIZED (
    SELECT coalesce(me.cut_at < toygres.toygres_now() - make_interval(secs => {LOCKED_AGAIN_SECONDS}), true)
           AND db.began_at < clock_timestamp() - make_interval(secs => {LOCKED_AGAIN_SECONDS})
           AND EXISTS (
        SELECT FROM pg_locks l WHERE l.locktype = 'advisory' AND l.granted AND l.objsubid = 2
          AND l.database = (SELECT d.oid FROM pg_database d WHERE d.datname = current_database())
          AND l.classid = {LOCK_CLASS} AND l.objid = CAST(CAST(%(judge)s AS bigint) AS oid)
    ) AS by_lock,
    coalesce(me.unsteady_at < toygres.toygres_now() - make_interval(secs => {FROZEN_AFTER_SECONDS}), true)
           AND db.began_at < clock_timestamp() - make_interval(secs => {FROZEN_AFTER_SECONDS}) AS by_row
    FROM toygres.workers me CROSS JOIN (SELECT toygres.database_began_at() AS began_at) db
    WHERE me.id = %(judge)s
      AND abs(extract(epoch FROM me.seen_at - toygres.toygres_now())) < {_OWN_GAP_SECONDS}
), suspects AS MATERIALIZED (
    SELECT w.id, judge.by_lock, judge.by_row
        AND w.seen_at < toygres.toygres_now() - make_interval(secs => {FROZEN_AFTER_SECONDS}) AS frozen
    FROM toygres.workers w CROSS JOIN judge
    WHERE w.id <> %(judge)s
      AND (w.seen_at < toygres.toygres_now() - make_interval(secs => {_UNSEEN_SECONDS})
           OR w.seen_at > toygres.toygres_now() + make_interval(secs => {FROZEN_AFTER_SECONDS}))
)
DELETE FROM toygres.workers w USING suspects s
WHERE w.id = s.id AND (s.frozen OR (s.by_lock AND pg_try_advisory_xact_lock({LOCK_CLASS}, s.id)))
RETURNING w.id
"""
_BEAT = f"""
UPDATE toygres.workers SET
    cut_at = CASE WHEN %(cut)s THEN toygres.toygres_now() ELSE cut_at END,
    unsteady_at = CASE WHEN abs(extract(epoch FROM seen_at - toygres.toygres_now())) > {_OWN_GAP_SECONDS}
                       THEN toygres.toygres_now() ELSE unsteady_at END,
    seen_at = toygres.toygres_now(), took_at = toygres.toygres_now() - make_interval(secs => %(idle)s),
    slots = %(slots)s, busy = %(busy)s, hung = %(hung)s
WHERE id = %(id)s
"""


@dataclass(frozen=True, kw_only=True)
class Condition:
    """How a worker is: slots in all, those that run a step, those whose step never returned.

    `idle_seconds` is how long it hasn't taken any message.
    """

    slots: int = 0
    busy: int = 0
    hung: int = 0
    idle_seconds: float = 0.0


@dataclass(frozen=True, kw_only=True)
class Crew:
    """All living workers together; `idle_seconds` is how long none of them has taken a message."""

    workers: int
    slots: int
    free: int
    hung: int
    idle_seconds: float


class Presence:
    """One worker's session lock, on a connection of its own; used by one thread."""

    def __init__(self, store: Store, host: str, pid: int) -> None:
        self._store = store
        self._host = host
        self._pid = pid
        self._connection: psycopg.Connection | None = None
        self.worker_id = 0

    @property
    def name(self) -> str:
        """What this worker's session is called in pg_stat_activity."""
        return f"toygres worker {self.worker_id}"

    def arrive(self) -> int:
        """Register, lock first, so that nobody sees a row without its lock; the worker's number.

        Raises Unavailable when the metadata DB doesn't answer.
        """
        row = self._store.one("SELECT nextval(pg_get_serial_sequence('toygres.workers', 'id'))::integer AS id")
        if row is None:
            raise Bug("a sequence gave no number")
        self.leave()
        self.worker_id = row.id
        self._lock()
        self._store.run(
            "INSERT INTO toygres.workers (id, host, pid) OVERRIDING SYSTEM VALUE VALUES (%(id)s, %(host)s, %(pid)s)",
            id=self.worker_id,
            host=self._host,
            pid=self._pid,
        )
        return self.worker_id

    def beat(self, how: Condition = Condition()) -> bool:
        """Say that the worker lives, and how it is; False when others took it for dead and it must arrive anew.

        Raises Unavailable.
        """
        locked = self._still_locked()
        known = self._store.run(
            _BEAT,
            id=self.worker_id,
            cut=not locked,
            idle=how.idle_seconds,
            slots=how.slots,
            busy=how.busy,
            hung=how.hung,
        )
        # Noted before it is locked again: nobody may judge by a lock that is newer than that.
        if known and not locked:
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
        """Take the lock, unless a session that the DB hasn't given up yet still has it: then at the next beat."""
        self.leave()
        connection = self._store.direct(self.name)
        try:
            row = connection.execute("SELECT pg_try_advisory_lock(%s, %s)", (LOCK_CLASS, self.worker_id)).fetchone()
        except psycopg.Error as lost:
            connection.close()
            raise Unavailable("The metadata database doesn't answer.") from lost
        if row is not None and row[0]:
            self._connection = connection
        else:
            connection.close()


def depart(store: Store, worker_id: int) -> None:
    """Forget a worker that stops."""
    store.run("DELETE FROM toygres.workers WHERE id = %(id)s", id=worker_id)


def reap(store: Store, judge: int) -> list[int]:
    """Forget the workers that died or froze, as far as the worker `judge` can tell; their numbers."""
    return [row.id for row in store.all(_REAP, judge=judge)]


def living(store: Store) -> Crew:
    """The workers that were seen of late."""
    row = store.one(
        """SELECT count(*) AS workers, coalesce(sum(slots), 0) AS slots,
                  coalesce(sum(greatest(slots - busy, 0)), 0) AS free, coalesce(sum(hung), 0) AS hung,
                  coalesce(extract(epoch FROM toygres.toygres_now() - max(took_at)), 0)::float AS idle_seconds
           FROM toygres.workers
           WHERE seen_at > toygres.toygres_now() - make_interval(secs => %(s)s)
             AND seen_at < toygres.toygres_now() + make_interval(secs => %(s)s)""",
        s=FROZEN_AFTER_SECONDS,
    )
    if row is None:
        raise Bug("an aggregate gave no row")
    return Crew(**row._asdict())
