"""Two workers on one metadata DB and broker: the local platform lives in the home of one of them."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from making_stack import Stack

from toygres.domain.operation import OperationState, StepState
from toygres.domain.records import OperationRecord
from toygres.errors import CauseCode
from toygres.home import Home
from toygres.platforms.local import place


@pytest.fixture
def other_home(stack: Stack) -> Iterator[Home]:
    """A home with the same keys, as on another machine."""
    folder = Path(tempfile.mkdtemp(prefix="tg-other-"))
    made = Home(folder / "home")
    made.make()
    shutil.copy(stack.home.secret_keys, made.secret_keys)
    yield made
    place.forget(made)
    shutil.rmtree(folder)


def _waits_for_the_other_host(operation: OperationRecord) -> bool:
    step = operation.steps[0]
    return step.state is StepState.WAITING and step.cause is not None and step.cause.code is CauseCode.OTHER_HOST


def test_a_step_waits_without_an_attempt_until_a_worker_of_the_right_host_is_there(
    stack: Stack, other_home: Home
) -> None:
    stack.start_worker(TOYGRES_HOME=str(other_home.path))
    waiting = stack.once(stack.order(), _waits_for_the_other_host)
    assert "another machine" in waiting.steps[0].cause.message
    assert waiting.steps[0].attempts == 0
    stack.start_worker()
    ended = stack.ended(waiting.id)
    assert ended.state is OperationState.SUCCEEDED, ended.cause
    assert [step.attempts for step in ended.steps[:4]] == [1, 1, 1, 1]


def test_with_a_worker_on_each_host_all_creates_succeed_and_one_home_alone_has_servers(
    stack: Stack, other_home: Home
) -> None:
    stack.start_worker(TOYGRES_HOME=str(other_home.path))
    stack.start_worker()
    orders = [stack.order(f"demo-{number}") for number in range(3)]
    ended = [stack.ended(order) for order in orders]
    assert {operation.state for operation in ended} == {OperationState.SUCCEEDED}
    assert not other_home.place.exists()
    assert {path.name for path in other_home.path.iterdir()} == {"logs", "secret-keys"}
    log = (stack.home.logs / "worker0.log").read_text()
    assert "observer_leads" not in log
    assert "availability_changed" not in log
