"""One leads: the lead passes on with its worker's row, and two never have it."""

from __future__ import annotations

import threading

import pytest

from toygres.store import workers
from toygres.store.leadership import Leadership
from toygres.store.session import Store


def _arrive(store: Store) -> int:
    row = store.one("INSERT INTO toygres.workers (host, pid) VALUES ('test', 1) RETURNING id")
    assert row is not None
    return int(row.id)


@pytest.fixture
def two(store: Store) -> tuple[int, int]:
    """Two workers."""
    return _arrive(store), _arrive(store)


def _stands(store: Store, worker: int) -> Leadership:
    return Leadership(store, "matter", lambda: worker)


def test_the_first_leads_until_its_worker_is_gone(store: Store, two: tuple[int, int]) -> None:
    first, second = (_stands(store, worker) for worker in two)
    assert first.leads()
    assert not second.leads()
    assert first.leads()
    workers.depart(store, two[0])
    assert second.leads()
    assert not first.leads(), "who was taken for dead leads nothing, though it may live"


def test_who_is_no_worker_never_leads(store: Store) -> None:
    assert not _stands(store, 4711).leads()


def test_of_many_that_stand_at_once_one_leads(store: Store) -> None:
    crowd = [_stands(store, _arrive(store)) for _ in range(8)]
    begin = threading.Barrier(len(crowd))
    led: list[bool] = []

    def stand(one: Leadership) -> None:
        begin.wait(timeout=30)
        led.append(one.leads())

    threads = [threading.Thread(target=stand, args=(one,)) for one in crowd]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout=60)
    assert sorted(led) == [False] * 7 + [True]


def test_who_lost_the_lead_is_told(store: Store, two: tuple[int, int]) -> None:
    stop = threading.Event()
    with _stands(store, two[0]).held(stop) as lost:
        assert lost is not None
        workers.depart(store, two[0])
        assert _stands(store, two[1]).leads()
        assert lost.wait(timeout=30)


def test_who_waits_for_the_lead_stops_when_told(store: Store, two: tuple[int, int]) -> None:
    assert _stands(store, two[0]).leads()
    stop = threading.Event()
    stop.set()
    with _stands(store, two[1]).held(stop) as lost:
        assert lost is None
