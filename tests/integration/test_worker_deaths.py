"""What becomes of a killed, a frozen and a deaf worker's steps, and what a restart of the metadata DB is not."""

from __future__ import annotations

import json
import signal
import subprocess
from uuid import UUID

from making_stack import Stack, celery

from tests.integration.conftest import Gates
from toygres.domain.operation import OperationState, StepState
from toygres.domain.records import OperationRecord
from toygres.store import counters

PATIENCE = 60


def _storage_runs(operation: OperationRecord) -> bool:
    return operation.steps[1].state is StepState.RUNNING


def _hold(stack: Stack, gates: Gates, many: int) -> tuple[subprocess.Popen[bytes], list[UUID]]:
    """A worker that holds so many steps, and its operations."""
    gates.shut("apply_storage")
    victim = stack.start_worker(ODD_GATES=str(gates.folder), ODD_PLATFORM="memory")
    held = [stack.order(f"held{number}") for number in range(many)]
    for operation in held:
        stack.once(operation, _storage_runs)
    gates.reached("apply_storage")
    return victim, held


def test_a_killed_workers_claims_and_its_lead_pass_to_another(stack: Stack, gates: Gates) -> None:
    victim, held = _hold(stack, gates, 4)
    stack.await_line(stack.name_of(victim), "observer_leads")
    peer = stack.start_worker(ODD_PLATFORM="memory")
    victim.kill()
    victim.wait()
    for operation in held:
        ended = stack.ended(operation)
        assert (ended.state, ended.steps[1].attempts) == (OperationState.SUCCEEDED, 2)
    stack.await_line(stack.name_of(peer), "observer_leads")
    assert '"dead_workers": [1]' in stack.await_line(stack.name_of(peer), "claims_freed")
    assert counters.read(stack.services.store, counters.FOUND_PARKED).value == 0, "a freed claim was never parked"


def test_a_frozen_workers_claims_messages_and_lead_pass_on_and_it_comes_back_as_another(
    stack: Stack, gates: Gates
) -> None:
    victim, held = _hold(stack, gates, 2)
    stack.await_listening()
    victim.send_signal(signal.SIGSTOP)
    # The broker gives this one to the frozen worker: it leaves the queue, is written down nowhere, and is lost.
    swallowed = stack.order("swallowed")
    assert stack.queued() == 0
    peer = stack.start_worker(ODD_PLATFORM="memory")
    for operation in (*held, swallowed):
        assert stack.ended(operation).state is OperationState.SUCCEEDED
    stack.await_line(stack.name_of(peer), "observer_leads")
    before = [stack.once(operation, lambda found: True) for operation in held]
    gate = gates.let_pass("apply_storage")
    victim.send_signal(signal.SIGCONT)
    stack.await_line(stack.name_of(victim), "worker_arrived_anew")
    gates.open(gate)
    stack.await_line(stack.name_of(victim), '"outcome": "dropped"')
    assert [stack.once(operation, lambda found: True) for operation in held] == before
    assert stack.ended(stack.order("later")).state is OperationState.SUCCEEDED


def test_a_crash_of_the_metadata_database_is_no_death_of_workers(own_database: Stack, gates: Gates) -> None:
    stack = own_database
    gates.shut("apply_storage")
    workers = stack.start_workers(2, ODD_GATES=str(gates.folder), ODD_PLATFORM="memory")
    held = [stack.order(f"held{number}") for number in range(4)]
    before = [stack.once(operation, _storage_runs) for operation in held]
    gates.reached("apply_storage")
    stack.crash_database()
    stack.await_beats(2)
    assert stack.services.store.one("SELECT count(*) AS n FROM toygres.workers").n == 2
    gate = gates.let_pass("apply_storage")
    gates.open(gate)
    for operation, as_it_was in zip(held, before, strict=True):
        ended = stack.ended(operation)
        assert ended.state is OperationState.SUCCEEDED
        assert ended.steps[1].attempts == as_it_was.steps[1].attempts == 1
    assert not any("worker_arrived_anew" in stack.log_of(worker) for worker in workers)


def test_a_worker_that_was_told_not_to_listen_listens_again(stack: Stack) -> None:
    worker = stack.start_worker(ODD_PLATFORM="memory", ODD_DEAF="2")
    stack.await_commands()
    celery.control.rate_limit("apply_credentials", "1/h")
    celery.control.pool_shrink(15)
    told = celery.control.cancel_consumer("steps", reply=True, timeout=PATIENCE, limit=1)
    assert told == [{"worker0@test": {"ok": "no longer consuming from steps"}}]
    operations = [stack.order(name) for name in ("one", "two", "three")]
    for operation in operations:
        assert stack.ended(operation).state is OperationState.SUCCEEDED
    told_later = json.loads(stack.await_line("worker0", "listens_again"))
    assert told_later["listened"] is False
    assert worker.poll() is None


def test_a_worker_that_is_connected_and_deaf_leaves(stack: Stack, gates: Gates) -> None:
    gates.shut("main_thread")
    worker = stack.start_worker(ODD_GATES=str(gates.folder), ODD_PLATFORM="memory", ODD_DEAF="2")
    stack.await_commands()
    celery.control.broadcast("block")
    stack.order()
    assert worker.wait(timeout=PATIENCE) == 75
    assert "worker_deaf" in stack.log_of(worker)
