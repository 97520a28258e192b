"""A broker in trouble: silent, full, locked, with doubled messages and some that a worker doesn't know; a backlog."""

from __future__ import annotations

import signal

import pytest
import redis
from making_stack import Stack

from tests.integration.conftest import Gates
from toygres.domain.operation import OperationState, StepState
from toygres.store import operations
from worker.chains import publish_steps
from worker.queue import connect

STEPS = 6


@pytest.fixture
def admin(stack: Stack) -> redis.Redis:
    """An administrator of the broker."""
    return connect(stack.broker.url)


def test_a_worker_does_not_hang_on_a_silent_broker(stack: Stack, gates: Gates) -> None:
    gate = gates.shut("apply_storage")
    worker = stack.start_worker(ODD_GATES=str(gates.folder), ODD_PLATFORM="memory")
    operation = stack.order()
    stack.once(operation, lambda found: found.steps[1].state is StepState.RUNNING)
    gates.reached("apply_storage")
    stack.valkey.send_signal(signal.SIGSTOP)
    gates.let_pass("apply_storage").rename(gate.with_name("first"))
    gates.open(gate.with_name("first"))
    # The step is done and recorded; publishing what follows it must give its thread back while nobody answers.
    assert "OperationalError" in stack.await_line(stack.name_of(worker), "raised unexpected")
    stack.valkey.send_signal(signal.SIGCONT)
    assert stack.ended(operation).state is OperationState.SUCCEEDED
    assert worker.poll() is None


def test_a_worker_outlives_a_broker_that_is_full_or_locks_it_out(stack: Stack, admin: redis.Redis) -> None:
    worker = stack.start_worker(ODD_PLATFORM="memory")
    admin.config_set("maxmemory-policy", "noeviction")
    admin.config_set("maxmemory", "1")
    full = stack.order("full")
    assert stack.queued() == 0
    admin.config_set("maxmemory", "0")
    assert stack.ended(full).state is OperationState.SUCCEEDED
    with admin.client() as known:
        known.config_set("requirepass", "changed")
        for kind in ("normal", "pubsub"):
            known.client_kill_filter(_type=kind, skipme=True)
        stack.await_line(stack.name_of(worker), "consumer: Cannot connect")
        locked = stack.order("locked")
        known.config_set("requirepass", "")
    assert stack.ended(locked).state is OperationState.SUCCEEDED
    assert worker.poll() is None


def test_doubled_chains_and_a_tail_in_the_wrong_order_change_nothing(stack: Stack) -> None:
    operation = stack.order(publish=False)
    names = operations.remaining(stack.services.store, operation)
    for steps in (names, names[::-1], names, names[2:], names[4:], names):
        assert publish_steps(operation, steps)
    stack.start_worker(ODD_PLATFORM="memory")
    ended = stack.ended(operation)
    assert ended.state is OperationState.SUCCEEDED
    assert [step.attempts for step in ended.steps] == [1] * STEPS


def test_a_step_that_an_older_worker_does_not_know_is_run_by_a_newer_one(stack: Stack) -> None:
    older = stack.start_worker(ODD_PLATFORM="memory", ODD_UNKNOWN="apply_storage")
    operation = stack.order()
    stack.await_line(stack.name_of(older), "Received unregistered task of type 'apply_storage'")
    stack.start_worker(ODD_PLATFORM="memory")
    ended = stack.ended(operation)
    assert ended.state is OperationState.SUCCEEDED
    assert [step.attempts for step in ended.steps] == [1] * STEPS
    assert older.poll() is None
    assert stack.log_of(older).count("unregistered task") < 20, "nothing publishes it again and again"


@pytest.fixture
def many_ports(monkeypatch: pytest.MonkeyPatch) -> None:
    """More instances than a test's own ports would do for; no server takes any."""
    monkeypatch.setenv("TOYGRES_INSTANCE_PORTS", "1024-9999")


def test_a_backlog_is_not_published_again(many_ports: None, stack: Stack, admin: redis.Redis) -> None:
    many = 120
    stack.start_worker(ODD_PLATFORM="memory", ODD_SECONDS="0.05", TOYGRES_WORKER_SLOTS="4")
    before = _published(admin)
    ordered = [stack.order(f"demo{number}") for number in range(many)]
    for operation in ordered:
        assert stack.ended(operation).state is OperationState.SUCCEEDED
    # The least possible: one for each step. Nothing here has to be woken, and no beat runs.
    assert many * STEPS <= _published(admin) - before <= many * STEPS * 1.05


def _published(admin: redis.Redis) -> int:
    """How many messages were put into queues so far."""
    return int(admin.info("commandstats").get("cmdstat_lpush", {}).get("calls", 0))
