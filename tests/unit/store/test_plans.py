"""What the engine's statements cost doesn't grow with what is open or ended: each finds its rows by an index."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import count
from typing import Any, Protocol
from unittest import mock
from uuid import UUID

import psycopg
import pytest
from driving import STARTING

from toygres.domain import ids
from toygres.domain.instance import Endpoint
from toygres.store import claims, instances, operations, sweeps, turns, workers
from toygres.store.claims import Claim
from toygres.store.session import Store
from toygres.store.sweeps import _SWEEP

_FILL = """
INSERT INTO toygres.platforms (name, kind, identity) VALUES ('p', 'p', 'p');
INSERT INTO toygres.workers (host, pid) VALUES ('h', 1);
INSERT INTO toygres.instances (id, project, name, platform, spec)
SELECT gen_random_uuid(), 'default', 'i' || n, 'p', '{"version": "18", "storage_bytes": 1, "cpu_millicores": 1,
    "memory_bytes": 1, "parameters": {}, "user": "u", "database": "d"}' FROM generate_series(1, 2000) n;
-- Each instance has nine that ended and one that is open; a few of those are held.
INSERT INTO toygres.operations (id, project, instance_id, kind, gives, gives_failed, gives_cancelled, nsteps,
    max_attempts, fence, due_at, actor, request_id, state, ended_at, owner, claimed_at, lease_until)
SELECT gen_random_uuid(), 'default', id, 'create', 'ready', 'failed', 'deleted', 3, 5, 1,
    CASE WHEN n % 10 = 0 THEN now() + interval '5 minutes' END, 'a', 'r',
    CASE WHEN n % 10 = 0 THEN 'waiting' ELSE 'succeeded' END, CASE WHEN n % 10 > 0 THEN now() END,
    CASE WHEN n % 1000 = 0 THEN 1 END, CASE WHEN n % 1000 = 0 THEN now() END,
    CASE WHEN n % 1000 = 0 THEN now() + interval '5 minutes' END
FROM (SELECT id, row_number() OVER (ORDER BY id, nth) AS n
      FROM toygres.instances CROSS JOIN generate_series(1, 10) AS nth) AS made;
