"""The fault table's rows on a cluster: an operation ends as declared, with exactly the instance's objects there."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Protocol

import pytest
from faults.acts import ACTS
from faults.cluster_scene import UNSERVED, ClusterScene, ClusterWorld, cluster_world
from faults.declared import ROWS, Fault, Part, Row

# Those that end the operation, and those after which it goes on; nothing ends what undoes.
ENDING, PASSING = (Fault.REFUSED_AFTER, Fault.CANCELLED), (Fault.RAISES_AFTER, Fault.TWICE)
UNDOING = (Fault.RAISES_AFTER, Fault.REFUSED_AFTER)


def _runs() -> Iterator[tuple[Row, Fault]]:
    """A step that several operations have meets what it passes in the first of them alone."""
    met: set[str] = set()
    for row in ROWS:
        if row.part is Part.CLEANUP or row.step in UNSERVED:
            continue
        faults = UNDOING if row.part is Part.UNDO else (*ENDING, *(() if row.step in met else PASSING))
        yield from ((row, fault) for fault in faults)
        met.add(row.step)


class Server(Protocol):
    """What makes metadata DBs."""

    def fresh(self) -> str: ...
    def drop(self, url: str) -> None: ...


@pytest.fixture(scope="module")
def world(metadata_server: Server) -> Iterator[ClusterWorld]:
    """A ledger and a cluster."""
    url = metadata_server.fresh()
    with cluster_world(url) as made:
        yield made
    metadata_server.drop(url)


@pytest.mark.parametrize(
    ("row", "fault"),
    tuple(_runs()),
    ids=lambda each: each.name.lower() if isinstance(each, Fault) else str(each).replace(" ", "_"),
)
def test_a_step_that_meets_a_fault(world: ClusterWorld, row: Row, fault: Fault) -> None:
    scene = ClusterScene(world, row)
    ACTS[fault](scene)
    scene.check(fault)
