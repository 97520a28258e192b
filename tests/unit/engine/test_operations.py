"""How operations end: cancelled, superseded, out of time, cleaned up; and what an instance is left as."""

from __future__ import annotations

from uuid import UUID

import pytest
from doubles import MemoryPlatform
from driving import BROKEN, CALLER, STARTING, Driver

from toygres.domain import ids
from toygres.domain.instance import InstanceState
from toygres.domain.operation import OperationState
from toygres.engine import Outcome
from toygres.errors import CauseCode, Conflict, Refused, Unavailable
from toygres.provisioning import request_cancel, request_delete, request_start, request_stop
from toygres.store import claims, events, instances, operations, sweeps
from toygres.turning import end_undeliverable


def test_a_cancelled_create_leaves_nothing_and_its_instance_is_deleted(
    driver: Driver, platform: MemoryPlatform
) -> None:
    order = driver.order()
    driver.deliver(order.operation.id)
    driver.deliver(order.operation.id)
    request_cancel(driver.services, CALLER, ids.shown(ids.OPERATION, order.operation.id))
    ended = driver.drain(order.operation.id)
    assert ended.state is OperationState.CANCELLED
    assert platform.kept == {}
    assert driver.instance(order.instance.id).state is InstanceState.DELETED


def test_a_cancel_during_the_last_step_wins_over_it(driver: Driver, platform: MemoryPlatform) -> None:
    order = driver.order()
    for _ in range(5):
        driver.deliver(order.operation.id)
    shown = ids.shown(ids.OPERATION, order.operation.id)
    driver.engine.steps = {
        **driver.engine.steps,
        "verify_login": lambda ctx: request_cancel(driver.services, CALLER, shown) and None,
    }
    ended = driver.drain(order.operation.id)
    assert ended.state is OperationState.CANCELLED
    assert platform.kept == {}


def test_a_cancel_of_an_ended_operation_is_a_conflict(driver: Driver) -> None:
    order = driver.order()
    driver.drain(order.operation.id)
    with pytest.raises(Conflict):
        request_cancel(driver.services, CALLER, ids.shown(ids.OPERATION, order.operation.id))


def test_a_delete_takes_the_place_of_a_running_create(driver: Driver, platform: MemoryPlatform) -> None:
    order = driver.order()
    store, worker = driver.services.store, driver.engine.worker_id
    running = claims.claim(store, worker, order.operation.id, "apply_credentials")
    deletion = request_delete(driver.services, CALLER, "demo")
    assert driver.operation(order.operation.id).state is OperationState.SUPERSEDED
    assert claims.finish(store, running) is None
    assert driver.drain(deletion.operation.id).state is OperationState.SUCCEEDED
    assert driver.instance(order.instance.id).state is InstanceState.DELETED


def test_a_delete_that_took_the_place_of_a_create_can_not_be_cancelled(driver: Driver) -> None:
    driver.order()
    deletion = request_delete(driver.services, CALLER, "demo")
    with pytest.raises(Conflict):
        request_cancel(driver.services, CALLER, ids.shown(ids.OPERATION, deletion.operation.id))


def test_a_delete_cancelled_before_its_first_step_leaves_the_instance_to_be_logged_in_to_anew(driver: Driver) -> None:
    order = driver.order()
    driver.drain(order.operation.id)
    deletion = request_delete(driver.services, CALLER, "demo")
    cancelled = request_cancel(driver.services, CALLER, ids.shown(ids.OPERATION, deletion.operation.id))
    assert cancelled.state is OperationState.CANCELLED
    left = driver.instance(order.instance.id)
    assert (left.state, left.available.value) == (InstanceState.READY, False)
    assert instances.take_due_for_check(driver.services.store, ["memory"], 30, 5) == [order.instance.id]


def test_an_instance_is_looked_at_again_only_after_a_while_and_not_while_something_goes_on(driver: Driver) -> None:
    order = driver.order()
    driver.drain(order.operation.id)
    store = driver.services.store
    assert instances.take_due_for_check(store, ["memory"], 30, 5) == [order.instance.id]
    assert instances.take_due_for_check(store, ["memory"], 30, 5) == []
    driver.shift_clock(31)
    request_stop(driver.services, CALLER, "demo")
    assert instances.take_due_for_check(store, ["memory"], 30, 5) == []


