"""What a delivery of a step does to the ledger: claimed, waited for, tried again, undone."""

from __future__ import annotations

from dataclasses import replace

from doubles import MemoryPlatform
from driving import BROKEN, STARTING, Driver

from toygres.domain.instance import InstanceState
from toygres.domain.operation import OperationState, StepState
from toygres.engine import Outcome
from toygres.errors import CauseCode, Refused
from toygres.store import claims, credentials, operations, sweeps


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


def test_a_worker_without_the_instances_platform_or_the_step_hands_it_back(driver: Driver) -> None:
    order = driver.order()
    elsewhere = Driver.arrive(replace(driver.services, platforms={}))
    assert elsewhere.deliver(order.operation.id) is Outcome.DROPPED
    older = Driver.arrive(driver.services)
    older.engine.steps = {}
    driver.shift_clock(claims.GRACE_SECONDS + 1)
    assert older.deliver(order.operation.id) is Outcome.DROPPED
    driver.shift_clock(claims.GRACE_SECONDS + 1)
    ended = driver.drain(order.operation.id)
    assert ended.state is OperationState.SUCCEEDED
    assert ended.steps[0].attempts == 1, "to be handed back is no attempt"


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
