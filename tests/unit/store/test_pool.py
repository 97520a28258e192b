"""The pool hands out connections that work, never more than it may, and tells at once when there is no metadata DB."""

from __future__ import annotations

import threading
from collections.abc import Iterator

import psycopg
import pytest

from toygres.errors import Unavailable
from toygres.store.pool import Connection, Pool
from toygres.store.session import Store

_PATIENCE = 30.0
_WHO = "SELECT pg_backend_pid() AS pid"


@pytest.fixture
def opened() -> list[Connection]:
    """Every connection that the pool has opened."""
    return []


@pytest.fixture
def pool(store: Store, opened: list[Connection]) -> Iterator[Pool]:
    """A pool of two connections, one of which stays open while none is needed."""

    def connect() -> Connection:
        opened.append(psycopg.connect(store.conninfo, autocommit=True))
        return opened[-1]

    pool = Pool(connect, kept=1, most=2, wait_seconds=0.05)
    yield pool
    pool.close()


def test_a_connection_is_used_again(pool: Pool, opened: list[Connection]) -> None:
    for _ in range(3):
        with pool.connection() as connection:
            connection.execute("SELECT 1")
    assert len(opened) == 1


def test_one_that_the_server_ended_is_not_used_again(store: Store, pool: Pool, opened: list[Connection]) -> None:
    with pool.connection() as connection:
        pid = connection.info.backend_pid
    store.run("SELECT pg_terminate_backend(%(pid)s, %(wait)s)", pid=pid, wait=int(_PATIENCE * 1000))
    with pool.connection() as connection:
        assert connection.execute("SELECT 1").fetchone() == (1,)
    assert len(opened) == 2
    assert opened[0].closed


def test_after_the_end_of_every_connection_the_next_transactions_work(store: Store) -> None:
    before = _pids_at_once(store, 3)
    with store.direct() as connection:
        connection.execute("SELECT pg_terminate_backend(pid, 30000) FROM unnest(%s::int[]) AS pid", [list(before)])
    after = _pids_at_once(store, 3)
    assert (len(before), len(after), before & after) == (3, 3, set())


def test_what_was_left_in_a_transaction_is_not_used_again(pool: Pool, opened: list[Connection]) -> None:
    with pool.connection() as connection:
        connection.execute("BEGIN")
    with pool.connection() as connection:
        connection.execute("SELECT 1")
    assert len(opened) == 2


def test_no_more_are_handed_out_than_may_be_open(pool: Pool, opened: list[Connection]) -> None:
    with pool.connection(), pool.connection(), pytest.raises(Unavailable, match="in use"), pool.connection():
        pass
    assert len(opened) == 2
    # What a burst needed beside those that are kept is closed.
    assert [connection.closed for connection in opened].count(False) == 1


def test_an_error_gives_the_connection_back(pool: Pool, opened: list[Connection]) -> None:
    for _ in range(3):
        with pytest.raises(psycopg.errors.SyntaxError), pool.connection() as connection:
            connection.execute("no SQL")
    assert len(opened) == 1


def test_after_its_end_nothing_stays_open(pool: Pool, opened: list[Connection]) -> None:
    with pool.connection():
        pool.close()
    assert [connection.closed for connection in opened] == [True]


def test_a_metadata_db_that_is_away_is_told_at_once() -> None:
    store = Store("postgresql://127.0.0.1:1/none")
    with pytest.raises(Unavailable, match="doesn't answer"):
        store.one("SELECT 1")
    store.close()


def _pids_at_once(store: Store, count: int) -> set[int]:
    """The server processes that serve so many transactions at the same time."""
    found: set[int] = set()
    together = threading.Barrier(count)

    def ask() -> None:
        with store.transaction() as connection:
            together.wait(_PATIENCE)
            found.add(connection.execute(_WHO).fetchone().pid)
            together.wait(_PATIENCE)

    threads = [threading.Thread(target=ask) for _ in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(_PATIENCE)
    return found
