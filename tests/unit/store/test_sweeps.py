"""What the sweep takes: what is due, but nothing that may still wait in the queue."""

from __future__ import annotations

from uuid import UUID, uuid4

import pytest

from toygres.store import claims, sweeps, workers
from toygres.store.session import Store

_GRACE = claims.GRACE_SECONDS
_ORDERED = """
WITH instance AS (
    INSERT INTO toygres.instances (id, project, name, platform, spec)
    SELECT gen_random_uuid(), 'default', %(name)s, 'p', '{"version": "18", "storage_bytes": 1, "cpu_millicores": 1,
        "memory_bytes": 1, "parameters": {}, "user": "u", "database": "d"}' RETURNING id
), operation AS (
    INSERT INTO toygres.operations (id, project, instance_id, kind, gives, gives_failed, gives_cancelled, nsteps,
        max_attempts, fence, due_at, actor, request_id)
    SELECT gen_random_uuid(), 'default', id, 'create', 'ready', 'failed', 'deleted', 1, 5, 1,
           to_timestamp(CAST(%(due)s AS double precision)), 'a', 'r'
    FROM instance RETURNING id
)
INSERT INTO toygres.steps (operation_id, position, name, limit_seconds) SELECT id, 0, 'step', 60 FROM operation
RETURNING operation_id AS id
"""


@pytest.fixture
def now(store: Store) -> float:
    """The DB's time, in seconds since 1970."""
    with store.transaction() as connection:
        connection.execute("INSERT INTO toygres.platforms (name, kind, identity) VALUES ('p', 'p', 'p')")
    row = store.one("SELECT extract(epoch FROM toygres.toygres_now()) AS now")
    assert row is not None
    return float(row.now)


def _ordered(store: Store, due: float) -> UUID:
    row = store.one(_ORDERED, name=f"i{uuid4().hex[:8]}", due=due)
    assert row is not None
    found: UUID = row.id
    return found


def _taken(store: Store, oldest_age: float | None) -> set[UUID]:
    return {due.id for due in sweeps.take_due(store, oldest_age)}


def test_what_may_still_wait_in_the_queue_is_not_published_again(store: Store, now: float) -> None:
    taken_or_lost = _ordered(store, now - 100)
    _ordered(store, now - 50)
    # A message that was published 60 seconds ago is the oldest that waits: what was due later may wait behind it.
    assert _taken(store, 60) == {taken_or_lost}


def test_with_an_empty_queue_all_that_is_due_is_published(store: Store, now: float) -> None:
    due = {_ordered(store, now - 100), _ordered(store, now - 1)}
    _ordered(store, now + 100)
    assert _taken(store, None) == due


def test_what_nobody_claims_is_published_again_after_three_seconds_and_then_every_six(store: Store, now: float) -> None:
    _ordered(store, now - 1)
    pauses = []
    for _ in range(8):
        assert len(_taken(store, None)) == 1
        row = store.one("SELECT extract(epoch FROM due_at - toygres.toygres_now()) AS seconds FROM toygres.operations")
        assert row is not None
        pauses.append(round(float(row.seconds)))
        store.run("UPDATE toygres.operations SET due_at = toygres.toygres_now()")
    # Not ever more seldom: each time it may go to an older worker again, which doesn't know the step.
    assert pauses == [round(_GRACE)] + [round(2 * _GRACE)] * 7


def test_a_claim_makes_the_sweep_quick_again(store: Store, now: float) -> None:
    operation = _ordered(store, now - 1)
    _taken(store, None)
    worker = workers.Presence(store, "host", 1)
    worker.arrive()
    held = claims.claim(store, worker.worker_id, operation, "step")
    assert held is not None
    row = store.one("SELECT unclaimed FROM toygres.operations")
    assert row is not None
    assert row.unclaimed == 0
    worker.leave()


def test_two_sweeps_at_once_do_not_share_what_is_due(store: Store, now: float) -> None:
    due = {_ordered(store, now - 1) for _ in range(3)}
    with store.transaction() as connection:
        values = {"oldest_age": None, "grace": _GRACE, "margin": 1.0, "limit": 2}
        first = {row.id for row in connection.execute(sweeps._SWEEP, values)}
        # The first has not committed: what it took is skipped, not waited for.
        second = _taken(store, None)
    assert (len(first), first & second, first | second) == (2, set(), due)