def test_a_clock_that_stepped_back_keeps_nobody_from_looking_at_an_instance(driver: Driver) -> None:
    order = driver.order()
    driver.drain(order.operation.id)
    store = driver.services.store
    assert instances.take_due_for_check(store, ["memory"], 30, 5) == [order.instance.id]
    driver.shift_clock(-3600)
    assert instances.take_due_for_check(store, ["memory"], 30, 5) == [order.instance.id]


def test_a_killed_worker_between_a_cancel_and_its_turn_leaves_nothing_open(driver: Driver) -> None:
    order = driver.order()
    for _ in range(5):
        driver.deliver(order.operation.id)
    store = driver.services.store
    last = claims.claim(store, driver.engine.worker_id, order.operation.id, "verify_login")
    request_cancel(driver.services, CALLER, ids.shown(ids.OPERATION, order.operation.id))
    assert claims.finish(store, last).cancelled
    assert operations.remaining(store, order.operation.id) == ()
    assert _swept(driver) == [order.operation.id]
    assert driver.drain(order.operation.id).state is OperationState.CANCELLED


def test_a_step_that_nobody_knows_ends_with_its_operations_deadline(driver: Driver, platform: MemoryPlatform) -> None:
    order = driver.order()
    driver.deliver(order.operation.id)
    store = driver.services.store
    store.run("UPDATE toygres.steps SET name = 'of_a_newer_version' WHERE name = 'apply_storage'")
    driver.shift_clock(driver.services.settings.operation_seconds + 1)
    assert _swept(driver) == [order.operation.id]
    ended = driver.drain(order.operation.id)
    assert (ended.state, ended.cause.code) == (OperationState.FAILED, CauseCode.DEADLINE_PASSED)
    assert platform.kept == {}


def test_an_undo_that_nobody_knows_becomes_a_cleanup_when_its_time_is_over(
    driver: Driver, platform: MemoryPlatform
) -> None:
    platform.status = BROKEN
    order = driver.order()
    for _ in range(5):
        driver.deliver(order.operation.id)
    driver.services.store.run("UPDATE toygres.steps SET name = 'of_a_newer_version' WHERE name = 'remove_service'")
    driver.shift_clock(driver.services.settings.undo_seconds + 1)
    assert _swept(driver) == [order.operation.id]
    ended = driver.operation(order.operation.id)
    assert (ended.state, ended.leftovers) == (
        OperationState.FAILED,
        ("credentials", "server", "service", "storage"),
    )
    assert driver.instance(order.instance.id).operation_id is not None


def test_a_second_delivery_in_the_same_worker_does_not_make_it_forget_the_first(driver: Driver) -> None:
    order = driver.order()
    held = driver.engine.held
    with held.delivery(order.operation.id, "apply_credentials"):
        assert driver.engine.run_step(order.operation.id, "apply_server") is Outcome.DROPPED
        assert held.now() == {order.operation.id}
    assert held.now() == set()


def test_what_was_claimed_after_the_last_beat_is_not_taken_for_forgotten(driver: Driver) -> None:
    order = driver.order()
    store, worker = driver.services.store, driver.engine.worker_id
    assert claims.claim(store, worker, order.operation.id, "apply_credentials")
    assert claims.free_forgotten(store, worker, set(), STARTING.cause) == []
    store.run("UPDATE toygres.workers SET seen_at = toygres.toygres_now() WHERE id = %(id)s", id=worker)
    assert claims.free_forgotten(store, worker, {order.operation.id}, STARTING.cause) == []
    assert claims.free_forgotten(store, worker, set(), STARTING.cause) == [order.operation.id]


def test_neither_a_wake_nor_a_stray_message_shortens_the_pause_after_a_failure(
    driver: Driver, platform: MemoryPlatform
) -> None:
    def fail() -> None:
        raise OSError(5, "Input/output error")

    platform.faults["before apply_storage"] = fail
    order = driver.order()
    driver.drain(order.operation.id)
    assert sweeps.wake(driver.services.store, [order.instance.id]) == []
    assert driver.deliver(order.operation.id) is Outcome.DROPPED
    assert driver.operation(order.operation.id).steps[1].attempts == 1


