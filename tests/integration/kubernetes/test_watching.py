"""On a cluster: what is waited for is heard from watches, soon, and nobody is asked meanwhile."""

from __future__ import annotations

import statistics
import time
from collections.abc import Iterator
from typing import Any

import pytest
from fake_cluster import FakeCluster
from fake_cluster.pods import is_ready
from making_plane import NAMESPACE, Plane, running_plane
from waiting_until import until

from toygres.store import events
from toygres.store.claims import GRACE_SECONDS

WATCHED = {"statefulsets.apps", "pods", "persistentvolumeclaims", "services", "events"}
MANY = 20
RENEWALS = 3
# The bound of `benchmarks kubernetes` is a tenth of it: other tests have the machine, too.
MOST_SECONDS = 1.0


def _by_hand() -> FakeCluster:
    cluster = FakeCluster(by_hand=True)
    # Each watch is asked to end after thirty seconds.
    cluster.watches.pace = 15.0
    return cluster


@pytest.fixture
def slow_plane(database_url: str) -> Iterator[Plane]:
    """A plane on a cluster on which nothing happens unless the test lets it."""
    with running_plane(database_url, _by_hand) as made:
        made.start_worker()
        yield made


@pytest.mark.timeout(300)
def test_while_many_instances_wait_nobody_asks_for_anything(slow_plane: Plane) -> None:
    plane = slow_plane
    operations = [plane.ask(f"waits{number}") for number in range(MANY)]
    # Nothing of it depends on how fast that is.
    plane.heard(lambda: all_wait(plane), 180.0)
    plane.cluster.clock.advance(0.9)
    until(lambda: len(plane.cluster.list("pods", NAMESPACE)) == MANY)
    before = renewed(plane)
    # What was told of the pods' beginning has woken its step by then.
    until(lambda: least(renewed(plane), before) >= 1)
    until(lambda: all_wait(plane))
    quiet, asked = renewed(plane), dict(plane.cluster.requests)
    until(lambda: least(renewed(plane), quiet) >= RENEWALS)
    more = {what: times - asked.get(what, 0) for what, times in plane.cluster.requests.items()}
    assert {what for what, times in more.items() if times} == {("watch", kind) for kind in WATCHED}
    assert max(more.values()) <= RENEWALS + 2
    assert [plane.cluster.requests["list", kind] for kind in ("resourcequotas", "nodes")] == [0, 0]
    assert all_wait(plane)
    assert len(operations) == MANY


def test_a_server_that_is_ready_is_heard_of_soon(plane: Plane) -> None:
    became_ready: dict[str, float] = {}

    def note(change: Any) -> None:
        if change.resource == "pods" and is_ready(change.object):
            became_ready.setdefault(change.object["metadata"]["name"], time.time())

    plane.cluster.store.listeners.append(note)
    went_on = []
    for number in range(9):
        found = plane.ready(f"soon{number}")
        ready = became_ready[f"{found.name}-0"]
        claims = [
            (event.step, event.at.timestamp() - ready)
            for event in events.after(plane.services.store, "default", limit=10_000, instance=found.id)
            if event.kind == "step_claimed" and event.at.timestamp() >= ready
        ]
        went_on.append(next(seconds for step, seconds in claims if step == "verify_login"))
        plane.gone(found.name)
    plane.cluster.store.listeners.remove(note)
    assert statistics.median(went_on) <= MOST_SECONDS


def all_wait(plane: Plane) -> bool:
    """Whether every open operation waits for its server, and nothing woke it since it looked last."""
    ended = plane.services.store.all("SELECT state, cause FROM toygres.operations WHERE ended_at IS NOT NULL")
    assert ended == []
    row = plane.services.store.one(
        """SELECT count(*) FILTER (WHERE s.name = 'await_server' AND s.state = 'waiting' AND o.owner IS NULL
                                   AND o.due_at > toygres.toygres_now() + make_interval(secs => %(grace)s)) AS waiting
           FROM toygres.operations o JOIN toygres.steps s ON s.operation_id = o.id AND s.position = o.cursor
           WHERE o.ended_at IS NULL""",
        grace=GRACE_SECONDS,
    )
    return row is not None and row.waiting == MANY and plane.queued() == 0


def renewed(plane: Plane) -> dict[str, int]:
    """How often each kind's watch has begun."""
    return {kind: plane.cluster.requests["watch", kind] for kind in WATCHED}


def least(now: dict[str, int], before: dict[str, int]) -> int:
    """How often that kind was renewed since `before` that was most seldom."""
    return min(now[kind] - before[kind] for kind in WATCHED)
