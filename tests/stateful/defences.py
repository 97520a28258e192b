"""Each defence of the engine, a way to do without it, and the run that shows what comes of that."""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from types import ModuleType
from uuid import UUID

import pytest
import worlds
from doubles import MemoryPlatform
from driving import CALLER, STARTING
from psycopg import IntegrityError
from stateful.attempts import stop_here
from stateful.invariants import Violated, require
from stateful.machine import Machine, io_error, refusal
from worlds import World

from toygres.domain import ids
from toygres.domain.instance import InstanceState
from toygres.errors import Conflict
from toygres.operations import STOP
from toygres.planning import plan
from toygres.provisioning import request_cancel, request_stop
from toygres.store import claims, instances, operations, sweeps, turns

_PATIENCE = 30.0
Without = Callable[[World, pytest.MonkeyPatch], contextlib.AbstractContextManager[None]]


@dataclass(frozen=True)
class Defence:
    """`without` switches it off; `run` is a scenario of the machine that then breaks an invariant."""

    name: str
    without: Without
    run: Callable[[Machine], None]
    breaks: type[Exception] = Violated


def _cut(*cuts: tuple[ModuleType, str, str, str]) -> Without:
    """Statements of ours, with a condition replaced."""

    @contextlib.contextmanager
    def without(world: World, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
        for module, statement, old, new in cuts:
            whole = getattr(module, statement)
            assert old in whole, f"{statement} has no {old!r} any more"
            monkeypatch.setattr(module, statement, whole.replace(old, new))
        yield

    return without


def _replaced(owner: object, name: str, value: object) -> Without:
    """A function of ours that does nothing."""

    @contextlib.contextmanager
    def without(world: World, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
        monkeypatch.setattr(owner, name, value)
        yield

    return without


@contextlib.contextmanager
def _no_index(world: World, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setattr(instances, "_SERIALISE", "SELECT CAST(%(id)s AS text)")
    world.store.run("DROP INDEX toygres.operations_one_open")
    try:
        yield
    finally:
        Machine.forget(world)
        world.store.run(
            "CREATE UNIQUE INDEX operations_one_open ON toygres.operations (instance_id) WHERE ended_at IS NULL"
        )


@contextlib.contextmanager
def _no_leases(world: World, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setattr(claims, "free_lapsed", lambda store, cause: [])
    with _cut((claims, "_CLAIM", "o.owner IS NULL OR o.lease_until < toygres.toygres_now()", "o.owner IS NULL"))(
        world, monkeypatch
    ):
        yield


def _late_step_after_a_delete(m: Machine) -> None:
    m.begin(deliveries=[1])
    m.begin_what_is_next(0, 0, frozen=True)
    m.request("delete", 0)


def _two_claims_of_one_worker(m: Machine) -> None:
    m.begin(deliveries=[0])
    m.begin_what_is_next(0, 0, frozen=False)
    m.time_passes(61)
    m.begin_what_is_next(0, 0, frozen=False)
    m.let_one_go_on(0)
    m.let_one_go_on(0)


def _a_message_too_early(m: Machine) -> None:
    m.begin(deliveries=[0])
    m.deliver_a_stray_message(2, 0)


def _two_workers_at_once(m: Machine) -> None:
    m.begin(deliveries=[0])
    m.begin_what_is_next(0, 0, frozen=False)
    m.begin_what_is_next(0, 1, frozen=False)


def _a_message_after_the_end(m: Machine) -> None:
    m.begin(deliveries=[2])
    m.request("delete", 0)
    m.deliver_a_stray_message(2, 0)


def _a_worker_taken_for_dead(m: Machine) -> None:
    m.begin(deliveries=[1])
    m.freeze(0)
    m.one_that_is_taken_for_dead_is_handed_what_is_next(0)


def _a_cancel_in_the_last_step(m: Machine) -> None:
    m.begin(deliveries=[5])
    m.begin_what_is_next(0, 0, frozen=False)
    m.cancel(0)
    m.let_one_go_on(0)
    m.let_one_go_on(0)


def _a_death_after_a_cancel(m: Machine) -> None:
    m.begin(deliveries=[1])
    m.begin_what_is_next(0, 0, frozen=False)
    m.cancel(0)
    m.kill(0)
    m.deliver_what_is_next(0, 1, 1)


def _a_death_between_cancel_and_turn(m: Machine) -> None:
    m.begin(deliveries=[5])
    operation = m.open(0).id
    held = claims.claim(m.world.store, m.workers[0].engine.worker_id, operation, "verify_login")
    assert held is not None
    request_cancel(m.world.services, CALLER, ids.shown(ids.OPERATION, operation))
    claims.finish(m.world.store, held)
    m.kill(0)


def _a_stop_after_a_create(m: Machine) -> None:
    m.begin(deliveries=[6])
    m.request("stop", 0)
    m.carry_on(0, 0)
    newest = m.watch.look()[-1]
    require(newest.state == "succeeded", "a newer operation is taken for an older one", newest)


def _refused_half_way(m: Machine) -> None:
    m.begin(deliveries=[1])
    m.the_platform_fails("after apply_storage", refusal)
    m.deliver_what_is_next(0, 0, 1)


def _cancelled_late(m: Machine) -> None:
    m.begin(deliveries=[4])
    m.cancel(0)


def _a_wake_while_it_looks(m: Machine) -> None:
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


def _a_message_in_the_pause(m: Machine) -> None:
    _failed_once(m)
    m.deliver_what_is_next(0, 1, 1)


def _the_clock_steps_back_in_the_pause(m: Machine) -> None:
    _failed_once(m)
    m.time_passes(-3600)


def _a_step_that_hangs(m: Machine) -> None:
    m.begin(deliveries=[0])
    m.begin_what_is_next(0, 0, frozen=False)


def _kill_again_and_again(m: Machine) -> UUID:
    operation: UUID = m.open(0).id
    for _ in range(m.world.services.settings.step_attempts):
        m.begin_what_is_next(0, 0, frozen=False)
        m.kill(0)
    return operation


def _a_step_that_kills_its_workers(m: Machine) -> None:
    m.begin(deliveries=[0])
    operation = _kill_again_and_again(m)
    m.deliver_what_is_next(0, 0, 1)
    found = operations.find(m.world.store, "default", operation)
    require(found.cause is not None, "a step that kills its workers is tried again and again", found)


def _a_delete_that_kills_its_workers(m: Machine) -> None:
    m.begin(deliveries=[6])
    m.request("delete", 0)
    _kill_again_and_again(m)
    m.begin_what_is_next(0, 0, frozen=False)
    require(not m.attempts, "a step that kills its workers is tried again at once")


def _an_endpoint_told_late(m: Machine) -> None:
    m.begin(deliveries=[3])
    m.world.platform.at = lambda point: stop_here(point) if point == "after apply_service" else None
    m.begin_what_is_next(0, 0, frozen=False)
    m.let_one_go_on(0)
    m.request("delete", 0)


def _two_requests_at_once(m: Machine) -> None:
    m.begin(deliveries=[6])
    found = instances.find(m.world.store, m.watch.look()[0].instance_id)
    assert found is not None
    with m.world.store.transaction() as connection:
        instances.one_request_at_a_time(connection, found.id)
        operations.insert(connection, plan(STOP, found.id, InstanceState.READY, CALLER, m.world.services.settings))
        other = _meanwhile(m, lambda: _stop(m))
    other.join()


def _stop(m: Machine) -> None:
    # One of the two is told of a conflict, however it comes about.
    with contextlib.suppress(Conflict, IntegrityError):
        request_stop(m.world.services, CALLER, m.instance(0))


class _Meanwhile(threading.Thread):
    """Somebody else; what it raised is raised where it is waited for."""

    def __init__(self, act: Callable[[], None]) -> None:
        super().__init__(daemon=True)
        self._act = act
        self._error: Exception | None = None

    def run(self) -> None:
        try:
            self._act()
        except Exception as error:
            self._error = error

    def join(self, timeout: float | None = _PATIENCE) -> None:
        super().join(timeout)
        if self._error is not None:
            raise self._error


def _meanwhile(m: Machine, act: Callable[[], None]) -> _Meanwhile:
    """Begin `act`; returns once it waits for a lock of ours, of which no event tells, or has ended."""
    other = _Meanwhile(act)
    other.start()
    until = time.monotonic() + _PATIENCE
    waiting = "SELECT FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'"
    while other.is_alive() and time.monotonic() < until and not m.world.store.all(waiting):
        threading.Thread.join(other, 0.01)
    return other


def _abandoned_while_a_delete_is_ordered(m: Machine) -> None:
    """The operation that a delete is about to take the place of ends by itself, and leaves a cleanup."""
    m.begin(deliveries=[4])
    m.cancel(0)
    row = m.open(0)
    values = {"operation": row.id, "fence": row.fence, "worker": None, "actor": "sweep", "cleanup": ids.new()}
    with m.world.store.transaction() as connection:
        connection.execute(turns._ABANDON, {**values, "cause": "null", "leftovers": '["storage"]'})
        other = _meanwhile(m, lambda: m.request("delete", 0))
    other.join()
    require(m.open(0).kind == "delete", "a delete that was ordered isn't there", m.open(0))


_HOLDER = "(o.owner IS NULL OR o.lease_until < toygres.toygres_now())"
_CANCEL = "(o.cancel_requested_at IS NULL OR o.outcome <> 'succeeded')"
_FENCE = "o.fence = %(fence)s AND "
_BEGUN = "s.undo IS NOT NULL AND s.undoes IS NULL AND s.first_claimed_at IS NOT NULL"
_AHEAD = f"OR o.not_before > toygres.toygres_now() + {claims.AHEAD}"
_PER_INSTANCE = "1 + coalesce((SELECT max(fence) FROM toygres.operations WHERE instance_id = %(instance_id)s), 0)"
_ALIVE = "EXISTS (SELECT FROM toygres.workers w WHERE w.id = %(worker)s)"

DEFENCES = (
    Defence(
        "the platform refuses a fence that is lower than one it has seen",
        _replaced(MemoryPlatform, "_pass_fence", lambda self, target: None),
        _late_step_after_a_delete,
    ),
    Defence(
        "what a holder records matches its claim's fence",
        _cut(*[(claims, name, _FENCE, "") for name in ("_FINISH", "_PARK", "_TRY_LATER")]),
        _two_claims_of_one_worker,
    ),
    Defence(
        "a step is claimed only when it is its turn",
        _cut((claims, "_CLAIM", "s.position = o.cursor AND s.name", "s.name")),
        _a_message_too_early,
    ),
    Defence(
        "a step is claimed only when nobody holds the operation",
        _cut((claims, "_CLAIM", _HOLDER, "true")),
        _two_workers_at_once,
    ),
    Defence(
        "no step of an ended operation is claimed",
        _cut((claims, "_CLAIM", "o.ended_at IS NULL AND ", "")),
        _a_message_after_the_end,
        IntegrityError,
    ),
    Defence(
        "a worker that was taken for dead is given no claim",
        _cut((claims, "_CLAIM", _ALIVE, "true")),
        _a_worker_taken_for_dead,
    ),
    Defence(
        "the last step's finish looks at the cancel",
        _cut((claims, "_FINISH", _CANCEL, "true")),
        _a_cancel_in_the_last_step,
    ),
    Defence(
        "no step of a cancelled operation is claimed",
        _cut((claims, "_CLAIM", _CANCEL, "true")),
        _a_death_after_a_cancel,
    ),
    Defence(
        "the sweep ends what no delivery can come to",
        _replaced(worlds, "end_undeliverable", lambda services, due: False),
        _a_death_between_cancel_and_turn,
    ),
    Defence(
        "the fence grows over all operations of an instance",
        _cut((operations, "_INSERT", _PER_INSTANCE, "1")),
        _a_stop_after_a_create,
    ),
    Defence(
        "every step that was ever claimed is undone, the failed one too",
        _cut((turns, "_TURN", _BEGUN, "s.undo IS NOT NULL AND s.undoes IS NULL AND s.state = 'done'")),
        _refused_half_way,
    ),
    Defence(
        "steps are undone newest first",
        _cut((turns, "_TURN", "ORDER BY s.position DESC", "ORDER BY s.position")),
        _cancelled_late,
    ),
    Defence(
        "a wake that comes while a step runs is counted",
        _cut((claims, "_PARK", "o.wakes = %(wakes)s", "true"), (claims, "_PARK", "wakes <> %(wakes)s", "false")),
        _a_wake_while_it_looks,
    ),
    Defence(
        "no claim is given before a failed attempt's pause is over",
        _cut((claims, "_CLAIM", "o.not_before IS NULL OR", "true OR")),
        _a_message_in_the_pause,
    ),
    Defence(
        "a pause that ends far ahead is one from before the clock stepped back",
        _cut((claims, "_CLAIM", _AHEAD, "")),
        _the_clock_steps_back_in_the_pause,
    ),
    Defence(
        "what is due far ahead is due from before the clock stepped back",
        _cut((sweeps, "_SWEEP", "due_at > toygres.toygres_now() + ", "due_at > 'infinity' AND '0' <> ")),
        _the_clock_steps_back_in_the_pause,
    ),
    Defence("a claim ends with its step's time limit", _no_leases, _a_step_that_hangs),
    Defence(
        "attempts are counted when they begin",
        _cut((claims, "_CLAIM", "attempts = s.attempts + 1", "attempts = s.attempts")),
        _a_step_that_kills_its_workers,
    ),
    Defence(
        "what must be tried for ever waits longer each time that it kills its worker",
        _cut((claims, "_FREE", "s.attempts >= o.max_attempts", "false")),
        _a_delete_that_kills_its_workers,
    ),
    Defence(
        "an address is recorded only by who holds the claim",
        _cut((instances, "_ENDPOINT", "AND o.fence = %(fence)s AND o.owner IS NOT NULL AND o.ended_at IS NULL", "")),
        _an_endpoint_told_late,
    ),
    Defence("an instance has one open operation, by the requests' lock and an index", _no_index, _two_requests_at_once),
    Defence(
        "a delete looks again when what it supersedes has just ended",
        _replaced(turns, "supersede", lambda *_: True),
        _abandoned_while_a_delete_is_ordered,
        IntegrityError,
    ),
)
