"""Claims that nobody works on any more: how they are freed, and what is told of it."""

from __future__ import annotations

from doubles import MemoryPlatform
from driving import STARTING, Driver

from toygres.store import claims, events, workers


def _held(driver: Driver) -> claims.Claim:
    order = driver.order()
    held = claims.claim(driver.services.store, driver.engine.worker_id, order.operation.id, "apply_credentials")
    assert held is not None
    return held


def test_a_lost_claim_is_told_with_its_step(driver: Driver) -> None:
    held = _held(driver)
    workers.depart(driver.services.store, driver.engine.worker_id)
    assert claims.free_of_dead(driver.services.store, STARTING.cause) == [held.operation_id]
    told = [event for event in events.after(driver.services.store, "default") if event.kind == "claim_lost"]
    assert [event.step for event in told] == ["apply_credentials"]


def test_an_operation_whose_claim_was_lost_can_be_read_before_the_sweep_has_taken_it(driver: Driver) -> None:
    held = _held(driver)
    workers.depart(driver.services.store, driver.engine.worker_id)
    claims.free_of_dead(driver.services.store, STARTING.cause)
    assert driver.operation(held.operation_id).steps[0].cause == STARTING.cause


def test_a_claim_from_before_the_clock_stepped_back_is_not_held_until_the_clock_has_caught_up(driver: Driver) -> None:
    held = _held(driver)
    driver.shift_clock(-3600)
    assert claims.free_lapsed(driver.services.store, STARTING.cause) == [held.operation_id]


def test_a_claim_is_not_freed_for_a_clock_that_stepped_back_a_little(driver: Driver) -> None:
    _held(driver)
    driver.shift_clock(-60)
    assert claims.free_lapsed(driver.services.store, STARTING.cause) == []


def test_what_was_parked_together_is_not_looked_at_together(driver: Driver, platform: MemoryPlatform) -> None:
    platform.status = STARTING
    for name in ("a", "b", "c"):
        ordered = driver.order(name).operation.id
        # Else it is looked at when its step has waited for as long as it may, which is sooner.
        driver.services.store.run("UPDATE toygres.steps SET within_seconds = 600 WHERE operation_id = %(o)s", o=ordered)
        driver.drain(ordered)
    # Since each was parked, which its step's last claim precedes by an instant.
    rows = driver.services.store.all(
        """SELECT extract(epoch FROM o.due_at - e.at) AS seconds FROM toygres.operations o
           JOIN toygres.events e ON e.operation_id = o.id AND e.kind = 'step_waiting'"""
    )
    pauses = {round(row.seconds, 3) for row in rows}
    assert len(pauses) == 3
    assert min(pauses) >= claims.LOOK_AGAIN_SECONDS
    assert max(pauses) <= 2 * claims.LOOK_AGAIN_SECONDS
