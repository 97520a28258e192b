"""How a worker ends: by a signal, by a command, by itself when its slots are lost; whatever its steps do."""

from __future__ import annotations

import signal
from uuid import UUID

from making_stack import Stack, celery

from tests.integration.conftest import Gates
from toygres.domain.operation import OperationState, StepState
from toygres.domain.records import OperationRecord

PATIENCE = 60


def _credentials_run(operation: OperationRecord) -> bool:
    return operation.steps[0].state is StepState.RUNNING


def _held(stack: Stack) -> int:
    row = stack.services.store.one("SELECT count(*) AS n FROM toygres.operations WHERE owner IS NOT NULL")
    return int(row.n)


def test_a_worker_told_to_stop_ends_soon_and_hands_back_though_its_steps_run_on(stack: Stack, gates: Gates) -> None:
    gates.shut("apply_credentials")
    workers = stack.start_workers(4, ODD_GATES=str(gates.folder), ODD_PLATFORM="memory", TOYGRES_WORKER_SLOTS="1")
    ordered = [stack.order(f"demo{number}") for number in range(4)]
    for operation in ordered:
        stack.once(operation, _credentials_run)
    stack.await_commands(4)
    for worker, number in zip(workers, (signal.SIGTERM, signal.SIGINT, signal.SIGQUIT), strict=False):
        worker.send_signal(number)
    celery.control.shutdown(destination=["worker3@test"])
    assert [worker.wait(timeout=PATIENCE) for worker in workers] == [0, 0, 0, 0]
    assert _held(stack) == 0
    for operation in ordered:
        found = stack.once(operation, lambda found: True)
        assert found.steps[0].attempts == 0, "to be stopped is no attempt"
    assert all("apply_credentials of op_" in stack.log_of(worker) for worker in workers)


def test_a_worker_that_lost_a_quarter_of_its_slots_leaves_and_names_the_steps(stack: Stack, gates: Gates) -> None:
    gates.shut("apply_credentials")
    worker = stack.start_worker(ODD_GATES=str(gates.folder), ODD_PLATFORM="memory", TOYGRES_WORKER_SLOTS="8")
    hung = [_order_hung(stack, name) for name in ("one", "two")]
    assert worker.wait(timeout=PATIENCE) == 75
    log = stack.log_of(worker)
    assert '"event": "slots_lost"' in log
    gates.let_pass("apply_credentials")
    stack.start_worker(ODD_PLATFORM="memory")
    for operation in hung:
        assert stack.ended(operation).state is OperationState.SUCCEEDED


def _order_hung(stack: Stack, name: str) -> UUID:
    operation = stack.order(name, publish=False)
    stack.services.store.run("UPDATE toygres.steps SET limit_seconds = 1 WHERE operation_id = %(id)s", id=operation)
    return operation


def test_a_hung_step_that_wakes_late_in_a_worker_that_went_on_changes_nothing(stack: Stack, gates: Gates) -> None:
    gates.shut("apply_storage")
    worker = stack.start_worker(ODD_GATES=str(gates.folder), ODD_PLATFORM="memory", TOYGRES_WORKER_SLOTS="16")
    operation = _order_hung(stack, "demo")
    stack.once(operation, lambda found: found.steps[1].state is StepState.RUNNING)
    gates.reached("apply_storage")
    gate = gates.let_pass("apply_storage")
    ended = stack.ended(operation)
    assert (ended.state, ended.steps[1].attempts) == (OperationState.SUCCEEDED, 2)
    gates.open(gate)
    assert '"attempt": 1' in stack.await_line(stack.name_of(worker), '"outcome": "dropped"')
    assert stack.once(operation, lambda found: True) == ended
    assert worker.poll() is None
