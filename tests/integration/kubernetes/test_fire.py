"""Under fire: a third of calls fails, watches are cut each second, workers are killed; all that was ordered ends."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from making_plane import KINDS, Plane

from toygres.domain.instance import InstanceState
from toygres.domain.operation import OperationState
from toygres.domain.records import OperationRecord
from toygres.platforms.kubernetes.labels import INSTANCE_ID
from toygres.provisioning import request_delete

MANY = 16
WORKERS = 4
_CUT_SECONDS = 1.0
_KILL_SECONDS = 3.0


@contextmanager
def under_fire(plane: Plane) -> Iterator[None]:
    """From now on, until the block ends."""
    plane.cluster.faults.retry_after = 0.2
    plane.cluster.faults.fail("500", "503", "429", "reset", "lost", share=0.3)
    over = threading.Event()

    def cut() -> None:
        while not over.wait(_CUT_SECONDS):
            plane.cluster.cut_watches()

    def kill() -> None:
        for victim in plane.workers[:-1]:
            if over.wait(_KILL_SECONDS):
                return
            victim.kill()
            victim.wait()

    threads = [threading.Thread(target=cut), threading.Thread(target=kill)]
    for thread in threads:
        thread.start()
    try:
        yield
    finally:
        over.set()
        for thread in threads:
            thread.join()
        plane.cluster.faults.stop()


@pytest.fixture
def plane(shared_plane: Plane) -> Plane:
    shared_plane.start_workers(WORKERS - 1)
    return shared_plane


def test_all_that_is_ordered_under_fire_ends_and_nothing_is_made_twice_or_left(plane: Plane) -> None:
    names = [f"fire{number}" for number in range(MANY)]
    with under_fire(plane):
        creates = [plane.ask(name) for name in names]
        # The first of them are deleted in the middle of their create.
        deletes = [plane.requested(request_delete, name) for name in names[:2]]
        succeeded(plane, creates[2:])
        deletes += [plane.requested(request_delete, name) for name in names[2 : MANY // 2]]
        succeeded(plane, deletes)
    assert plane.made_twice() == []
    for name in names[MANY // 2 :]:
        assert plane.now_named(name).state is InstanceState.READY
    succeeded(plane, [plane.requested(request_delete, name) for name in names[MANY // 2 :]])
    assert orphans(plane) == []


def succeeded(plane: Plane, operations: list[OperationRecord]) -> None:
    """Return once all of them have."""
    for operation in operations:
        ended = plane.ended(operation.id)
        assert ended.state is OperationState.SUCCEEDED, ended


def orphans(plane: Plane) -> list[str]:
    """Whatever bears an instance's mark."""
    return [
        f"{kind} {found['metadata']['name']}"
        for kind in KINDS
        for found in plane.cluster.list(kind)
        if INSTANCE_ID in (found["metadata"].get("labels") or {})
    ]
