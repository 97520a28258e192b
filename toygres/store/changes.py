"""Waiting for an operation to change: LISTEN tells at once, and a look every two seconds stands behind it."""

from __future__ import annotations

import contextlib
import threading
import time
from collections import defaultdict
from uuid import UUID

import psycopg

from toygres.errors import Unavailable
from toygres.store import operations
from toygres.store.session import Store

CHANNEL = "toygres_events"
# Behind a pooler LISTEN hears nothing; then this is how late a change is seen.
_LOOK_SECONDS = 2.0


class Changes:
    """One process's ear for events; any number of threads may wait on it."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._told = threading.Condition()
        self._count: defaultdict[str, int] = defaultdict(int)
        self._waiting: defaultdict[str, int] = defaultdict(int)
        self._closed = threading.Event()
        self._thread: threading.Thread | None = None

    def wait(self, operation_id: UUID, after_revision: int, seconds: float) -> None:
        """Return once the operation's revision is above `after_revision`, or when `seconds` are over."""
        self._listen()
        key = str(operation_id)
        until = time.monotonic() + seconds
        with self._told:
            self._waiting[key] += 1
        try:
            while not self._closed.is_set():
                heard = self._count[key]
                revision = operations.revision(self._store, operation_id)
                left = until - time.monotonic()
                if revision is None or revision > after_revision or left <= 0:
                    return
                with self._told:
                    self._told.wait_for(lambda: self._count[key] != heard, min(left, _LOOK_SECONDS))  # noqa: B023
        finally:
            self._forget(key)

    def close(self) -> None:
        """Let every waiter go and stop listening."""
        self._closed.set()
        with self._told:
            self._told.notify_all()
        if self._thread is not None:
            self._thread.join(timeout=2 * _LOOK_SECONDS)

    def _forget(self, key: str) -> None:
        with self._told:
            self._waiting[key] -= 1
            if self._waiting[key] <= 0:
                self._waiting.pop(key, None)
                self._count.pop(key, None)

    def _listen(self) -> None:
        with self._told:
            if self._thread is None:
                self._thread = threading.Thread(target=self._hear, name="changes", daemon=True)
                self._thread.start()

    def _hear(self) -> None:
        while not self._closed.is_set():
            with contextlib.suppress(psycopg.Error, Unavailable):
                self._hear_until_lost()
            self._closed.wait(_LOOK_SECONDS)

    def _hear_until_lost(self) -> None:
        with self._store.direct() as connection:
            connection.execute(f"LISTEN {CHANNEL}")
            while not self._closed.is_set():
                for notice in connection.notifies(timeout=_LOOK_SECONDS):
                    self._tell(notice.payload)

    def _tell(self, key: str) -> None:
        with self._told:
            if key in self._waiting:
                self._count[key] += 1
                self._told.notify_all()
