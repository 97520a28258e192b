"""A server that is killed is started again by the workers: at once when one sees it, later when none did."""

from __future__ import annotations

import signal
from uuid import UUID

from making_stack import Stack

from toygres.domain import ids
from toygres.domain.operation import OperationState
from toygres.domain.records import OperationRecord
from toygres.errors import CauseCode
from toygres.platforms.local import processes
from toygres.platforms.local.layout import Layout
from toygres.platforms.local.platform import LocalPlatform
from toygres.store import instances, operations


def _kill_server(stack: Stack, instance_id: UUID) -> None:
    platform = stack.services.platform("local")
    assert isinstance(platform, LocalPlatform)
    found = processes.postmaster(Layout(platform.place, instance_id))
    assert found is not None
    processes.send(found, signal.SIGKILL)
    found.wait(30)


def _starts(stack: Stack, instance_id: UUID) -> list[OperationRecord]:
    page = operations.list_page(stack.services.store, "default", 50, None, instance=instance_id)
    return [operation for operation in page.items if operation.kind == "start"]


def _ordered(stack: Stack, instance_id: UUID, count: int) -> OperationRecord:
    """The last of `count` starts, once it has ended."""
    stack.heard(lambda: len(_starts(stack, instance_id)) >= count)
    (last, *_) = _starts(stack, instance_id)
    return stack.ended(last.id)


def _state(stack: Stack, instance_id: UUID) -> tuple[str, bool]:
    found = instances.get(stack.services.store, "default", ids.shown(ids.INSTANCE, instance_id))
    return found.state.value, found.available.value


def test_a_killed_server_is_started_once_by_two_workers_and_given_up_when_it_keeps_ending(stack: Stack) -> None:
    stack.start_worker()
    stack.start_worker()
    demo = stack.create().instance_id
    limit = stack.services.settings.server_restarts
    for times in range(1, limit + 1):
        _kill_server(stack, demo)
        ended = _ordered(stack, demo, times)
        assert (ended.actor, ended.state) == ("observer", OperationState.SUCCEEDED)
        assert ended.cause is not None
        assert ended.cause.code is CauseCode.SERVER_EXITED
        assert ended.cause.evidence
        assert _state(stack, demo) == ("ready", True)
    _kill_server(stack, demo)
    stack.heard(lambda: not instances.find(stack.services.store, demo).available.value)
    left = instances.find(stack.services.store, demo)
    assert left.available.cause.code is CauseCode.SERVER_KEEPS_ENDING
    assert left.operation_id is None
    assert len(_starts(stack, demo)) == limit


def test_a_server_that_was_killed_while_no_worker_ran_is_started_when_one_comes(stack: Stack) -> None:
    worker = stack.start_worker()
    demo = stack.create().instance_id
    worker.terminate()
    assert worker.wait(timeout=60) == 0
    _kill_server(stack, demo)
    stack.start_worker()
    # It was ordered before the worker said that it is there.
    assert len(_starts(stack, demo)) == 1
    ended = _ordered(stack, demo, 1)
    assert (ended.actor, ended.state) == ("observer", OperationState.SUCCEEDED)
    assert _state(stack, demo) == ("ready", True)
