"""A worker process on a real broker: what it is told, what it loses, and how it finds that again."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

from driving import CALLER
from making_stack import Stack

from toygres.domain import ids
from toygres.domain.operation import OperationState, StepState
from toygres.domain.records import OperationRecord
from toygres.provisioning import InstanceRequest, request_instance
from toygres.store import counters
from worker.app import celery
from worker.chains import publish


def _storage_runs(operation: OperationRecord) -> bool:
    return operation.steps[1].state is StepState.RUNNING


def test_a_published_operation_is_carried_out_step_by_step(stack: Stack) -> None:
    stack.start_worker()
    ended = stack.ended(stack.order())
    assert ended.state is OperationState.SUCCEEDED, ended.cause
    assert [step.attempts for step in ended.steps[:4]] == [1, 1, 1, 1]


def test_the_observer_and_not_the_sweep_wakes_a_waiting_step(stack: Stack) -> None:
    stack.start_worker()
    assert stack.ended(stack.order()).state is OperationState.SUCCEEDED
    log = (stack.home.logs / "worker0.log").read_text()
    assert "observer_leads" in log
    assert '"event": "swept"' not in log, log
    assert counters.read(stack.services.store, counters.FOUND_PARKED).value == 0


def test_an_operation_that_was_never_published_is_found_by_the_sweep(stack: Stack) -> None:
    stack.start_worker()
    assert stack.ended(stack.order(publish=False)).state is OperationState.SUCCEEDED


def test_an_emptied_broker_loses_nothing(stack: Stack) -> None:
    stack.start_worker()
    operation = stack.order()
    stack.once(operation, _storage_runs)
    stack.kill_broker(forget=True)
    stack.start_broker()
    assert stack.ended(operation).state is OperationState.SUCCEEDED


def test_a_worker_outlives_its_broker_while_a_step_runs(stack: Stack) -> None:
    worker = stack.start_worker()
    operation = stack.order()
    stack.once(operation, _storage_runs)
    stack.kill_broker()
    stack.start_broker()
    assert stack.ended(operation).state is OperationState.SUCCEEDED
    assert worker.poll() is None


def test_a_request_is_accepted_while_the_broker_is_gone_and_starts_by_itself(stack: Stack) -> None:
    stack.start_worker()
    stack.kill_broker()
    accepted = request_instance(stack.services, CALLER, InstanceRequest(name="demo"))
    assert not publish(accepted.operation)
    stack.start_broker()
    assert stack.ended(accepted.operation.id).state is OperationState.SUCCEEDED


def test_publishing_to_a_silent_broker_gives_up_soon(stack: Stack) -> None:
    accepted = request_instance(stack.services, CALLER, InstanceRequest(name="demo"))
    stack.valkey.send_signal(signal.SIGSTOP)
    began = time.monotonic()
    published = publish(accepted.operation)
    took = time.monotonic() - began
    stack.valkey.send_signal(signal.SIGCONT)
    assert not published
    assert took < 30, "an unbounded wait is what this defends against"


def test_another_worker_takes_over_what_a_killed_one_held(stack: Stack) -> None:
    first = stack.start_worker()
    operation = stack.order()
    stack.once(operation, _storage_runs)
    first.kill()
    first.wait()
    stack.start_worker()
    ended = stack.ended(operation)
    assert ended.state is OperationState.SUCCEEDED, ended.cause


def test_a_stray_call_of_a_step_has_no_effect(stack: Stack) -> None:
    stack.start_worker()
    known = stack.ended(stack.order())
    shown = ids.shown(ids.OPERATION, known.id)
    for argument in (shown, "op_00000000000000000000000000", "nonsense"):
        celery.send_task("remove_storage", args=(argument,))
    celery.send_task("apply_storage", args=(shown,))
    assert stack.ended(stack.order("other")).state is OperationState.SUCCEEDED
    after = stack.once(known.id, lambda found: True)
    assert after == known
    assert stack.instance_of(known).state.value == "ready"


def test_a_step_that_waits_or_is_not_ours_has_ended_for_celery(stack: Stack) -> None:
    stack.start_worker()
    last: dict[str, str] = {}
    listening, all_ended = threading.Event(), threading.Event()

    def note(event: dict[str, str]) -> None:
        listening.set()
        if event["type"] in ("task-received", "task-started", "task-succeeded", "task-failed", "task-retried"):
            last[event["uuid"]] = event["type"]
        if len(last) >= 7 and set(last.values()) == {"task-succeeded"}:
            all_ended.set()

    with celery.connection() as connection:
        receiver = celery.events.Receiver(connection, handlers={"*": note})
        capturing = threading.Thread(target=receiver.capture, kwargs={"limit": None, "wakeup": False})
        capturing.start()
        # The worker's heartbeats come every two seconds, whatever else does.
        assert listening.wait(timeout=60)
        operation = stack.order()
        celery.send_task("apply_storage", args=("nonsense",))
        assert all_ended.wait(timeout=60), last
        receiver.should_stop = True
        capturing.join(timeout=60)
    assert stack.ended(operation).state is OperationState.SUCCEEDED


def test_the_celery_cli_finds_the_worker(stack: Stack) -> None:
    stack.start_worker()
    asked = subprocess.run(
        [sys.executable, "-m", "celery", "-A", "worker", "inspect", "ping"],
        env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert "pong" in asked.stdout, asked.stdout + asked.stderr


def test_a_stopping_worker_ends_by_itself_and_leaves_no_claim(stack: Stack) -> None:
    worker = stack.start_worker()
    worker.terminate()
    assert worker.wait(timeout=60) == 0
    row = stack.services.store.one("SELECT count(*) AS n FROM toygres.workers")
    assert row.n == 0