INSERT INTO toygres.steps (operation_id, position, name, undo, limit_seconds, within_seconds)
SELECT id, position, 'step' || position, 'undo' || position, 60, 60
FROM toygres.operations CROSS JOIN generate_series(0, 2) AS position;
ANALYZE;
"""
_MANY = ("operations", "steps", "instances")


class Server(Protocol):
    """What makes metadata DBs."""

    def fresh(self) -> str: ...
    def drop(self, url: str) -> None: ...


class Ledger:
    """A metadata DB with much in it, most of it over."""

    def __init__(self, store: Store) -> None:
        self.store = store
        self._taken = count()
        unheld = "SELECT id FROM toygres.operations WHERE ended_at IS NULL AND owner IS NULL ORDER BY id"
        self._open = [row.id for row in store.all(unheld)]

    def unheld(self) -> UUID:
        """An operation that is open, and that no test was given before."""
        found: UUID = self._open[next(self._taken)]
        return found

    def claim(self) -> Claim:
        """A claim that no test was given before."""
        worker = self.store.one("INSERT INTO toygres.workers (host, pid) VALUES ('h', 1) RETURNING id")
        assert worker is not None
        claim = claims.claim(self.store, worker.id, self.unheld(), "step0")
        assert claim is not None
        return claim

    def cancelled(self) -> UUID:
        """An operation that was told to cancel."""
        operation = self.unheld()
        assert operations.request_cancel(self.store, "default", operation, "a")
        return operation


@pytest.fixture(scope="module")
def ledger(metadata_server: Server) -> Iterator[Ledger]:
    url = metadata_server.fresh()
    store = Store(url)
    with store.direct() as connection:
        connection.execute(_FILL)
    yield Ledger(store)
    store.close()
    metadata_server.drop(url)


@contextmanager
def _recorded() -> Iterator[list[tuple[str, Any]]]:
    """Every statement that is run meanwhile, with its values."""
    statements: list[tuple[str, Any]] = []
    execute = psycopg.Cursor.execute

    def record(cursor: psycopg.Cursor, statement: str, values: object = None, **options: Any) -> psycopg.Cursor:
        # What libpq says by itself, BEGIN and COMMIT, doesn't come by here.
        statements.append((statement, values))
        return execute(cursor, statement, values, **options)

    with mock.patch.object(psycopg.Cursor, "execute", record):
        yield statements


def _nodes(node: dict[str, Any]) -> list[dict[str, Any]]:
    return [node, *(found for child in node.get("Plans", ()) for found in _nodes(child))]


def _plan(store: Store, statement: str, values: Any) -> list[dict[str, Any]]:
    with store.transaction() as connection:
        [(plan,)] = connection.execute("EXPLAIN (FORMAT JSON) " + statement, values).fetchall()
    return _nodes(plan[0]["Plan"])


def _turn(ledger: Ledger, operation: UUID) -> None:
    fence = operations.standing(ledger.store, operation).fence
    assert turns.turn_round(
        ledger.store, operation, fence, "cancelled", STARTING.cause, worker=None, actor="a", undo_seconds=1
    )


def _abandon(ledger: Ledger) -> None:
    held = ledger.claim()
    turns.turn_round(
        ledger.store, held.operation_id, held.fence, "failed", STARTING.cause,
        worker=held.worker, actor="a", undo_seconds=1,
    )  # fmt: skip
    fence = operations.standing(ledger.store, held.operation_id).fence
    assert turns.abandon(
        ledger.store, held.operation_id, fence, STARTING.cause, (), cleanup=ids.new(), worker=None, actor="a"
    )


def _supersede(ledger: Ledger) -> None:
    with ledger.store.transaction() as connection:
        assert turns.supersede(connection, ledger.unheld(), ids.new(), "a")


def _publish_endpoint(ledger: Ledger) -> None:
    held = ledger.claim()
    endpoint = Endpoint(host="h", port=1)
    assert instances.set_endpoint(ledger.store, held.instance.id, held.fence, held.operation_id, endpoint)


ACTS: dict[str, Callable[[Ledger], object]] = {
    "claim": lambda ledger: ledger.claim(),
    "finish": lambda ledger: claims.finish(ledger.store, ledger.claim()),
    "park": lambda ledger: claims.park(ledger.store, ledger.claim(), STARTING.cause),
    "try later": lambda ledger: claims.try_later(ledger.store, ledger.claim(), STARTING.cause, 1),
    "hand back": lambda ledger: claims.hand_back(ledger.store, ledger.claim(), STARTING.cause, 1),
    "free what lapsed": lambda ledger: claims.free_lapsed(ledger.store, STARTING.cause),
    "free what the dead held": lambda ledger: claims.free_of_dead(ledger.store, STARTING.cause),
    "free what was forgotten": lambda ledger: claims.free_forgotten(ledger.store, 1, set(), STARTING.cause),
    "free all of a worker": lambda ledger: claims.free_all_of(ledger.store, 999, STARTING.cause),
    "sweep": lambda ledger: sweeps.take_due(ledger.store, None),
    "wake": lambda ledger: sweeps.wake(ledger.store, [ledger.claim().instance.id]),
    "turn round": lambda ledger: _turn(ledger, ledger.cancelled()),
    "abandon": _abandon,
    "supersede": _supersede,
    "what is left": lambda ledger: operations.remaining(ledger.store, ledger.unheld()),
    "whose turn it is": lambda ledger: operations.current_step(ledger.store, ledger.unheld()),
    "read one": lambda ledger: operations.find(ledger.store, "default", ledger.unheld()),
    "an address": _publish_endpoint,
    "reap": lambda ledger: workers.reap(ledger.store, judge=1),
}


@pytest.mark.parametrize("act", ACTS.values(), ids=ACTS)
def test_a_statement_reads_its_rows_by_an_index(ledger: Ledger, act: Callable[[Ledger], object]) -> None:
    with _recorded() as statements:
        act(ledger)
    assert statements
    for statement, values in statements:
        nodes = _plan(ledger.store, statement, values)
        scans = [node for node in nodes if node.get("Relation Name") in _MANY and "Scan" in node["Node Type"]]
        whole = [node for node in scans if not _by_index(node)]
        assert whole == [], json.dumps(whole, indent=1) + statement


def _by_index(node: dict[str, Any]) -> bool:
    """By a condition on an index, or by the index that holds nothing but what is claimed now."""
    if node["Node Type"] == "Bitmap Heap Scan":
        return all(_by_index(child) for child in node["Plans"])
    return "Index Cond" in node or node.get("Index Name") == "operations_held"


@pytest.mark.parametrize("lost", ["free what lapsed", "free what the dead held", "free what was forgotten"])
def test_claims_are_freed_by_the_index_of_what_is_held_and_locked_in_one_order(ledger: Ledger, lost: str) -> None:
    with _recorded() as statements:
        ACTS[lost](ledger)
    nodes = _plan(ledger.store, *statements[-1])
    assert "operations_held" in {node.get("Index Name") for node in nodes}
    locks = next(node for node in nodes if node["Node Type"] == "LockRows")
    assert [child["Sort Key"] for child in locks["Plans"] if child["Node Type"] == "Sort"] == [["o.id"]]


def test_with_nothing_due_the_sweep_reads_nothing_but_the_index_of_what_is_due(ledger: Ledger) -> None:
    with ledger.store.transaction() as connection:
        values = {"oldest_age": None, "grace": 3.0, "margin": 1.0, "limit": 500}
        [(plan,)] = connection.execute("EXPLAIN (ANALYZE, FORMAT JSON) " + _SWEEP, values).fetchall()
    scans = [node for node in _nodes(plan[0]["Plan"]) if node.get("Relation Name") == "operations"]
    due = [node for node in scans if node.get("Index Name") == "operations_due"]
    assert len(due) == 2, json.dumps(plan, indent=1)
    assert all("due_at" in node["Index Cond"] for node in due)
    assert all("Scan" not in node["Node Type"] or "Seq" not in node["Node Type"] for node in scans)
    assert sum(node.get("Rows Removed by Filter", 0) for node in scans) == 0
