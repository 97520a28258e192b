"""The encrypted password is gone once its operation ends, in whichever way it ends, and stays until it must go."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from doubles import MemoryPlatform
from driving import BROKEN, CALLER, Driver

from toygres.domain import ids
from toygres.domain.operation import OperationState
from toygres.errors import Refused
from toygres.provisioning import Accepted, request_cancel, request_delete
from toygres.store import credentials, sweeps
from toygres.turning import end_undeliverable

End = Callable[[Driver, Accepted], object]


def _cancel(driver: Driver, order: Accepted) -> None:
    request_cancel(driver.services, CALLER, ids.shown(ids.OPERATION, order.operation.id))


def _supersede(driver: Driver, order: Accepted) -> None:
    request_delete(driver.services, CALLER, "demo")


def _run_out_of_time(driver: Driver, order: Accepted) -> None:
    driver.shift_clock(driver.services.settings.operation_seconds + 1)
    for due in sweeps.take_due(driver.services.store, None):
        end_undeliverable(driver.services, due)


def _deliver(driver: Driver, order: Accepted) -> None:
    driver.deliver(order.operation.id)


def _fail_and_never_be_undone(driver: Driver, order: Accepted) -> None:
    driver.drain(order.operation.id)
    driver.shift_clock(driver.services.settings.undo_seconds + 1)
    driver.drain(order.operation.id)


@pytest.mark.parametrize(
    ("end", "state"),
    [
        (_cancel, OperationState.CANCELLED),
        (_supersede, OperationState.SUPERSEDED),
        (_run_out_of_time, OperationState.FAILED),
        (_deliver, OperationState.RUNNING),
    ],
)
def test_an_ending_takes_the_password_with_it(driver: Driver, end: End, state: OperationState) -> None:
    order = driver.order()
    assert credentials.get(driver.services.store, order.operation.id)
    end(driver, order)
    assert driver.operation(order.operation.id).state is state
    assert credentials.get(driver.services.store, order.operation.id) is None


@pytest.mark.parametrize("end", [_deliver, _fail_and_never_be_undone])
def test_a_delivery_that_is_refused_takes_the_password_with_it(
    driver: Driver, platform: MemoryPlatform, end: End
) -> None:
    def refuse() -> None:
        raise Refused(BROKEN.cause)

    platform.faults["before apply_credentials"] = platform.faults["before remove_credentials"] = refuse
    order = driver.order()
    end(driver, order)
    assert credentials.get(driver.services.store, order.operation.id) is None
    assert driver.operation(order.operation.id).state in (OperationState.UNDOING, OperationState.FAILED)


def test_a_delivery_that_will_be_tried_again_keeps_the_password(driver: Driver, platform: MemoryPlatform) -> None:
    def fail() -> None:
        raise OSError

    platform.faults["before apply_credentials"] = fail
    order = driver.order()
    driver.deliver(order.operation.id)
    assert credentials.get(driver.services.store, order.operation.id)
    platform.faults.clear()
    driver.shift_clock(60)
    assert driver.drain(order.operation.id).state is OperationState.SUCCEEDED


def test_what_was_erased_is_soon_swept_out_of_the_table(driver: Driver) -> None:
    found = driver.services.store.one("SELECT reloptions FROM pg_class WHERE oid = 'toygres.credentials'::regclass")
    assert found is not None
    assert set(found.reloptions) == {"autovacuum_vacuum_threshold=0", "autovacuum_vacuum_scale_factor=0"}
