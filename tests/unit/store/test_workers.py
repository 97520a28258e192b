"""Which workers live: a lock that ends with its session, and a row that is touched twice a second."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from toygres.store import workers
from toygres.store.session import Store
from toygres.store.workers import Condition, Presence


@pytest.fixture
def presence(store: Store) -> Iterator[Presence]:
    made = Presence(store, "host", 1)
    made.arrive()
    yield made
    made.leave()


@pytest.fixture
def judge(store: Store) -> Iterator[Presence]:
    """Another worker, which has beaten steadily; the DB it asks was started long ago."""
    made = Presence(store, "host", 2)
    made.arrive()
    _start_database_ago(store, 3600)
    yield made
    made.leave()


def _start_database_ago(store: Store, seconds: float) -> None:
    """Have the DB been started so long ago; in truth it may have been a second."""
    store.run(
        f"""CREATE OR REPLACE FUNCTION toygres.database_began_at() RETURNS timestamptz LANGUAGE sql STABLE AS
            'SELECT clock_timestamp() - make_interval(secs => {seconds})'"""
    )


def _shift(store: Store, seconds: float) -> None:
    store.run("UPDATE toygres.clock SET shift = shift + make_interval(secs => %(s)s)", s=seconds)


def _age(store: Store, presence: Presence, seconds: float) -> None:
    """Have the worker not been seen for so long."""
    store.run(
        "UPDATE toygres.workers SET seen_at = seen_at - make_interval(secs => %(s)s) WHERE id = %(id)s",
        s=seconds,
        id=presence.worker_id,
    )


def _cut(store: Store, presence: Presence) -> None:
    """End the worker's session as a restart of the DB or an administrator does."""
    ended = store.all(
        "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity WHERE application_name = %(name)s",
        name=presence.name,
    )
    assert len(ended) == 1


def _reaped(store: Store, judge: Presence) -> list[int]:
    return workers.reap(store, judge.worker_id)


def test_a_worker_that_arrived_is_counted_until_it_departs(store: Store, presence: Presence) -> None:
    assert workers.living(store).workers == 1
    assert presence.beat()
    workers.depart(store, presence.worker_id)
    assert workers.living(store).workers == 0


def test_what_workers_tell_of_themselves_is_added_up(store: Store, presence: Presence, judge: Presence) -> None:
    presence.beat(Condition(slots=16, busy=5, hung=2, idle_seconds=7))
    judge.beat(Condition(slots=4, busy=4, hung=0, idle_seconds=90))
    crew = workers.living(store)
    assert (crew.workers, crew.slots, crew.free, crew.hung) == (2, 20, 11, 2)
    assert 7 <= crew.idle_seconds < 60


def test_a_worker_that_others_took_for_dead_arrives_under_a_new_number(store: Store, presence: Presence) -> None:
    first = presence.worker_id
    workers.depart(store, first)
    assert not presence.beat()
    assert presence.arrive() != first
    assert presence.beat()


def test_a_worker_whose_session_lives_is_not_reaped_for_a_late_beat(
    store: Store, presence: Presence, judge: Presence
) -> None:
    _age(store, presence, 3)
    assert _reaped(store, judge) == []


def test_a_worker_whose_session_ended_is_reaped_within_seconds(
    store: Store, presence: Presence, judge: Presence
) -> None:
    _cut(store, presence)
    _age(store, presence, 2)
    assert _reaped(store, judge) == [presence.worker_id]


def test_a_worker_that_beat_since_its_session_was_cut_is_not_reaped(
    store: Store, presence: Presence, judge: Presence
) -> None:
    _cut(store, presence)
    assert _reaped(store, judge) == []


def test_behind_a_pooler_a_dead_worker_is_reaped_by_its_row(store: Store, presence: Presence, judge: Presence) -> None:
    # The pooler keeps the server's session, and with it the lock, when its client has gone.
    _age(store, presence, workers.FROZEN_AFTER_SECONDS + 1)
    judge.leave()
    assert _reaped(store, judge) == [presence.worker_id]


def test_who_does_not_hold_its_own_lock_judges_nobody_by_theirs(
    store: Store, presence: Presence, judge: Presence
) -> None:
    _cut(store, presence)
    _cut(store, judge)
    _age(store, presence, 2)
    assert _reaped(store, judge) == []
    assert judge.beat()
    assert _reaped(store, judge) == [], "it has its lock again, but only just"
    store.run("UPDATE toygres.workers SET cut_at = cut_at - make_interval(secs => 4)")
    assert _reaped(store, judge) == [presence.worker_id]


def test_who_missed_its_own_beats_takes_nobody_for_frozen(store: Store, presence: Presence, judge: Presence) -> None:
    # The DB was away for a while: every row is old, and one of them belongs to who asks.
    _age(store, presence, 20)
    _age(store, judge, 20)
    assert _reaped(store, judge) == []
    assert judge.beat()
    assert _reaped(store, judge) == [], "the others must have had time to beat, too"
    store.run("UPDATE toygres.workers SET unsteady_at = unsteady_at - make_interval(secs => 6)")
    assert _reaped(store, judge) == [presence.worker_id]


def test_who_missed_its_own_beats_judges_by_locks_as_soon_as_it_beats_again(
    store: Store, presence: Presence, judge: Presence
) -> None:
    # A session outlives its worker's being frozen, so a lock that is free says what it always says.
    _cut(store, presence)
    _age(store, presence, 2)
    _age(store, judge, 20)
    assert _reaped(store, judge) == []
    assert judge.beat()
    assert _reaped(store, judge) == [presence.worker_id]


def test_right_after_a_start_of_the_database_nobody_is_judged(
    store: Store, presence: Presence, judge: Presence
) -> None:
    _start_database_ago(store, 2)
    _age(store, presence, 20)
    assert _reaped(store, judge) == []


def test_the_database_began_when_it_was_started(store: Store) -> None:
    row = store.one("SELECT toygres.database_began_at() >= pg_postmaster_start_time() AS later")
    assert row.later


def test_who_was_reaped_judges_nobody(store: Store, presence: Presence, judge: Presence) -> None:
    workers.depart(store, judge.worker_id)
    _age(store, presence, 20)
    assert _reaped(store, judge) == []


def test_a_worker_whose_session_was_cut_locks_again_under_its_number(
    store: Store, presence: Presence, judge: Presence
) -> None:
    _cut(store, presence)
    assert presence.beat()
    _age(store, presence, 3)
    assert _reaped(store, judge) == []


def test_a_lock_that_a_lost_session_still_has_does_not_stop_the_pulse(store: Store, presence: Presence) -> None:
    with store.direct("lost") as lost:
        presence.leave()
        lost.execute("SELECT pg_advisory_lock(%s, %s)", (workers.LOCK_CLASS, presence.worker_id))
        assert presence.beat()
    assert presence.beat()
    assert presence._connection is not None


def test_a_clock_that_stepped_back_hides_no_death(store: Store, presence: Presence, judge: Presence) -> None:
    _cut(store, presence)
    _shift(store, -3600)
    assert judge.beat()
    assert _reaped(store, judge) == [presence.worker_id]


def test_a_clock_that_stepped_forward_is_no_death(store: Store, presence: Presence, judge: Presence) -> None:
    _shift(store, 3600)
    assert judge.beat()
    assert _reaped(store, judge) == []
