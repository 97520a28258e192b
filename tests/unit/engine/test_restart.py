"""A restart ends ready, or with no server and a row that says so."""

from __future__ import annotations

import pytest
from doubles import MemoryPlatform
from driving import BROKEN, CALLER, STARTING, Driver

from toygres.domain import ids
from toygres.domain.instance import Instance, InstanceState
from toygres.domain.operation import OperationState, StepState
from toygres.errors import CauseCode, Conflict
from toygres.operations.create import verify_login
from toygres.provisioning import request_cancel, request_restart, request_start, request_stop
from toygres.store import sweeps
from toygres.turning import end_undeliverable


@pytest.fixture
def demo(driver: Driver) -> Instance:
    """An instance that is ready."""
    order = driver.order()
    driver.drain(order.operation.id)
    return driver.instance(order.instance.id)


def _stopped_with_no_server(driver: Driver, platform: MemoryPlatform, demo: Instance) -> bool:
    found = driver.instance(demo.id)
    return (
        found.state is InstanceState.STOPPED
        and not found.available.value
        and platform.objects(demo.id) == ["credentials", "service", "storage"]
    )


def test_a_restart_stops_the_server_and_runs_it_again(driver: Driver, platform: MemoryPlatform, demo: Instance) -> None:
    before = len(platform.effects)
    restart = request_restart(driver.services, CALLER, "demo")
    assert (restart.instance.state, restart.instance.available.value) == (InstanceState.READY, False)
    ended = driver.drain(restart.operation.id)
    assert ended.state is OperationState.SUCCEEDED
    assert [step.name for step in ended.steps] == [
        "stop_server",
        "await_stop",
        "apply_server",
        "apply_service",
        "await_server",
        "verify_login",
    ]
    assert [effect[0] for effect in platform.effects[before:]] == ["remove", "apply"]
    left = driver.instance(demo.id)
    assert (left.state, left.available.value, left.endpoint) == (InstanceState.READY, True, demo.endpoint)


def test_a_stopped_instance_is_started_by_a_restart(driver: Driver, demo: Instance) -> None:
    driver.drain(request_stop(driver.services, CALLER, "demo").operation.id)
    assert driver.drain(request_restart(driver.services, CALLER, "demo").operation.id).state is OperationState.SUCCEEDED
    assert driver.instance(demo.id).state is InstanceState.READY


def test_a_restart_whose_server_does_not_come_up_leaves_none_and_says_stopped(
    driver: Driver, platform: MemoryPlatform, demo: Instance
) -> None:
    restart = request_restart(driver.services, CALLER, "demo")
    for _ in range(4):
        driver.deliver(restart.operation.id)
    platform.status = BROKEN
    driver.deliver(restart.operation.id)
    platform.status = None
    ended = driver.drain(restart.operation.id)
    assert (ended.state, ended.cause.code) == (OperationState.FAILED, CauseCode.PORT_TAKEN)
    assert _stopped_with_no_server(driver, platform, demo)


@pytest.mark.parametrize("delivered", [1, 2, 3, 4, 5])
def test_a_restart_that_is_cancelled_anywhere_leaves_no_server_and_says_stopped(
    driver: Driver, platform: MemoryPlatform, demo: Instance, delivered: int
) -> None:
    restart = request_restart(driver.services, CALLER, "demo")
    for _ in range(delivered):
        driver.deliver(restart.operation.id)
    request_cancel(driver.services, CALLER, ids.shown(ids.OPERATION, restart.operation.id))
    ended = driver.drain(restart.operation.id)
    assert ended.state is OperationState.CANCELLED
    assert (ended.steps[-1].name, ended.steps[-1].state) == ("stop_server_again", StepState.DONE)
    assert _stopped_with_no_server(driver, platform, demo)


@pytest.mark.parametrize("request_change", [request_restart, request_start])
def test_what_is_cancelled_before_its_first_step_leaves_the_server_running_and_the_instance_ready(
    driver: Driver, platform: MemoryPlatform, demo: Instance, request_change: object
) -> None:
    assert callable(request_change)
    order = request_change(driver.services, CALLER, "demo")
    request_cancel(driver.services, CALLER, ids.shown(ids.OPERATION, order.operation.id))
    assert driver.operation(order.operation.id).state is OperationState.CANCELLED
    assert driver.instance(demo.id).state is InstanceState.READY
    assert "server" in platform.objects(demo.id)


def test_a_restart_that_nobody_began_in_time_leaves_the_instance_as_it_was(
    driver: Driver, platform: MemoryPlatform, demo: Instance
) -> None:
    restart = request_restart(driver.services, CALLER, "demo")
    driver.shift_clock(driver.services.settings.operation_seconds + 1)
    for due in sweeps.take_due(driver.services.store, None):
        end_undeliverable(driver.services, due)
    assert driver.operation(restart.operation.id).state is OperationState.FAILED
    assert driver.instance(demo.id).state is InstanceState.READY
    assert "server" in platform.objects(demo.id)


def test_a_server_that_is_slow_to_stop_is_waited_for(driver: Driver, platform: MemoryPlatform, demo: Instance) -> None:
    restart = request_restart(driver.services, CALLER, "demo")
    driver.deliver(restart.operation.id)
    platform.status = STARTING
    waiting = driver.drain(restart.operation.id)
    assert (waiting.state, waiting.steps[1].state) == (OperationState.WAITING, StepState.WAITING)
    platform.status = None
    assert driver.drain(restart.operation.id).state is OperationState.SUCCEEDED


def test_an_instance_that_is_being_created_can_not_be_restarted(driver: Driver) -> None:
    create = driver.order()
    with pytest.raises(Conflict, match="can't be restarted now: a create is going on") as refused:
        request_restart(driver.services, CALLER, "demo")
    assert refused.value.operation_id == ids.shown(ids.OPERATION, create.operation.id)


def test_a_restart_tells_clients_anew_where_to_connect(driver: Driver, demo: Instance) -> None:
    driver.services.store.run('UPDATE toygres.instances SET endpoint = endpoint || \'{"host": "192.0.2.1"}\'')
    driver.drain(request_restart(driver.services, CALLER, "demo").operation.id)
    assert driver.instance(demo.id).endpoint == demo.endpoint


def test_whose_credentials_are_gone_is_told_to_take_the_data_out_before_deleting_it(
    driver: Driver, platform: MemoryPlatform, demo: Instance
) -> None:
    del platform.kept[demo.id]["credentials"]
    driver.engine.steps = {**driver.engine.steps, "verify_login": verify_login}
    ended = driver.drain(request_restart(driver.services, CALLER, "demo").operation.id)
    assert ended.cause is not None
    assert ended.cause.code is CauseCode.CREDENTIALS_MISSING
    assert "take them out first" in ended.cause.remedy
