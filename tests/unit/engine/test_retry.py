"""A retry is a new operation for an old one that stays as it ended; what can't be tried again says why."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import pytest
from doubles import OFFER, MemoryPlatform
from driving import BROKEN, CALLER, Driver

from toygres.domain import ids
from toygres.domain.instance import InstanceState
from toygres.domain.operation import OperationState
from toygres.domain.records import OperationRecord
from toygres.errors import Conflict, Invalid, NotFound, Refused, ToygresError
from toygres.provisioning import (
    Accepted,
    InstanceRequest,
    request_cancel,
    request_delete,
    request_instance,
    request_restart,
    request_start,
    request_stop,
)
from toygres.retrying import can_be_retried, request_retry
from toygres.store import credentials

PASSWORD = "correct-horse-battery"


def _shown(operation: OperationRecord) -> str:
    return ids.shown(ids.OPERATION, operation.id)


def _retry(driver: Driver, operation: OperationRecord, password: str | None = None) -> Accepted:
    return request_retry(driver.services, CALLER, _shown(operation), password)


def _failed_create(driver: Driver, platform: MemoryPlatform, name: str = "demo") -> OperationRecord:
    platform.status = BROKEN
    ended = driver.drain(driver.order(name).operation.id)
    platform.status = None
    assert ended.state is OperationState.FAILED
    return ended


def _cancelled(driver: Driver, order: Accepted) -> OperationRecord:
    driver.deliver(order.operation.id)
    request_cancel(driver.services, CALLER, _shown(order.operation))
    ended = driver.drain(order.operation.id)
    assert ended.state is OperationState.CANCELLED
    return ended


def test_a_failed_create_is_tried_again_under_its_id_and_the_old_operation_stays(
    driver: Driver, platform: MemoryPlatform
) -> None:
    failed = _failed_create(driver, platform)
    again = _retry(driver, failed)
    assert again.operation.id != failed.id
    assert (again.operation.kind, again.operation.retry_of) == ("create", failed.id)
    assert (again.instance.id, again.instance.state) == (failed.instance_id, InstanceState.REQUESTED)
    assert driver.drain(again.operation.id).state is OperationState.SUCCEEDED
    ready = driver.instance(failed.instance_id)
    assert (ready.state, ready.available.value, ready.name) == (InstanceState.READY, True, "demo")
    assert driver.operation(failed.id) == failed
    assert platform.objects(failed.instance_id) == ["credentials", "server", "service", "storage"]


def test_a_cancelled_create_is_tried_again(driver: Driver) -> None:
    cancelled = _cancelled(driver, driver.order())
    assert driver.instance(cancelled.instance_id).state is InstanceState.DELETED
    assert driver.drain(_retry(driver, cancelled).operation.id).state is OperationState.SUCCEEDED
    assert driver.instance(cancelled.instance_id).state is InstanceState.READY


def test_a_retried_create_gets_a_new_password_or_the_one_given_with_it(
    driver: Driver, platform: MemoryPlatform
) -> None:
    platform.status = BROKEN
    order = request_instance(driver.services, CALLER, InstanceRequest(name="demo", password="the-first-password"))
    first = driver.drain(order.operation.id)
    second = driver.drain(_retry(driver, first).operation.id)
    platform.status = None
    seen: list[str | None] = []
    for password in (None, PASSWORD):
        again = _retry(driver, second, password)
        driver.deliver(again.operation.id)
        kept = platform.credentials(again.instance)
        assert kept is not None
        seen.append(kept.user.password)
        assert credentials.get(driver.services.store, again.operation.id) is None
        request_cancel(driver.services, CALLER, _shown(again.operation))
        second = driver.drain(again.operation.id)
    assert seen[0] not in (None, "the-first-password", PASSWORD)
    assert seen[1] == PASSWORD


def test_a_retried_create_takes_a_port_anew(driver: Driver, platform: MemoryPlatform) -> None:
    failed = _failed_create(driver, platform)
    first_port = driver.instance(failed.instance_id).port
    assert driver.order("other").instance.port == first_port
    assert _retry(driver, failed).instance.port not in (None, first_port)


def test_a_retried_create_can_fail_and_be_tried_again(driver: Driver, platform: MemoryPlatform) -> None:
    failed = _failed_create(driver, platform)
    platform.status = BROKEN
    second = driver.drain(_retry(driver, failed).operation.id)
    platform.status = None
    assert driver.instance(failed.instance_id).state is InstanceState.FAILED
    with pytest.raises(Conflict, match="a create of demo came after it") as refused:
        _retry(driver, failed)
    assert refused.value.operation_id == _shown(second)
    assert driver.drain(_retry(driver, second).operation.id).state is OperationState.SUCCEEDED


def test_a_create_whose_name_was_given_to_another_is_a_conflict_that_names_it(
    driver: Driver, platform: MemoryPlatform
) -> None:
    failed = _failed_create(driver, platform)
    other = driver.order()
    with pytest.raises(Conflict, match="The name 'demo' is taken") as refused:
        _retry(driver, failed)
    assert refused.value.instance_id == ids.shown(ids.INSTANCE, other.instance.id)
    assert driver.instance(failed.instance_id).state is InstanceState.FAILED


def test_a_create_that_is_not_offered_any_more_is_refused_by_field(
    driver: Driver, platform: MemoryPlatform, monkeypatch: pytest.MonkeyPatch
) -> None:
    failed = _failed_create(driver, platform)
    monkeypatch.setattr(platform, "capabilities", lambda: replace(OFFER, versions=("17",), default_version="17"))
    with pytest.raises(Invalid, match="version: isn't offered"):
        _retry(driver, failed)


def test_a_cancelled_stop_start_and_restart_are_tried_again(driver: Driver) -> None:
    demo = driver.order().instance
    driver.drain(driver.instance(demo.id).operation_id)
    ends = {
        request_stop: InstanceState.STOPPED,
        request_start: InstanceState.READY,
        request_restart: InstanceState.READY,
    }
    for request, state in ends.items():
        cancelled = _cancelled(driver, request(driver.services, CALLER, "demo"))
        again = _retry(driver, cancelled)
        assert (again.operation.kind, again.operation.retry_of) == (cancelled.kind, cancelled.id)
        assert driver.drain(again.operation.id).state is OperationState.SUCCEEDED
        assert driver.instance(demo.id).state is state


def test_two_retries_at_once_give_one_operation_and_one_conflict(driver: Driver, platform: MemoryPlatform) -> None:
    failed = _failed_create(driver, platform)
    with ThreadPoolExecutor(2) as askers:
        outcomes = list(askers.map(lambda _: _outcome(lambda: _retry(driver, failed)), range(2)))
    (accepted,) = [outcome for outcome in outcomes if isinstance(outcome, Accepted)]
    (refused,) = [outcome for outcome in outcomes if isinstance(outcome, Conflict)]
    assert refused.operation_id == _shown(accepted.operation)


def test_a_retry_and_a_new_create_at_once_give_one_instance_of_the_name(
    driver: Driver, platform: MemoryPlatform
) -> None:
    failed = _failed_create(driver, platform)
    with ThreadPoolExecutor(2) as askers:
        asked = [lambda: _retry(driver, failed), driver.order]
        outcomes = list(askers.map(_outcome, asked))
    assert sorted(type(outcome).__name__ for outcome in outcomes) == ["Accepted", "Conflict"]


def _outcome(ask: Callable[[], Accepted]) -> Accepted | ToygresError:
    try:
        return ask()
    except ToygresError as refused:
        return refused


def _open(driver: Driver, platform: MemoryPlatform) -> OperationRecord:
    return driver.order().operation


def _succeeded(driver: Driver, platform: MemoryPlatform) -> OperationRecord:
    return driver.drain(driver.order().operation.id)


def _superseded(driver: Driver, platform: MemoryPlatform) -> OperationRecord:
    order = driver.order()
    request_delete(driver.services, CALLER, "demo")
    return driver.operation(order.operation.id)


def _cancelled_delete(driver: Driver, platform: MemoryPlatform) -> OperationRecord:
    driver.drain(driver.order().operation.id)
    deletion = request_delete(driver.services, CALLER, "demo")
    return request_cancel(driver.services, CALLER, _shown(deletion.operation))


def _made_moot(driver: Driver, platform: MemoryPlatform) -> OperationRecord:
    driver.drain(driver.order().operation.id)
    cancelled = _cancelled(driver, request_stop(driver.services, CALLER, "demo"))
    driver.drain(request_restart(driver.services, CALLER, "demo").operation.id)
    return cancelled


def _deleted_since(driver: Driver, platform: MemoryPlatform) -> OperationRecord:
    failed = _failed_create(driver, platform)
    shown = ids.shown(ids.INSTANCE, failed.instance_id)
    driver.drain(request_delete(driver.services, CALLER, shown).operation.id)
    return failed


def _another_going_on(driver: Driver, platform: MemoryPlatform) -> OperationRecord:
    driver.drain(driver.order().operation.id)
    cancelled = _cancelled(driver, request_stop(driver.services, CALLER, "demo"))
    request_restart(driver.services, CALLER, "demo")
    return cancelled


def _cleaned_up(driver: Driver, platform: MemoryPlatform) -> OperationRecord:
    def refuse() -> None:
        raise Refused(BROKEN.cause)

    platform.faults["before remove_storage"] = refuse
    platform.status = BROKEN
    order = driver.order()
    driver.drain(order.operation.id)
    driver.shift_clock(driver.services.settings.undo_seconds + 1)
    return driver.drain(order.operation.id)


def _a_cleanup(driver: Driver, platform: MemoryPlatform) -> OperationRecord:
    failed = _cleaned_up(driver, platform)
    cleanup = driver.instance(failed.instance_id).operation_id
    assert cleanup is not None
    platform.faults.clear()
    driver.shift_clock(driver.services.settings.undo_seconds)
    return driver.drain(cleanup)


@pytest.mark.parametrize(
    ("make", "why"),
    [
        (_open, "This create can't be tried again: it is still going on"),
        (_succeeded, "it succeeded"),
        (_superseded, "it was superseded by a delete"),
        (_cancelled_delete, "a delete is never given up"),
        (_made_moot, "a restart of demo came after it"),
        (_deleted_since, "a delete of demo came after it"),
        (_another_going_on, "demo can't be stopped now: a restart is going on"),
        (_cleaned_up, "demo can't be created now: a cleanup is going on"),
        (_a_cleanup, "a cleanup is never given up"),
    ],
)
def test_what_can_not_be_tried_again_is_a_conflict_that_says_why(
    driver: Driver,
    platform: MemoryPlatform,
    make: Callable[[Driver, MemoryPlatform], OperationRecord],
    why: str,
) -> None:
    found = make(driver, platform)
    before = driver.instance(found.instance_id)
    assert not can_be_retried(driver.services, found)
    with pytest.raises(Conflict, match=why) as refused:
        _retry(driver, found)
    assert refused.value.remedy
    assert refused.value.operation_id
    assert driver.instance(found.instance_id) == before


def test_once_it_is_cleaned_up_a_failed_create_can_be_tried_again(driver: Driver, platform: MemoryPlatform) -> None:
    failed = _cleaned_up(driver, platform)
    platform.faults.clear()
    platform.status = None
    driver.shift_clock(301)
    driver.drain(driver.instance(failed.instance_id).operation_id)
    assert can_be_retried(driver.services, failed)
    assert driver.drain(_retry(driver, failed).operation.id).state is OperationState.SUCCEEDED


def test_an_operation_that_does_not_exist_can_not_be_tried_again(driver: Driver) -> None:
    with pytest.raises(NotFound):
        request_retry(driver.services, CALLER, "op_01h455vb4pex5vsknk084sn02q")


def test_a_password_with_the_retry_of_anything_but_a_create_is_refused_by_field(driver: Driver) -> None:
    driver.drain(driver.order().operation.id)
    cancelled = _cancelled(driver, request_stop(driver.services, CALLER, "demo"))
    with pytest.raises(Invalid) as refused:
        _retry(driver, cancelled, PASSWORD)
    assert [(error.field, error.value) for error in refused.value.errors] == [("password", None)]
    assert can_be_retried(driver.services, cancelled)


def test_a_password_that_can_not_be_used_is_refused_before_anything_changes(
    driver: Driver, platform: MemoryPlatform
) -> None:
    failed = _failed_create(driver, platform)
    with pytest.raises(Invalid, match="password: can't be used"):
        _retry(driver, failed, "short")
    assert can_be_retried(driver.services, failed)