def test_a_cancelled_stop_is_ready_only_once_a_client_has_logged_in_again(
    driver: Driver, platform: MemoryPlatform
) -> None:
    order = driver.order()
    driver.drain(order.operation.id)
    stop = request_stop(driver.services, CALLER, "demo")
    driver.deliver(stop.operation.id)
    request_cancel(driver.services, CALLER, ids.shown(ids.OPERATION, stop.operation.id))
    platform.status = STARTING
    assert driver.drain(stop.operation.id).state is OperationState.UNDOING
    platform.status = None
    assert driver.drain(stop.operation.id).state is OperationState.CANCELLED
    found = driver.instance(order.instance.id)
    assert (found.state, found.available.value) == (InstanceState.READY, False)


def _swept(driver: Driver) -> list[UUID]:
    """What the sweep finds due; what no delivery can come to is ended or turned, as the worker's sweep does."""
    driver.shift_clock(claims.GRACE_SECONDS + 1)
    due = sweeps.take_due(driver.services.store, None)
    for found in due:
        end_undeliverable(driver.services, found)
    return [found.id for found in due]


def test_what_a_superseded_step_writes_late_is_refused_by_the_platform(
    driver: Driver, platform: MemoryPlatform
) -> None:
    order = driver.order()

    def delete_meanwhile() -> None:
        platform.faults.clear()
        driver.drain(request_delete(driver.services, CALLER, "demo").operation.id)

    platform.faults["before apply_credentials"] = delete_meanwhile
    assert driver.deliver(order.operation.id) is Outcome.DROPPED
    assert platform.kept == {}


def test_ordering_a_delete_twice_answers_with_the_same_operation(driver: Driver) -> None:
    driver.drain(driver.order().operation.id)
    first = request_delete(driver.services, CALLER, "demo")
    second = request_delete(driver.services, CALLER, "demo")
    assert first.operation.id == second.operation.id


def test_a_delete_is_tried_for_ever(driver: Driver, platform: MemoryPlatform) -> None:
    def refuse() -> None:
        raise Refused(BROKEN.cause)

    driver.drain(driver.order().operation.id)
    platform.faults["before remove_storage"] = refuse
    deletion = request_delete(driver.services, CALLER, "demo")
    for _ in range(2 * driver.services.settings.step_attempts):
        assert driver.drain(deletion.operation.id).state is OperationState.WAITING
        driver.shift_clock(301)
    platform.faults.clear()
    assert driver.drain(deletion.operation.id).state is OperationState.SUCCEEDED
    assert platform.kept == {}


def test_an_undo_that_can_not_finish_in_time_becomes_a_cleanup_that_holds_the_name(
    driver: Driver, platform: MemoryPlatform
) -> None:
    def refuse() -> None:
        raise Refused(BROKEN.cause)

    platform.status = BROKEN
    platform.faults["before remove_storage"] = refuse
    order = driver.order()
    driver.drain(order.operation.id)
    driver.shift_clock(driver.services.settings.undo_seconds + 1)
    ended = driver.drain(order.operation.id)
    assert ended.state is OperationState.FAILED
    assert ended.leftovers == ("credentials", "storage")
    with pytest.raises(Conflict):
        driver.order()
    cleanup_id = driver.instance(order.instance.id).operation_id
    assert cleanup_id is not None
    assert driver.operation(cleanup_id).kind == "cleanup"
    platform.faults.clear()
    driver.shift_clock(301)
    assert driver.drain(cleanup_id).state is OperationState.SUCCEEDED
    assert platform.kept == {}
    assert driver.instance(order.instance.id).state is InstanceState.FAILED
    assert driver.order().instance.name == "demo"


def test_stop_and_start_keep_the_data_and_tell_the_truth(driver: Driver, platform: MemoryPlatform) -> None:
    order = driver.order()
    driver.drain(order.operation.id)
    driver.drain(request_stop(driver.services, CALLER, "demo").operation.id)
    stopped = driver.instance(order.instance.id)
    assert (stopped.state, stopped.available.value) == (InstanceState.STOPPED, False)
    assert "storage" in platform.objects(order.instance.id)
    driver.drain(request_start(driver.services, CALLER, "demo").operation.id)
    started = driver.instance(order.instance.id)
    assert (started.state, started.available.value) == (InstanceState.READY, True)


