"""What `up` writes of the servers that it ended, and of those that it found gone."""

from __future__ import annotations

import pytest
from doubles import MemoryPlatform
from driving import BROKEN, CALLER, Driver

from toygres import revival
from toygres.domain import ids
from toygres.domain.instance import Instance, InstanceState
from toygres.domain.operation import OperationState, StepState
from toygres.engine import Outcome
from toygres.errors import CauseCode, Unavailable
from toygres.provisioning import request_cancel, request_delete, request_restart, request_start, request_stop
from toygres.store import claims, events, servers


@pytest.fixture
def demo(driver: Driver) -> Instance:
    """An instance that is ready."""
    order = driver.order()
    driver.drain(order.operation.id)
    return driver.instance(order.instance.id)


def _end(driver: Driver, *left: Instance) -> list[str]:
    url = driver.services.settings.database_url
    assert url is not None
    return servers.ended(url.get_secret_value(), "memory", [instance.id for instance in left])


def _comes_back(driver: Driver, demo: Instance) -> bool:
    """Whether the next `up` starts it; in any case it reads stopped."""
    found = driver.instance(demo.id)
    assert (found.state, found.available.value, found.operation_id) == (InstanceState.STOPPED, False, None)
    return found.available.cause == servers.SHUT_DOWN


def test_what_ran_reads_stopped_and_comes_back(driver: Driver, demo: Instance) -> None:
    assert _end(driver) == ["demo"]
    assert _comes_back(driver, demo)
    assert driver.instance(demo.id).endpoint == demo.endpoint
    told = events.after(driver.services.store, "default")[-1]
    assert (told.kind, told.actor, told.instance_id) == ("server_shut_down", "up", demo.id)
    driver.drain(request_start(driver.services, CALLER, "demo").operation.id)
    assert driver.instance(demo.id).available.cause is None


def test_what_could_not_be_ended_reads_as_before_and_so_does_what_is_on_another_platform(
    driver: Driver, demo: Instance
) -> None:
    assert _end(driver, demo) == []
    url = driver.services.settings.database_url
    assert url is not None
    assert servers.ended(url.get_secret_value(), "local", []) == []
    assert driver.instance(demo.id) == demo


def test_what_was_stopped_before_stays_so(driver: Driver, demo: Instance) -> None:
    driver.drain(request_stop(driver.services, CALLER, "demo").operation.id)
    assert _end(driver) == []
    assert not _comes_back(driver, demo)


@pytest.mark.parametrize("delivered", [0, 1, 2])
@pytest.mark.parametrize("request_change", [request_start, request_restart])
def test_a_start_or_a_restart_that_is_going_on_fails_with_that_cause_and_comes_back(
    driver: Driver, demo: Instance, request_change: object, delivered: int
) -> None:
    assert callable(request_change)
    order = request_change(driver.services, CALLER, "demo")
    for _ in range(delivered):
        driver.deliver(order.operation.id)
    assert _end(driver) == ["demo"]
    ended = driver.operation(order.operation.id)
    assert (ended.state, ended.cause) == (OperationState.FAILED, servers.SHUT_DOWN)
    assert {step.state for step in ended.steps} <= {StepState.DONE, StepState.SKIPPED}
    assert ended.revision > order.operation.revision
    assert _comes_back(driver, demo)


def test_a_worker_that_wakes_too_late_changes_nothing(driver: Driver, demo: Instance) -> None:
    order = request_restart(driver.services, CALLER, "demo")
    store, worker = driver.services.store, driver.engine.worker_id
    held = claims.claim(store, worker, order.operation.id, "stop_server")
    assert held is not None
    _end(driver)
    assert claims.finish(store, held) is None
    assert driver.engine.run_step(order.operation.id, "stop_server") is Outcome.DROPPED
    ended = driver.operation(order.operation.id)
    assert [step.state for step in ended.steps] == [StepState.FAILED] + [StepState.SKIPPED] * 5
    assert ended.steps[0].cause == servers.SHUT_DOWN


