"""Which workers live: a lock that ends with its session, and a row that is touched every second."""

from __future__ import annotations

import psycopg
import pytest

from toygres.store import workers
from toygres.store.session import Store
from toygres.store.workers import Presence


@pytest.fixture
def presence(store: Store) -> Presence:
    made = Presence(store, "host", 1)
    made.arrive()
    return made


def _shift(store: Store, seconds: float) -> None:
    store.run("UPDATE toygres.clock SET shift = shift + make_interval(secs => :s)", s=seconds)


def _cut(store: Store, presence: Presence) -> None:
    """End the worker's session as a restart of the DB or an administrator does."""
    ended = store.all(
        "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity WHERE application_name = :name",
        name=presence.name,
    )
    assert len(ended) == 1


def test_a_worker_that_arrived_is_counted_until_it_departs(store: Store, presence: Presence) -> None:
    assert workers.living(store) == 1
    assert presence.beat()
    workers.depart(store, presence.worker_id)
    assert workers.living(store) == 0
    presence.leave()


def test_a_worker_that_others_took_for_dead_arrives_under_a_new_number(store: Store, presence: Presence) -> None:
    first = presence.worker_id
    workers.depart(store, first)
    assert not presence.beat()
    assert presence.arrive() != first
    assert presence.beat()
    presence.leave()


def test_a_worker_whose_session_lives_is_not_reaped_for_a_late_beat(store: Store, presence: Presence) -> None:
    _shift(store, 3)
    assert workers.reap(store, by_lock=True) == []
    presence.leave()


def test_a_worker_whose_session_ended_is_reaped_within_seconds(store: Store, presence: Presence) -> None:
    _cut(store, presence)
    _shift(store, 3)
    assert workers.reap(store, by_lock=True) == [presence.worker_id]
    presence.leave()


def test_who_has_lost_its_own_session_lately_takes_no_lost_one_for_a_death(store: Store, presence: Presence) -> None:
    assert not presence.may_judge
    _cut(store, presence)
    _shift(store, 3)
    assert workers.reap(store, by_lock=presence.may_judge) == []
    presence.leave()


def test_a_frozen_worker_is_reaped_and_its_sessions_are_ended(store: Store, presence: Presence) -> None:
    _shift(store, workers.FROZEN_AFTER_SECONDS + 1)
    assert workers.reap(store, by_lock=False) == [presence.worker_id]
    with pytest.raises(psycopg.Error):
        presence._connection.execute("SELECT 1")
    presence.leave()


def test_a_worker_whose_session_was_cut_locks_again_under_its_number(store: Store, presence: Presence) -> None:
    _cut(store, presence)
    assert presence.beat()
    _shift(store, 3)
    assert workers.reap(store, by_lock=True) == []
    presence.leave()


def test_a_clock_that_stepped_back_hides_no_death(store: Store, presence: Presence) -> None:
    _cut(store, presence)
    _shift(store, -3600)
    assert workers.reap(store, by_lock=True) == [presence.worker_id]
    presence.leave()
