"""One leader among many processes: a session lock that passes on the moment its holder dies."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable, Iterator

import psycopg

from toygres.store.session import Store

_LOCK_CLASS = 7401
_LOOK_SECONDS = 1.0


class Leadership:
    """The lead in one matter, called `matter`; blocks on a connection of its own until it is free.

    `session_name` is what the connection is called: whoever finds its owner frozen ends it by that name.
    """

    def __init__(self, store: Store, matter: str, session_name: Callable[[], str]) -> None:
        self._store = store
        self._matter = matter
        self._session_name = session_name
        self._connection: psycopg.Connection | None = None

    @contextlib.contextmanager
    def held(self, stop: threading.Event) -> Iterator[threading.Event | None]:
        """Wait for the lead; yields an event that is set once it is lost, or None when told to stop instead.

        Raises Unavailable or psycopg.Error when the metadata DB doesn't answer.
        """
        lost = threading.Event()
        with self._store.direct(self._session_name()) as connection:
            self._connection = connection
            if not self._acquire(connection) or stop.is_set():
                yield None
                return
            watcher = threading.Thread(target=self._watch, args=(connection, stop, lost), daemon=True)
            watcher.start()
            try:
                yield lost
            finally:
                lost.set()
                watcher.join(timeout=2 * _LOOK_SECONDS)

    def give_up(self) -> None:
        """Stop waiting for the lead."""
        connection = self._connection
        if connection is not None and not connection.closed:
            with contextlib.suppress(psycopg.Error):
                connection.cancel_safe(timeout=1.0)

    def _acquire(self, connection: psycopg.Connection) -> bool:
        try:
            connection.execute("SELECT pg_advisory_lock(%s, hashtext(%s))", (_LOCK_CLASS, self._matter))
        except psycopg.errors.QueryCanceled:
            return False
        return True

    def _watch(self, connection: psycopg.Connection, stop: threading.Event, lost: threading.Event) -> None:
        """The lock goes with the session: see that it lives, and pass on that we are to stop."""
        while not lost.is_set() and not stop.is_set():
            try:
                connection.execute("SELECT 1")
            except psycopg.Error:
                break
            stop.wait(_LOOK_SECONDS)
        lost.set()