@pytest.mark.parametrize("delivered", [0, 1])
def test_a_stop_that_is_going_on_is_done_by_that_and_does_not_come_back(
    driver: Driver, demo: Instance, delivered: int
) -> None:
    order = request_stop(driver.services, CALLER, "demo")
    for _ in range(delivered):
        driver.deliver(order.operation.id)
    assert _end(driver) == ["demo"]
    ended = driver.operation(order.operation.id)
    assert (ended.state, ended.cause) == (OperationState.SUCCEEDED, servers.SHUT_DOWN)
    assert {step.state for step in ended.steps} == {StepState.DONE}
    assert not _comes_back(driver, demo)


def test_a_stop_that_is_being_taken_back_ends_cancelled_and_comes_back(driver: Driver, demo: Instance) -> None:
    order = request_stop(driver.services, CALLER, "demo")
    driver.deliver(order.operation.id)
    request_cancel(driver.services, CALLER, ids.shown(ids.OPERATION, order.operation.id))
    _end(driver)
    ended = driver.operation(order.operation.id)
    assert (ended.state, ended.cause.code) == (OperationState.CANCELLED, CauseCode.CANCELLED)
    assert _comes_back(driver, demo)


def test_a_start_that_is_being_undone_ends_failed_and_does_not_come_back(
    driver: Driver, platform: MemoryPlatform, demo: Instance
) -> None:
    order = request_restart(driver.services, CALLER, "demo")
    for _ in range(4):
        driver.deliver(order.operation.id)
    platform.status = BROKEN
    driver.deliver(order.operation.id)
    _end(driver)
    ended = driver.operation(order.operation.id)
    assert (ended.state, ended.cause.code) == (OperationState.FAILED, CauseCode.PORT_TAKEN)
    assert not _comes_back(driver, demo)
    assert driver.instance(demo.id).available.cause == ended.cause


def test_one_that_was_given_up_does_not_come_back(driver: Driver, platform: MemoryPlatform, demo: Instance) -> None:
    platform.status = BROKEN
    for _ in range(driver.services.settings.server_restarts):
        ordered = revival.consider(driver.services, demo.id)
        assert ordered is not None
        platform.status = None
        driver.drain(ordered.id)
        platform.status = BROKEN
    assert revival.consider(driver.services, demo.id) is None
    assert _end(driver) == ["demo"]
    assert not _comes_back(driver, demo)
    cause = driver.instance(demo.id).available.cause
    assert cause is not None
    assert cause.code is CauseCode.SERVER_KEEPS_ENDING


def test_creates_and_deletes_go_on_later(driver: Driver, platform: MemoryPlatform) -> None:
    create, other = driver.order(), driver.order("other")
    driver.drain(other.operation.id)
    for _ in range(5):
        driver.deliver(create.operation.id)
    deletion = request_delete(driver.services, CALLER, "other")
    assert _end(driver) == []
    assert driver.drain(create.operation.id).state is OperationState.SUCCEEDED
    assert driver.drain(deletion.operation.id).state is OperationState.SUCCEEDED


def test_a_ready_instance_whose_server_is_gone_does_not_read_available(driver: Driver, demo: Instance) -> None:
    other = driver.order("other").instance
    driver.drain(driver.instance(other.id).operation_id)
    url = driver.services.settings.database_url
    assert url is not None
    assert servers.found_gone(url.get_secret_value(), "memory", [other.id]) == ["demo"]
    gone = driver.instance(demo.id)
    assert (gone.state, gone.available.value, gone.available.cause) == (InstanceState.READY, False, servers.GONE)
    assert driver.instance(other.id).available.value


def test_servers_are_awaited_by_what_brings_them_up_and_by_nothing_else(driver: Driver, demo: Instance) -> None:
    url = driver.services.settings.database_url
    assert url is not None
    create = driver.order("other")
    assert [(each.id, each.port, each.version) for each in servers.awaited(url.get_secret_value(), "memory")] == [
        (create.instance.id, create.instance.port, "18")
    ]
    request_stop(driver.services, CALLER, "demo")
    request_delete(driver.services, CALLER, "other")
    assert servers.awaited(url.get_secret_value(), "memory") == []


@pytest.mark.parametrize(
    "url", ["postgresql://nobody@127.0.0.1:1/toygres", "postgresql+psycopg://n:p%40w@/toygres?host=/no+where"]
)
def test_a_metadata_db_that_does_not_answer_is_said_to_be_unavailable(url: str) -> None:
    with pytest.raises(Unavailable):
        servers.ended(url, "memory", [])
