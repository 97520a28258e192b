"""Which workers live: a lock that ends with its session, and a row that is touched every second."""

from __future__ import annotations

from toygres.store import workers
from toygres.store.session import Store


def _shift(store: Store, seconds: float) -> None:
    store.run("UPDATE toygres.clock SET shift = shift + make_interval(secs => :s)", s=seconds)


def _no_grace_after_start(store: Store) -> bool:
    row = store.one("SELECT pg_postmaster_start_time() < clock_timestamp() - interval '8 seconds' AS old")
    return bool(row and row.old)


def test_a_worker_that_arrived_is_counted_until_it_departs(store: Store) -> None:
    presence = workers.Presence(store, "host", 1)
    number = presence.arrive()
    assert workers.living(store) == 1
    assert presence.beat()
    presence.leave()
    workers.depart(store, number)
    assert workers.living(store) == 0


def test_a_departed_worker_must_arrive_anew(store: Store) -> None:
    presence = workers.Presence(store, "host", 1)
    first = presence.arrive()
    workers.depart(store, first)
    assert not presence.beat()
    assert presence.arrive() != first
    presence.leave()


def test_a_worker_seen_just_now_is_not_reaped(store: Store) -> None:
    presence = workers.Presence(store, "host", 1)
    presence.arrive()
    assert workers.reap(store) == []
    presence.leave()


def test_nobody_is_reaped_right_after_the_database_started(store: Store) -> None:
    presence = workers.Presence(store, "host", 1)
    presence.arrive()
    presence.leave()
    _shift(store, 60)
    expected = [presence.worker_id] if _no_grace_after_start(store) else []
    assert workers.reap(store) == expected
