"""The engine: what a delivery of a step does to the ledger, on a platform that keeps its objects in memory."""

from __future__ import annotations

from uuid import UUID

import pytest
from doubles import MemoryPlatform
from driving import CALLER, Driver

from toygres.config import Settings
from toygres.domain import ids
from toygres.domain.instance import InstanceState
from toygres.domain.operation import OperationState, StepState
from toygres.engine import Engine, Outcome
from toygres.errors import Cause, CauseCode, Conflict, Refused, Unavailable
from toygres.platforms.protocol import ServerPhase, ServerStatus
from toygres.provisioning import request_cancel, request_delete, request_start, request_stop
from toygres.secrets import Cipher, load_keys
from toygres.services import Services
from toygres.store import claims, credentials, events, installation, instances, operations, sweeps
from toygres.store.session import Store
from toygres.turning import end_undeliverable

STARTING = ServerStatus(
    phase=ServerPhase.STARTING, cause=Cause(code=CauseCode.STARTING, message="It starts.", remedy="Wait.")
)
BROKEN = ServerStatus(
    phase=ServerPhase.BROKEN,
    cause=Cause(code=CauseCode.PORT_TAKEN, message="The port is taken.", remedy="Free it."),
)


@pytest.fixture
def platform() -> MemoryPlatform:
    return MemoryPlatform()


@pytest.fixture
def driver(settings: Settings, store: Store, platform: MemoryPlatform) -> Driver:
    installation.meet_platform(store, platform.name, "memory", platform.identity())
    services = Services(
        settings=settings.model_copy(update={"platform": "memory"}),
        store=store,
        platforms={"memory": platform},
        cipher=Cipher(load_keys(settings)),
        installation_id=installation.identity(store),
    )
    return Driver.arrive(services)


def test_a_create_that_goes_well_ends_ready_with_every_object(driver: Driver, platform: MemoryPlatform) -> None:
    order = driver.order()
    ended = driver.drain(order.operation.id)
    assert ended.state is OperationState.SUCCEEDED
    assert [step.state for step in ended.steps] == [StepState.DONE] * 6
    assert driver.instance(order.instance.id).state is InstanceState.READY
    assert driver.instance(order.instance.id).available.value
    assert platform.objects(order.instance.id) == ["credentials", "server", "service", "storage"]


def test_every_step_is_shown_before_it_runs(driver: Driver) -> None:
    order = driver.order()
    assert [step.name for step in order.operation.steps] == [
        "apply_credentials",
        "apply_storage",
        "apply_server",
        "apply_service",
        "await_server",
        "verify_login",
    ]
    assert {step.state for step in order.operation.steps} == {StepState.PENDING}


def test_a_second_delivery_of_a_finished_step_is_dropped(driver: Driver, platform: MemoryPlatform) -> None:
    order = driver.order()
    assert driver.engine.run_step(order.operation.id, "apply_credentials") is Outcome.DONE
    assert driver.engine.run_step(order.operation.id, "apply_credentials") is Outcome.DROPPED
    assert len(platform.effects) == 1


def test_a_step_is_dropped_whose_turn_has_not_come(driver: Driver, platform: MemoryPlatform) -> None:
    order = driver.order()
    assert driver.engine.run_step(order.operation.id, "apply_server") is Outcome.DROPPED
    assert platform.effects == []


def test_a_held_step_is_not_given_to_a_second_worker(driver: Driver) -> None:
    order = driver.order()
    other = Driver.arrive(driver.services)
    assert claims.claim(driver.services.store, driver.engine.worker_id, order.operation.id, "apply_credentials")
    assert claims.claim(driver.services.store, other.engine.worker_id, order.operation.id, "apply_credentials") is None


def test_an_unregistered_worker_gets_no_claim(driver: Driver) -> None:
    order = driver.order()
    assert claims.claim(driver.services.store, 999_999, order.operation.id, "apply_credentials") is None


def test_a_worker_that_lost_its_claim_can_not_write(driver: Driver) -> None:
    order = driver.order()
    store, worker = driver.services.store, driver.engine.worker_id
    lost = claims.claim(store, worker, order.operation.id, "apply_credentials")
    assert lost is not None
    driver.shift_clock(61)
    assert claims.free_lapsed(store, STARTING.cause)
    newer = claims.claim(store, worker, order.operation.id, "apply_credentials")
    assert newer is not None
    assert newer.fence > lost.fence
    assert claims.finish(store, lost) is None
    assert claims.park(store, lost, STARTING.cause) is None
    assert claims.try_later(store, lost, STARTING.cause, 1) is None
    assert claims.finish(store, newer) is not None


def test_the_password_is_gone_once_it_was_delivered(driver: Driver) -> None:
    order = driver.order()
    assert credentials.get(driver.services.store, order.operation.id)
    driver.deliver(order.operation.id)
    assert credentials.get(driver.services.store, order.operation.id) is None


def test_a_waiting_step_holds_no_claim_and_counts_no_attempt(driver: Driver, platform: MemoryPlatform) -> None:
    platform.status = STARTING
    order = driver.order()
    waiting = driver.drain(order.operation.id)
    step = waiting.steps[4]
    assert (waiting.state, step.state) == (OperationState.WAITING, StepState.WAITING)
    assert (step.attempts, step.looks) == (0, 1)
    assert step.cause == STARTING.cause
    assert not operations.standing(driver.services.store, order.operation.id).held


def test_a_wake_during_a_step_makes_parking_look_again_at_once(driver: Driver, platform: MemoryPlatform) -> None:
    order = driver.order()
    for _ in range(4):
        driver.deliver(order.operation.id)
    platform.status = STARTING
    platform.faults["observe"] = lambda: sweeps.wake(driver.services.store, [order.instance.id])
    assert driver.deliver(order.operation.id) is Outcome.TURNED


