"""Clocks that are set while workers run and while none does: the metadata DB's, and that of a worker's machine."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from making_stack import Stack

from toygres.domain.operation import OperationState, StepState

HOURS = 3600.0
REPOSITORY = Path(__file__).parents[2]
# Read by every Python at its start: its clock is as wrong as the file beside it says, from one call to the next.
WRONG_CLOCK = """\
import pathlib, time
_right, _wrong_by = time.time, pathlib.Path(__file__).with_name("wrong_by")
time.time = lambda: _right() + float(_wrong_by.read_text())
"""


def shift(stack: Stack, hours: float) -> None:
    """Set the metadata DB's clock."""
    stack.services.store.run(
        "UPDATE toygres.clock SET shift = shift + make_interval(secs => %(seconds)s)", seconds=hours * HOURS
    )


@pytest.fixture
def wrong_clock() -> Iterator[Path]:
    """How wrong the clock of a worker is that is started with this file's folder in its PYTHONPATH."""
    with tempfile.TemporaryDirectory(prefix="tg-clock-") as folder:
        (Path(folder) / "sitecustomize.py").write_text(WRONG_CLOCK)
        wrong_by = Path(folder) / "wrong_by"
        wrong_by.write_text("0")
        yield wrong_by


@pytest.mark.parametrize("hours", [-5, 5])
def test_what_was_ordered_before_the_clock_was_set_is_found_after_it(stack: Stack, hours: float) -> None:
    operation = stack.order(publish=False)
    shift(stack, hours)
    stack.start_worker()
    ended = stack.ended(operation)
    late = hours * HOURS > stack.services.settings.operation_seconds
    assert ended.state is (OperationState.FAILED if late else OperationState.SUCCEEDED), ended.cause
    assert stack.create("other").state is OperationState.SUCCEEDED


@pytest.mark.parametrize("hours", [-5, 5])
def test_a_clock_that_is_set_while_a_step_runs_leaves_nothing_open_and_nothing_behind(
    stack: Stack, hours: float
) -> None:
    stack.start_worker()
    operation = stack.order()
    stack.once(operation, lambda found: found.steps[1].state is StepState.RUNNING)
    shift(stack, hours)
    ended = stack.ended(operation)
    if ended.state is not OperationState.SUCCEEDED:
        stack.assert_nothing_left(ended)
    assert stack.create("other").state is OperationState.SUCCEEDED


@pytest.mark.parametrize("hours", [-5, 5])
def test_a_worker_whose_machines_clock_is_set_meanwhile_goes_on(stack: Stack, wrong_clock: Path, hours: float) -> None:
    stack.start_worker(PYTHONPATH=f"{wrong_clock.parent}:{REPOSITORY}")
    first = stack.order()
    stack.once(first, lambda found: found.steps[1].state is StepState.RUNNING)
    wrong_clock.write_text(str(hours * HOURS))
    unpublished = stack.order("unpublished", publish=False)
    for operation in (first, unpublished, stack.order("last")):
        assert stack.ended(operation).state is OperationState.SUCCEEDED
