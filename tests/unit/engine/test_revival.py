"""Servers that ended unasked are started again, once for each end, and not for ever."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import pytest
from doubles import OFFER, MemoryPlatform
from driving import CALLER, STARTING, Driver

from toygres import revival
from toygres.domain.instance import Instance, InstanceState
from toygres.domain.operation import OperationState
from toygres.domain.records import OperationRecord
from toygres.errors import Cause, CauseCode
from toygres.platforms.protocol import ServerPhase, ServerStatus
from toygres.provisioning import request_delete, request_start, request_stop
from toygres.store import events, operations

KILLED = ServerStatus(
    phase=ServerPhase.BROKEN,
    cause=Cause(code=CauseCode.SERVER_EXITED, message="It was killed.", remedy="Look.", evidence=("last words",)),
)


@pytest.fixture
def demo(driver: Driver) -> Instance:
    """An instance that is ready."""
    order = driver.order()
    driver.drain(order.operation.id)
    return driver.instance(order.instance.id)


def _killed(driver: Driver, platform: MemoryPlatform, demo: Instance) -> OperationRecord | None:
    """What is ordered when the server is found killed, carried out."""
    platform.status = KILLED
    ordered = revival.consider(driver.services, demo.id)
    platform.status = None
    return driver.drain(ordered.id) if ordered else None


def test_a_killed_server_is_started_by_an_operation_that_tells_why(
    driver: Driver, platform: MemoryPlatform, demo: Instance
) -> None:
    platform.status = KILLED
    ordered = revival.consider(driver.services, demo.id)
    assert ordered is not None
    assert (ordered.kind, ordered.actor, ordered.retry_of) == ("start", "observer", None)
    assert ordered.cause is not None
    assert (ordered.cause.code, ordered.cause.message) == (CauseCode.SERVER_EXITED, "It was killed.")
    assert ordered.cause.evidence == ("last words",)
    meanwhile = driver.instance(demo.id)
    assert (meanwhile.state, meanwhile.available.value) == (InstanceState.READY, False)
    assert meanwhile.available.cause == ordered.cause
    platform.status = None
    ended = driver.drain(ordered.id)
    assert (ended.state, ended.cause) == (OperationState.SUCCEEDED, ordered.cause)
    assert driver.instance(demo.id).available.value
    told = [event for event in events.after(driver.services.store, "default") if event.operation_id == ordered.id]
    assert (told[0].kind, told[0].actor) == ("operation_requested", "observer")
    assert told[0].data["cause"] == ordered.cause.to_json()


def test_many_workers_that_see_it_at_once_order_one_start(
    driver: Driver, platform: MemoryPlatform, demo: Instance
) -> None:
    platform.status = KILLED
    with ThreadPoolExecutor(8) as workers:
        ordered = list(workers.map(lambda _: revival.consider(driver.services, demo.id), range(8)))
    assert len([operation for operation in ordered if operation]) == 1


def test_after_too_many_ends_it_stays_as_it_is_and_says_what_to_do(
    driver: Driver, platform: MemoryPlatform, demo: Instance
) -> None:
    for _ in range(driver.services.settings.server_restarts):
        assert _killed(driver, platform, demo) is not None
    assert _killed(driver, platform, demo) is None
    left = driver.instance(demo.id)
    assert (left.state, left.available.value) == (InstanceState.READY, False)
    cause = left.available.cause
    assert cause is not None
    assert cause.code is CauseCode.SERVER_KEEPS_ENDING
    assert "ended 4 times within 600 s" in cause.message
    assert "isn't started again by itself" in cause.message
    assert "`toygres start demo`" in cause.remedy
    assert cause.evidence == ("last words",)


def test_one_that_was_given_up_stays_so_when_time_passes_until_somebody_starts_it(
    driver: Driver, platform: MemoryPlatform, demo: Instance
) -> None:
    for _ in range(driver.services.settings.server_restarts + 1):
        _killed(driver, platform, demo)
    driver.shift_clock(driver.services.settings.server_restarts_seconds + 1)
    assert _killed(driver, platform, demo) is None
    driver.drain(request_start(driver.services, CALLER, "demo").operation.id)
    assert driver.instance(demo.id).available.value
    assert _killed(driver, platform, demo) is not None


def test_a_start_by_somebody_begins_the_count_anew(driver: Driver, platform: MemoryPlatform, demo: Instance) -> None:
    for _ in range(driver.services.settings.server_restarts):
        assert _killed(driver, platform, demo) is not None
    driver.drain(request_start(driver.services, CALLER, "demo").operation.id)
    assert _killed(driver, platform, demo) is not None


def test_ends_that_lie_far_apart_are_no_reason_to_give_up(
    driver: Driver, platform: MemoryPlatform, demo: Instance
) -> None:
    for _ in range(2 * driver.services.settings.server_restarts):
        assert _killed(driver, platform, demo) is not None
        driver.shift_clock(driver.services.settings.server_restarts_seconds)


def test_none_is_started_again_where_the_settings_say_so(
    driver: Driver, platform: MemoryPlatform, demo: Instance
) -> None:
    driver.services = replace(
        driver.services, settings=driver.services.settings.model_copy(update={"server_restarts": 0})
    )
    assert _killed(driver, platform, demo) is None
    cause = driver.instance(demo.id).available.cause
    assert cause is not None
    assert cause.message == "The server ended and isn't started again by itself. It was killed."


def test_a_start_that_fails_leaves_it_stopped_and_is_not_ordered_again(
    driver: Driver, platform: MemoryPlatform, demo: Instance
) -> None:
    platform.status = KILLED
    ordered = revival.consider(driver.services, demo.id)
    assert ordered is not None
    assert driver.drain(ordered.id).state is OperationState.FAILED
    assert driver.instance(demo.id).state is InstanceState.STOPPED
    assert revival.consider(driver.services, demo.id) is None


@pytest.mark.parametrize(
    "status",
    [
        STARTING,
        ServerStatus(phase=ServerPhase.UP),
        ServerStatus(phase=ServerPhase.STOPPING),
        ServerStatus(phase=ServerPhase.ABSENT),
        ServerStatus(
            phase=ServerPhase.BROKEN, cause=Cause(code=CauseCode.STORAGE_MISSING, message="Gone.", remedy="Restore it.")
        ),
    ],
    ids=lambda status: f"{status.phase} {status.cause.code if status.cause else ''}",
)
def test_a_server_that_runs_or_can_not_run_is_left_alone(
    driver: Driver, platform: MemoryPlatform, demo: Instance, status: ServerStatus
) -> None:
    platform.status = status
    assert revival.consider(driver.services, demo.id) is None


def test_a_platform_that_brings_servers_back_itself_is_left_to_it(
    driver: Driver, platform: MemoryPlatform, demo: Instance, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(platform, "capabilities", lambda: replace(OFFER, brings_back=True), raising=True)
    assert _killed(driver, platform, demo) is None


def test_what_is_stopped_being_stopped_or_being_deleted_is_left_alone(
    driver: Driver, platform: MemoryPlatform, demo: Instance
) -> None:
    stop = request_stop(driver.services, CALLER, "demo")
    assert _killed(driver, platform, demo) is None
    driver.drain(stop.operation.id)
    assert _killed(driver, platform, demo) is None
    request_delete(driver.services, CALLER, "demo")
    assert _killed(driver, platform, demo) is None


def test_what_was_seen_before_something_else_happened_starts_nothing(
    driver: Driver, platform: MemoryPlatform, demo: Instance
) -> None:
    driver.drain(request_stop(driver.services, CALLER, "demo").operation.id)
    driver.drain(request_start(driver.services, CALLER, "demo").operation.id)
    assert revival.look_at(driver.services, demo, KILLED) is None


def test_all_that_ended_while_nobody_looked_are_started_and_one_that_can_not_be_seen_hinders_none(
    driver: Driver, platform: MemoryPlatform, demo: Instance
) -> None:
    for name in ("other", "third"):
        driver.drain(driver.order(name).operation.id)
    seen: list[object] = []

    def fail_once() -> None:
        seen.append(None)
        if len(seen) == 1:
            raise OSError(5, "Input/output error")

    platform.status = KILLED
    platform.faults["observe"] = fail_once
    ordered = revival.consider_all(driver.services)
    assert len(ordered) == 2
    assert {operations.find(driver.services.store, "default", each.id).actor for each in ordered} == {"observer"}