def test_a_wake_gives_back_parked_operations_only(driver: Driver, platform: MemoryPlatform) -> None:
    platform.status = STARTING
    order = driver.order()
    driver.drain(order.operation.id)
    assert sweeps.wake(driver.services.store, [order.instance.id]) == [order.operation.id]
    other = driver.order("other")
    assert claims.claim(driver.services.store, driver.engine.worker_id, other.operation.id, "apply_credentials")
    assert sweeps.wake(driver.services.store, [other.instance.id]) == []


def test_waiting_longer_than_the_bound_fails_with_what_was_waited_for(driver: Driver, platform: MemoryPlatform) -> None:
    platform.status = STARTING
    order = driver.order()
    driver.drain(order.operation.id)
    driver.shift_clock(driver.services.settings.server_start_seconds + 1)
    ended = driver.drain(order.operation.id)
    assert ended.state is OperationState.FAILED
    assert ended.cause.code is CauseCode.STARTING
    assert "It starts." in ended.cause.message


def test_a_refusal_undoes_newest_first_and_keeps_the_evidence(driver: Driver, platform: MemoryPlatform) -> None:
    platform.status = BROKEN
    order = driver.order()
    ended = driver.drain(order.operation.id)
    assert ended.state is OperationState.FAILED
    assert ended.cause.code is CauseCode.PORT_TAKEN
    assert ended.cause.evidence == ("the last line of the log",)
    assert [step.name for step in ended.steps[6:]] == [
        "remove_service",
        "remove_server",
        "remove_storage",
        "remove_credentials",
    ]
    assert [step.state for step in ended.steps[:6]] == [StepState.UNDONE] * 4 + [StepState.FAILED, StepState.SKIPPED]
    assert platform.kept == {}
    assert driver.instance(order.instance.id).state is InstanceState.FAILED


def test_a_failed_create_gives_its_name_and_port_back(driver: Driver, platform: MemoryPlatform) -> None:
    platform.status = BROKEN
    first = driver.order()
    driver.drain(first.operation.id)
    platform.status = None
    second = driver.order()
    assert second.instance.id != first.instance.id
    assert second.instance.port == first.instance.port
    assert driver.drain(second.operation.id).state is OperationState.SUCCEEDED


def test_the_failing_step_is_undone_too_since_it_may_have_half_happened(
    driver: Driver, platform: MemoryPlatform
) -> None:
    def refuse() -> None:
        raise Refused(BROKEN.cause)

    platform.faults["after apply_storage"] = refuse
    order = driver.order()
    ended = driver.drain(order.operation.id)
    assert [step.name for step in ended.steps[6:]] == ["remove_storage", "remove_credentials"]
    assert platform.kept == {}


def test_other_errors_back_off_and_are_tried_up_to_a_limit(driver: Driver, platform: MemoryPlatform) -> None:
    def fail() -> None:
        raise OSError(5, "Input/output error")

    platform.faults["before apply_storage"] = fail
    order = driver.order()
    for attempt in range(1, driver.services.settings.step_attempts):
        waiting = driver.drain(order.operation.id)
        assert (waiting.state, waiting.steps[1].attempts) == (OperationState.WAITING, attempt)
        driver.shift_clock(20)
    ended = driver.drain(order.operation.id)
    assert ended.state is OperationState.FAILED
    assert "Input/output error" in ended.cause.message


def test_a_step_that_keeps_killing_its_worker_is_given_up(driver: Driver, platform: MemoryPlatform) -> None:
    order = driver.order()
    for _ in range(driver.services.settings.step_attempts):
        assert claims.claim(driver.services.store, driver.engine.worker_id, order.operation.id, "apply_credentials")
        driver.shift_clock(61)
        claims.free_lapsed(driver.services.store, STARTING.cause)
    ended = driver.drain(order.operation.id)
    assert ended.state is OperationState.FAILED
    assert ended.cause.code is CauseCode.WORKERS_DIED


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
    assert instances.take_due_for_check(driver.services.store, 30, 5) == [order.instance.id]


def test_an_instance_is_looked_at_again_only_after_a_while_and_not_while_something_goes_on(driver: Driver) -> None:
    order = driver.order()
    driver.drain(order.operation.id)
    store = driver.services.store
    assert instances.take_due_for_check(store, 30, 5) == [order.instance.id]
    assert instances.take_due_for_check(store, 30, 5) == []
    driver.shift_clock(31)
    request_stop(driver.services, CALLER, "demo")
    assert instances.take_due_for_check(store, 30, 5) == []


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
    with held.delivery(order.operation.id):
        assert driver.engine.run_step(order.operation.id, "apply_server") is Outcome.DROPPED
        assert held.now() == {order.operation.id}
    assert held.now() == set()


def test_what_was_claimed_after_the_last_beat_is_not_taken_for_forgotten(driver: Driver) -> None:
    order = driver.order()
    store, worker = driver.services.store, driver.engine.worker_id
    assert claims.claim(store, worker, order.operation.id, "apply_credentials")
    assert claims.free_forgotten(store, worker, set(), STARTING.cause) == []
    store.run("UPDATE toygres.workers SET seen_at = toygres.toygres_now() WHERE id = :id", id=worker)
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


def test_a_step_that_this_version_does_not_know_is_handed_back(driver: Driver) -> None:
    order = driver.order()
    old = Engine(driver.services, driver.engine.worker_id, steps={})
    assert old.run_step(order.operation.id, "apply_credentials") is Outcome.DROPPED
    step = driver.operation(order.operation.id).steps[0]
    assert (step.state, step.attempts) == (StepState.WAITING, 0)
    driver.shift_clock(claims.GRACE_SECONDS)
    assert driver.drain(order.operation.id).state is OperationState.SUCCEEDED


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
