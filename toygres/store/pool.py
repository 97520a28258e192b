"""Connections that are kept for the next statement.

Whether one was lost meanwhile is seen on its socket, which takes a system call and no round trip. A caller connects by
itself, so that it learns at once when the metadata DB is away (docs/decisions/0008).
"""

from __future__ import annotations

import select
import threading
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Any

import psycopg
from psycopg.pq import TransactionStatus

from toygres.errors import Unavailable

Connection = psycopg.Connection[Any]


class Pool:
    """At most `most` connections at a time, of which `kept` stay open while nobody needs them; thread-safe."""

    def __init__(self, connect: Callable[[], Connection], *, kept: int, most: int, wait_seconds: float) -> None:
        self._connect = connect
        self._most_kept = kept
        self._wait_seconds = wait_seconds
        self._free = threading.BoundedSemaphore(most)
        # The one that was used last comes first: what a burst needed beside it stays idle.
        self._kept: deque[Connection] = deque()
        self._closed = False

    @contextmanager
    def connection(self) -> Iterator[Connection]:
        """One for the caller alone. Raises Unavailable when none gets free in time, and psycopg's errors."""
        if not self._free.acquire(timeout=self._wait_seconds):
            raise Unavailable("All connections to the metadata database are in use.")
        try:
            connection = self._take()
            try:
                yield connection
            finally:
                self._give_back(connection)
        finally:
            self._free.release()

    def close(self) -> None:
        """Close those that nobody uses now, and the others once they are given back."""
        self._closed = True
        self._drain()

    def _take(self) -> Connection:
        with suppress(IndexError):
            while True:
                connection = self._kept.pop()
                if not _lost(connection):
                    return connection
                connection.close()
        return self._connect()

    def _drain(self) -> None:
        # Other threads may take some, or give some back, meanwhile.
        with suppress(IndexError):
            while True:
                self._kept.pop().close()

    def _give_back(self, connection: Connection) -> None:
        usable = not connection.closed and connection.info.transaction_status is TransactionStatus.IDLE
        if usable and not self._closed and len(self._kept) < self._most_kept:
            self._kept.append(connection)
            if self._closed:
                self._drain()
        else:
            connection.close()


def _lost(connection: Connection) -> bool:
    """Whether the server has hung up, or has said what nobody asked for: an idle connection has nothing to read."""
    if connection.closed:
        return True
    waiting = select.poll()
    waiting.register(connection.fileno(), select.POLLIN | select.POLLPRI)
    return bool(waiting.poll(0))
