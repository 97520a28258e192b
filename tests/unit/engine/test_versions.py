"""Old and new versions together: a plan is data, and outlives the list of steps that it was made from."""

from __future__ import annotations

from dataclasses import replace

import pytest
from doubles import MemoryPlatform
from driving import CALLER, Driver, without_login

from toygres import planning
from toygres.domain import ids
from toygres.domain.instance import InstanceState
from toygres.domain.operation import OperationState, StepState
from toygres.engine import Engine, Outcome
from toygres.errors import CauseCode
from toygres.operations import CREATE, DELETE, RETIRED, STEPS
from toygres.provisioning import Accepted, request_cancel
from toygres.store import claims, operations
from toygres.store.operations import Plan


def _planned_as(driver: Driver, order: Accepted, plan: Plan) -> None:
    """Have the order's operation planned as another version would have."""
    with driver.services.store.transaction() as connection:
        connection.execute("DELETE FROM toygres.steps WHERE operation_id = %s", (order.operation.id,))
        connection.execute(
            "UPDATE toygres.operations SET nsteps = %s WHERE id = %s", (len(plan.steps), order.operation.id)
        )
        for position, step in enumerate(plan.steps):
            connection.execute(
                """INSERT INTO toygres.steps (operation_id, position, name, undo, limit_seconds)
                   VALUES (%s, %s, %s, %s, 60)""",
                (order.operation.id, position, step.name, step.undo),
            )


def _plan(driver: Driver, order: Accepted) -> Plan:
    found = order.instance
    return planning.plan(CREATE, found.id, found.spec, InstanceState.REQUESTED, CALLER, driver.services.settings)


def test_an_operation_ends_whose_steps_come_in_another_order_today(driver: Driver, platform: MemoryPlatform) -> None:
    order = driver.order()
    plan = _plan(driver, order)
    _planned_as(driver, order, replace(plan, steps=(*reversed(plan.steps[:4]), *plan.steps[4:])))
    ended = driver.drain(order.operation.id)
    assert ended.state is OperationState.SUCCEEDED
    assert [effect.kind for effect in platform.effects] == ["service", "server", "storage", "credentials"]


def test_what_is_undone_is_what_was_planned_not_what_would_be_planned_today(
    driver: Driver, platform: MemoryPlatform
) -> None:
    order = driver.order()
    plan = _plan(driver, order)
    _planned_as(driver, order, replace(plan, steps=(*plan.steps[1::-1], *plan.steps[2:])))
    for _ in range(3):
        driver.deliver(order.operation.id)
    request_cancel(driver.services, CALLER, ids.shown(ids.OPERATION, order.operation.id))
    ended = driver.drain(order.operation.id)
    assert ended.state is OperationState.CANCELLED
    assert [step.name for step in ended.steps[6:]] == ["remove_server", "remove_credentials", "remove_storage"]
    assert platform.kept == {}


def test_an_operation_ends_that_has_a_step_which_was_retired_since(
    driver: Driver, platform: MemoryPlatform, monkeypatch: pytest.MonkeyPatch
) -> None:
    order = driver.order()
    plan = _plan(driver, order)
    old = replace(plan.steps[1], name="make_a_folder")
    _planned_as(driver, order, replace(plan, steps=(plan.steps[0], old, *plan.steps[2:])))
    driver.engine.steps = {**driver.engine.steps, "make_a_folder": STEPS["apply_storage"]}
    assert driver.drain(order.operation.id).state is OperationState.SUCCEEDED
    assert "storage" in platform.objects(order.instance.id)


def test_what_is_retired_is_no_longer_declared_and_can_still_be_run() -> None:
    declared = {step.name for operation in (CREATE, DELETE) for step in operation.steps}
    assert not declared & set(RETIRED)
    assert set(RETIRED) <= set(STEPS)


def test_a_step_that_a_worker_does_not_know_is_run_by_one_that_does(driver: Driver) -> None:
    order = driver.order()
    old = Engine(driver.services, Driver.arrive(driver.services).engine.worker_id, steps={})
    assert old.run_step(order.operation.id, "apply_credentials") is Outcome.DROPPED
    handed_back = driver.operation(order.operation.id).steps[0]
    assert (handed_back.state, handed_back.attempts) == (StepState.WAITING, 0)
    driver.shift_clock(claims.GRACE_SECONDS)
    assert driver.drain(order.operation.id).state is OperationState.SUCCEEDED
    assert driver.operation(order.operation.id).steps[0].attempts == 1


def test_a_step_that_no_worker_knows_says_so_while_it_waits_and_when_its_time_is_over(
    driver: Driver, platform: MemoryPlatform
) -> None:
    order = driver.order()
    driver.deliver(order.operation.id)
    driver.engine.steps = {name: step for name, step in without_login().items() if name != "apply_storage"}
    assert driver.deliver(order.operation.id) is Outcome.DROPPED
    waiting = driver.operation(order.operation.id).steps[1]
    assert waiting.cause is not None
    assert (waiting.cause.code, "apply_storage" in waiting.cause.message) == (CauseCode.STEP_UNKNOWN, True)
    driver.shift_clock(driver.services.settings.operation_seconds + 1)
    ended = driver.drain(order.operation.id)
    assert (ended.state, ended.cause.code) == (OperationState.FAILED, CauseCode.DEADLINE_PASSED)
    assert waiting.cause.message in ended.cause.message
    assert ended.cause.remedy == waiting.cause.remedy
    assert platform.kept == {}


def test_a_worker_that_does_not_know_a_step_uses_up_none_of_its_attempts(driver: Driver) -> None:
    order = driver.order()
    old = Engine(driver.services, driver.engine.worker_id, steps={})
    for _ in range(2 * driver.services.settings.step_attempts):
        old.run_step(order.operation.id, "apply_credentials")
        driver.shift_clock(claims.GRACE_SECONDS)
    assert operations.remaining(driver.services.store, order.operation.id)[0] == "apply_credentials"
    assert driver.drain(order.operation.id).state is OperationState.SUCCEEDED


def test_a_worker_without_an_instances_platform_leaves_its_steps_to_others(driver: Driver) -> None:
    order = driver.order()
    poor = Engine(replace(driver.services, platforms={}), driver.engine.worker_id)
    for _ in range(2 * driver.services.settings.step_attempts):
        assert poor.run_step(order.operation.id, "apply_credentials") is Outcome.DROPPED
        driver.shift_clock(claims.GRACE_SECONDS)
    waiting = driver.operation(order.operation.id).steps[0]
    assert waiting.cause is not None
    assert (waiting.attempts, waiting.cause.code) == (0, CauseCode.PLATFORM_UNREACHABLE)
    assert driver.drain(order.operation.id).state is OperationState.SUCCEEDED
