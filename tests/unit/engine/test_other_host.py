"""What a worker does with instances whose platform lives on another machine: nothing, and it says so."""

from __future__ import annotations

import dataclasses

import pytest
from doubles import MemoryPlatform
from driving import CALLER, Driver, without_login

from toygres import revival
from toygres.domain.operation import OperationState, StepState
from toygres.engine import Outcome
from toygres.errors import CauseCode, Misconfigured
from toygres.platforms.elsewhere import Elsewhere
from toygres.provisioning import request_delete
from toygres.services import meet
from toygres.store import claims, instances
from toygres.store.session import Store


@pytest.fixture
def other(driver: Driver) -> Driver:
    """A second worker, on another machine."""
    moved = dataclasses.replace(driver.services, platforms={"memory": Elsewhere("memory", "over there")})
    worker = Driver.arrive(moved)
    worker.engine.steps = without_login()
    return worker


def test_a_step_waits_for_the_right_worker_however_long_that_takes(driver: Driver, other: Driver) -> None:
    order = driver.order()
    for _ in range(4):
        driver.deliver(order.operation.id)
    for _ in range(3):
        assert other.deliver(order.operation.id) is Outcome.WAITING
        driver.shift_clock(driver.services.settings.server_start_seconds + 1)
    step = driver.operation(order.operation.id).steps[4]
    assert (step.state, step.attempts, step.cause.code) == (StepState.WAITING, 0, CauseCode.OTHER_HOST)
    assert "another machine" in step.cause.message


def test_the_right_worker_goes_on_where_the_other_could_not(driver: Driver, other: Driver) -> None:
    order = driver.order()
    assert other.deliver(order.operation.id) is Outcome.WAITING
    assert driver.drain(order.operation.id).state is OperationState.SUCCEEDED
    deletion = request_delete(other.services, CALLER, "demo")
    assert other.deliver(deletion.operation.id) is Outcome.WAITING
    assert driver.drain(deletion.operation.id).state is OperationState.SUCCEEDED


def test_it_is_looked_at_again_soon(driver: Driver, other: Driver) -> None:
    order = driver.order()
    other.deliver(order.operation.id)
    row = driver.services.store.one(
        "SELECT extract(epoch FROM due_at - toygres.toygres_now()) AS due FROM toygres.operations"
    )
    assert row.due < claims.GRACE_SECONDS


def test_neither_health_checks_nor_starts_are_taken_from_those_who_can(
    driver: Driver, other: Driver, platform: MemoryPlatform
) -> None:
    order = driver.order()
    driver.drain(order.operation.id)
    assert instances.take_due_for_check(driver.services.store, other.services.here(), 30, 5) == []
    assert instances.take_due_for_check(driver.services.store, driver.services.here(), 30, 5) == [order.instance.id]
    assert revival.consider_all(other.services) == []


def _known(kind: str, place: str) -> MemoryPlatform:
    """A platform of this kind called as its kind is."""
    found = MemoryPlatform(name=kind, kind=kind)
    found.identity = lambda: place  # type: ignore[method-assign]
    return found


def test_only_a_local_platform_may_be_on_another_machine(store: Store) -> None:
    for kind in ("local", "cluster"):
        here = _known(kind, "here")
        assert meet(store, here) is here
    assert isinstance(meet(store, _known("local", "there")), Elsewhere)
    with pytest.raises(Misconfigured, match="is another place"):
        meet(store, _known("cluster", "there"))
    with pytest.raises(Misconfigured, match="is of another kind"):
        meet(store, MemoryPlatform(name="local"))
    assert {row.identity for row in store.all("SELECT identity FROM toygres.platforms")} == {"here"}
