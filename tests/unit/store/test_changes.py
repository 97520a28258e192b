"""Waiting for an operation to change."""

from __future__ import annotations

import threading
import time
from uuid import UUID

from toygres.domain import ids
from toygres.domain.instance import InstanceSpec
from toygres.store import instances, operations
from toygres.store.changes import Changes
from toygres.store.operations import Plan, PlannedStep
from toygres.store.session import Store


def _operation(store: Store) -> UUID:
    instance_id = ids.new()
    plan = Plan(
        id=ids.new(),
        project="default",
        instance_id=instance_id,
        kind="create",
        gives="ready",
        gives_failed="failed",
        gives_cancelled="deleted",
        persistent=False,
        max_attempts=5,
        deadline_seconds=60,
        actor="tester",
        request_id="r",
        steps=(PlannedStep(name="a", undo=None, within_seconds=None, limit_seconds=1),),
    )
    with store.transaction() as connection:
        connection.execute("INSERT INTO toygres.platforms (name, kind, identity) VALUES ('p', 'p', 'p')")
        spec = InstanceSpec(version="18", storage_bytes=1, cpu_millicores=1, memory_bytes=1)
        instances.insert(connection, instance_id, "default", "demo", "p", spec)
        operations.insert(connection, plan)
    return plan.id


def test_a_change_ends_the_wait_long_before_its_time(store: Store) -> None:
    operation_id = _operation(store)
    changes = Changes(store)
    waiter = threading.Thread(target=changes.wait, args=(operation_id, 1, 60.0))
    waiter.start()
    assert operations.request_cancel(store, "default", operation_id, "tester")
    waiter.join(timeout=30)
    assert not waiter.is_alive()
    changes.close()


def test_a_change_that_came_before_ends_the_wait_at_once(store: Store) -> None:
    operation_id = _operation(store)
    changes = Changes(store)
    operations.request_cancel(store, "default", operation_id, "tester")
    began = time.monotonic()
    changes.wait(operation_id, 1, 60.0)
    assert time.monotonic() - began < 30
    changes.close()


def test_without_a_change_the_wait_ends_when_its_time_is_over(store: Store) -> None:
    operation_id = _operation(store)
    changes = Changes(store)
    changes.wait(operation_id, 1, 0.1)
    assert operations.revision(store, operation_id) == 1
    changes.close()


def test_an_unknown_operation_is_not_waited_for(store: Store) -> None:
    changes = Changes(store)
    changes.wait(ids.new(), 0, 60.0)
    changes.close()
