"""Under fire: a third of calls fails, watches are cut each second, workers are killed; all that was ordered ends."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

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
_FAULTS = ("500", "503", "429", "reset", "lost")


@dataclass
class Fire:
    """What it did so far."""

    cut: int = 0
    killed: list[int] = field(default_factory=list)


@contextmanager
def under_fire(plane: Plane) -> Iterator[Fire]:
    """From now on, until the block ends."""
    plane.cluster.faults.retry_after = 0.2
    plane.cluster.faults.fail(*_FAULTS, share=0.3)
    over, fire = threading.Event(), Fire()

    def cut() -> None:
        while not over.wait(_CUT_SECONDS):
            fire.cut += plane.cluster.cut_watches()

    def kill() -> None:
        for victim in plane.workers[:-1]:
            if over.wait(_KILL_SECONDS):
                return
            assert victim.poll() is None
            victim.kill()
            fire.killed.append(victim.wait())

    _, killing = threads = [threading.Thread(target=cut), threading.Thread(target=kill)]
    for thread in threads:
        thread.start()
    try:
        yield fire
        # However soon all has ended: the last of them dies under fire, too.
        killing.join()
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
    with under_fire(plane) as fire:
        creates = [plane.ask(name) for name in names]
        # The first of them are deleted in the middle of their create.
        deletes = [plane.requested(request_delete, name) for name in names[:2]]
        succeeded(plane, creates[2:])
        deletes += [plane.requested(request_delete, name) for name in names[2 : MANY // 2]]
        succeeded(plane, deletes)
    assert set(plane.cluster.faults.met) == set(_FAULTS)
    assert fire.cut > 0
    assert fire.killed == [-signal.SIGKILL] * (WORKERS - 1)
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
