"""The runs that show what each defence is for: moves of the machine, in an order that one of them must withstand."""

from __future__ import annotations

import contextlib
from uuid import UUID

from driving import CALLER, STARTING
from psycopg import IntegrityError
from stateful.attempts import stop_here
from stateful.invariants import require
from stateful.machine import Machine, io_error, refusal
from stateful.meanwhile import meanwhile

from toygres.domain import ids
from toygres.domain.instance import InstanceState
from toygres.errors import Conflict
from toygres.operations import STOP
from toygres.planning import plan
from toygres.provisioning import request_cancel, request_stop
from toygres.store import claims, instances, operations


def late_step_after_a_delete(m: Machine) -> None:
    m.begin(deliveries=[1])
    m.begin_what_is_next(0, 0, frozen=True)
    m.request("delete", 0)


def two_claims_of_one_worker(m: Machine) -> None:
    m.begin(deliveries=[0])
    m.begin_what_is_next(0, 0, frozen=False)
    m.time_passes(61)
    m.begin_what_is_next(0, 0, frozen=False)
    m.let_one_go_on(0)
    m.let_one_go_on(0)


def a_message_too_early(m: Machine) -> None:
    m.begin(deliveries=[0])
    m.deliver_a_stray_message(2, 0)


def two_workers_at_once(m: Machine) -> None:
    m.begin(deliveries=[0])
    m.begin_what_is_next(0, 0, frozen=False)
    m.begin_what_is_next(0, 1, frozen=False)


def a_message_after_the_end(m: Machine) -> None:
    m.begin(deliveries=[2])
    m.request("delete", 0)
    m.deliver_a_stray_message(2, 0)


def a_worker_taken_for_dead(m: Machine) -> None:
    m.begin(deliveries=[1])
    m.freeze(0)
    m.one_that_is_taken_for_dead_is_handed_what_is_next(0)


def a_cancel_in_the_last_step(m: Machine) -> None:
    m.begin(deliveries=[5])
    m.begin_what_is_next(0, 0, frozen=False)
    m.cancel(0)
    m.let_one_go_on(0)
    m.let_one_go_on(0)


def a_death_after_a_cancel(m: Machine) -> None:
    m.begin(deliveries=[1])
    m.begin_what_is_next(0, 0, frozen=False)
    m.cancel(0)
    m.kill(0)
    m.deliver_what_is_next(0, 1, 1)


def a_death_between_cancel_and_turn(m: Machine) -> None:
    m.begin(deliveries=[5])
    operation = m.open(0).id
    held = claims.claim(m.world.store, m.workers[0].engine.worker_id, operation, "verify_login")
    assert held is not None
    request_cancel(m.world.services, CALLER, ids.shown(ids.OPERATION, operation))
    claims.finish(m.world.store, held)
    m.kill(0)


def a_stop_after_a_create(m: Machine) -> None:
    m.begin(deliveries=[6])
    m.request("stop", 0)
    m.carry_on(0, 0)
    newest = m.watch.look()[-1]
    require(newest.state == "succeeded", "a newer operation is taken for an older one", newest)


def refused_half_way(m: Machine) -> None:
    m.begin(deliveries=[1])
    m.the_platform_fails("after apply_storage", refusal)
    m.deliver_what_is_next(0, 0, 1)


def cancelled_late(m: Machine) -> None:
    m.begin(deliveries=[4])
    m.cancel(0)


def a_wake_while_it_looks(m: Machine) -> None:
    m.begin(deliveries=[4])
    m.servers_are_seen(STARTING, 2)
    m.begin_what_is_next(0, 0, frozen=False)
    m.let_one_go_on(0)
    m.wake(0)
    m.let_one_go_on(0)


def _failed_once(m: Machine) -> None:
    m.begin(deliveries=[1])
    m.the_platform_fails("before apply_storage", io_error)
    m.deliver_what_is_next(0, 0, 1)


def a_message_in_the_pause(m: Machine) -> None:
    _failed_once(m)
    m.deliver_what_is_next(0, 1, 1)


def the_clock_steps_back_in_the_pause(m: Machine) -> None:
    _failed_once(m)
    m.time_passes(-3600)


def a_step_that_hangs(m: Machine) -> None:
    m.begin(deliveries=[0])
    m.begin_what_is_next(0, 0, frozen=False)


def _kill_again_and_again(m: Machine) -> UUID:
    operation: UUID = m.open(0).id
    for _ in range(m.world.services.settings.step_attempts):
        m.begin_what_is_next(0, 0, frozen=False)
        m.kill(0)
    return operation


def a_step_that_kills_its_workers(m: Machine) -> None:
    m.begin(deliveries=[0])
    operation = _kill_again_and_again(m)
    m.deliver_what_is_next(0, 0, 1)
    found = operations.find(m.world.store, "default", operation)
    require(found.cause is not None, "a step that kills its workers is tried again and again", found)


def a_delete_that_kills_its_workers(m: Machine) -> None:
    m.begin(deliveries=[6])
    m.request("delete", 0)
    _kill_again_and_again(m)
    m.begin_what_is_next(0, 0, frozen=False)
    require(not m.attempts, "a step that kills its workers is tried again at once")


def an_endpoint_told_late(m: Machine) -> None:
    m.begin(deliveries=[3])
    m.world.platform.at = lambda point: stop_here(point) if point == "after apply_service" else None
    m.begin_what_is_next(0, 0, frozen=False)
    m.let_one_go_on(0)
    m.request("delete", 0)


def two_requests_at_once(m: Machine) -> None:
    m.begin(deliveries=[6])
    found = instances.find(m.world.store, m.watch.look()[0].instance_id)
    assert found is not None
    with m.world.store.transaction() as connection:
        instances.one_request_at_a_time(connection, found.id)
        settings = m.world.services.settings
        operations.insert(connection, plan(STOP, found.id, found.spec, InstanceState.READY, CALLER, settings))
        other = meanwhile(m, lambda: _stop(m))
    other.join()


def _stop(m: Machine) -> None:
    # One of the two is told of a conflict, however it comes about.
    with contextlib.suppress(Conflict, IntegrityError):
        request_stop(m.world.services, CALLER, m.instance(0))
