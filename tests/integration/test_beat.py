"""Beat on a thread of a worker."""

from __future__ import annotations

import psutil
from celery.worker import WorkController
from making_stack import Stack, read_until

from worker.app import celery

PATIENCE = 30.0


def test_a_worker_that_is_told_to_runs_beat_without_a_process_more(stack: Stack) -> None:
    worker = stack.start_worker("--with-beat")
    with stack.logged("worker0") as log:
        read_until(log, "Sending due task sweep")
    with stack.logged("worker0") as log:
        read_until(log, "Task sweep")
    assert psutil.Process(worker.pid).children() == []
    worker.terminate()
    assert worker.wait(PATIENCE) == 0


def test_a_worker_that_is_not_told_to_has_no_beat(stack: Stack) -> None:
    worker = stack.start_worker()
    worker.terminate()
    assert worker.wait(PATIENCE) == 0
    assert "beat: Starting" not in (stack.home.logs / "worker0.log").read_text()


def test_of_a_workers_steps_only_the_consumer_is_the_last() -> None:
    # With two, whichever a set gives first wins, and half of all workers begin to consume before they have a pool.
    steps = dict(WorkController.Blueprint(celery.steps["worker"]).claim_steps())
    assert [name for name, step in steps.items() if step.last] == ["celery.worker.components.Consumer"]
