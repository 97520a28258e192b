"""A platform that doesn't answer: its steps are tried until the deadline, and that takes nothing of their time."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from doubles import MemoryPlatform
from driving import CALLER, STARTING, Driver, without_login

from toygres.domain.operation import OperationState, StepState
from toygres.engine import Outcome
from toygres.errors import Cause, CauseCode, Unavailable
from toygres.provisioning import request_restart

AWAY = "The cluster doesn't answer."
QUOTA = Cause(code=CauseCode.QUOTA_EXCEEDED, message="The quota is used up.", remedy="Wait, or have it raised.")


def _away(error: Unavailable) -> Callable[[], None]:
    def fail() -> None:
        raise error

    return fail


def _pause(driver: Driver) -> float:
    row = driver.services.store.one(
        "SELECT extract(epoch FROM not_before - toygres.toygres_now())::float AS seconds FROM toygres.operations"
    )
    return row.seconds


def test_it_is_tried_more_often_than_an_attempt_may_fail(driver: Driver, platform: MemoryPlatform) -> None:
    order = driver.order()
    platform.faults["before apply_credentials"] = _away(Unavailable(AWAY))
    for _ in range(3 * driver.services.settings.step_attempts):
        assert driver.deliver(order.operation.id) is Outcome.WAITING
        driver.shift_clock(31)
    step = driver.operation(order.operation.id).steps[0]
    assert step.cause is not None
    assert (step.cause.code, step.cause.message) == (CauseCode.PLATFORM_UNREACHABLE, AWAY)
    assert step.attempts == 0
    del platform.faults["before apply_credentials"]
    assert driver.drain(order.operation.id).state is OperationState.SUCCEEDED


def test_the_pauses_grow_up_to_half_a_minute(driver: Driver, platform: MemoryPlatform) -> None:
    order = driver.order()
    platform.faults["before apply_credentials"] = _away(Unavailable(AWAY))
    pauses = []
    for _ in range(8):
        driver.deliver(order.operation.id)
        pauses.append(round(_pause(driver)))
        driver.shift_clock(31)
    assert pauses == sorted(pauses)
    assert pauses[0] < 2
    assert 25 < pauses[-1] <= 30


def test_who_asks_to_be_left_alone_for_a_while_is(driver: Driver, platform: MemoryPlatform) -> None:
    order = driver.order()
    platform.faults["before apply_credentials"] = _away(Unavailable(AWAY, retry_after=17))
    driver.deliver(order.operation.id)
    assert _pause(driver) == pytest.approx(17, abs=1)


def test_a_cause_that_is_known_is_told(driver: Driver, platform: MemoryPlatform) -> None:
    order = driver.order()
    platform.faults["before apply_storage"] = _away(Unavailable(AWAY, cause=QUOTA))
    driver.drain(order.operation.id)
    assert driver.operation(order.operation.id).steps[1].cause == QUOTA


def test_an_outage_takes_nothing_of_the_time_that_a_step_may_wait(driver: Driver, platform: MemoryPlatform) -> None:
    order = driver.order()
    platform.status = STARTING
    driver.drain(order.operation.id)
    platform.faults["observe"] = _away(Unavailable(AWAY))
    for _ in range(int(driver.services.settings.server_start_seconds / 30) + 2):
        driver.shift_clock(31)
        driver.deliver(order.operation.id)
    del platform.faults["observe"]
    driver.shift_clock(31)
    assert driver.deliver(order.operation.id) is Outcome.WAITING, "it may wait still"
    driver.shift_clock(driver.services.settings.server_start_seconds)
    assert driver.drain(order.operation.id).state is OperationState.FAILED


def test_the_operations_deadline_ends_it(driver: Driver, platform: MemoryPlatform) -> None:
    order = driver.order()
    platform.faults["before apply_credentials"] = _away(Unavailable(AWAY))
    driver.deliver(order.operation.id)
    driver.shift_clock(driver.services.settings.operation_seconds + 1)
    del platform.faults["before apply_credentials"]
    ended = driver.drain(order.operation.id)
    assert ended.state is OperationState.FAILED
    assert ended.cause is not None
    assert AWAY in ended.cause.message


def test_what_a_step_tells_is_kept_with_it(driver: Driver) -> None:
    order = driver.order()
    driver.engine.steps = {**driver.engine.steps, "verify_login": lambda ctx: ctx.tell("It went well.")}
    ended = driver.drain(order.operation.id)
    assert [step.told for step in ended.steps] == [None] * 5 + ["It went well."]
    assert {step.state for step in ended.steps} == {StepState.DONE}


def test_how_long_a_login_took_is_kept_with_its_step_and_the_newest_with_the_instance(driver: Driver) -> None:
    order = driver.order()
    driver.engine.steps = {**driver.engine.steps, "verify_login": lambda ctx: ctx.logged_in(0.0123456)}
    assert driver.instance(order.instance.id).login_seconds is None
    ended = driver.drain(order.operation.id)
    assert [step.login_seconds for step in ended.steps] == [None] * 5 + [0.0123]
    assert driver.instance(order.instance.id).login_seconds == 0.0123
    # As a worker of an older version ends it, which measures none.
    driver.engine.steps = without_login()
    again = driver.drain(request_restart(driver.services, CALLER, "demo").operation.id)
    assert {step.login_seconds for step in again.steps} == {None}
    assert driver.instance(order.instance.id).login_seconds == 0.0123