def test_a_start_that_fails_leaves_the_instance_stopped_with_its_data(driver: Driver, platform: MemoryPlatform) -> None:
    order = driver.order()
    driver.drain(order.operation.id)
    driver.drain(request_stop(driver.services, CALLER, "demo").operation.id)
    start = request_start(driver.services, CALLER, "demo")
    driver.deliver(start.operation.id)
    platform.status = BROKEN
    assert driver.drain(start.operation.id).state in (OperationState.UNDOING, OperationState.FAILED)
    platform.status = None
    assert driver.drain(start.operation.id).state is OperationState.FAILED
    assert driver.instance(order.instance.id).state is InstanceState.STOPPED
    assert platform.objects(order.instance.id) == ["credentials", "service", "storage"]


def test_two_operations_on_one_instance_are_a_conflict_that_names_the_first(driver: Driver) -> None:
    driver.drain(driver.order().operation.id)
    first = request_stop(driver.services, CALLER, "demo")
    with pytest.raises(Conflict) as refused:
        request_stop(driver.services, CALLER, "demo")
    assert refused.value.operation_id == ids.shown(ids.OPERATION, first.operation.id)


def test_an_operation_whose_deadline_passed_fails_and_is_undone(driver: Driver, platform: MemoryPlatform) -> None:
    order = driver.order()
    driver.deliver(order.operation.id)
    driver.shift_clock(driver.services.settings.operation_seconds + 1)
    ended = driver.drain(order.operation.id)
    assert ended.state is OperationState.FAILED
    assert ended.cause.code is CauseCode.DEADLINE_PASSED
    assert platform.kept == {}


def test_the_fence_grows_over_an_instances_operations(driver: Driver, platform: MemoryPlatform) -> None:
    order = driver.order()
    driver.drain(order.operation.id)
    seen = platform.fences[order.instance.id]
    stop = request_stop(driver.services, CALLER, "demo")
    driver.deliver(stop.operation.id)
    assert platform.fences[order.instance.id] > seen


def test_events_tell_the_whole_story_in_order(driver: Driver) -> None:
    order = driver.order()
    driver.drain(order.operation.id)
    told = [event.kind for event in events.after(driver.services.store, "default")]
    assert told[0] == "operation_requested"
    assert told[-1] == "operation_ended"
    assert told.count("step_claimed") == 6
    assert told.count("step_done") == 5


def test_ports_are_given_once_and_no_more_than_there_are(driver: Driver) -> None:
    ports = {driver.order(name).instance.port for name in ("a", "b", "c")}
    assert ports == {20_000, 20_001, 20_002}
    with pytest.raises(Unavailable, match="All 3 ports"):
        driver.order("d")


def test_every_statement_that_the_sweep_runs_finds_what_is_due(driver: Driver, platform: MemoryPlatform) -> None:
    order = driver.order()
    assert sweeps.take_due(driver.services.store, None) == []
    driver.shift_clock(claims.GRACE_SECONDS + 1)
    assert [due.id for due in sweeps.take_due(driver.services.store, None)] == [order.operation.id]
    assert sweeps.take_due(driver.services.store, None) == []


def _revision(driver: Driver, operation_id: UUID) -> int:
    return driver.operation(operation_id).revision


def test_what_a_step_worked_stands_still_once_it_is_done(driver: Driver) -> None:
    order = driver.order()
    driver.deliver(order.operation.id)
    done = driver.operation(order.operation.id).steps[0]
    driver.shift_clock(60)
    later = driver.operation(order.operation.id).steps[0]
    assert (later.worked_seconds, later.waited_seconds) == (done.worked_seconds, done.waited_seconds)
    assert done.worked_seconds < 30


def test_each_change_raises_the_revision(driver: Driver) -> None:
    order = driver.order()
    seen = [order.operation.revision]
    while driver.deliver(order.operation.id) is not None:
        seen.append(_revision(driver, order.operation.id))
    assert seen == sorted(set(seen))
