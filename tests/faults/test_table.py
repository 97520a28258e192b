"""Whatever befalls any step of any operation: it ends as declared, with exactly the instance's objects."""

from __future__ import annotations

import pytest
from faults.acts import ACTS
from faults.declared import ROWS, Fault, Row
from faults.scene import Scene
from worlds import World

from toygres.operations import OPERATIONS, RETIRED, STEPS


@pytest.mark.parametrize("fault", Fault, ids=lambda fault: fault.name.lower())
@pytest.mark.parametrize("row", ROWS, ids=lambda row: str(row).replace(" ", "_"))
def test_a_step_that_meets_a_fault(world: World, row: Row, fault: Fault) -> None:
    scene = Scene(world, row)
    ACTS[fault](scene)
    scene.check(fault)


def test_the_table_has_every_step_and_every_undo_of_every_operation_and_every_fault() -> None:
    assert {row.step for row in ROWS} == set(STEPS) - set(RETIRED)
    assert set(ACTS) == set(Fault)
    steps = sum(len(operation.steps) for operation in OPERATIONS.values())
    undoing = [operation for operation in OPERATIONS.values() if not operation.persistent]
    undos = sum(step.undo is not None for operation in undoing for step in operation.steps)
    assert len(ROWS) == len(set(map(str, ROWS))) == steps + 2 * undos
