"""Each defence of the engine, a way to do without it, and the run that shows what comes of that."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from types import ModuleType

import pytest
import worlds
from doubles import MemoryPlatform
from psycopg import IntegrityError
from stateful import scenarios
from stateful.invariants import Violated, require
from stateful.machine import Machine
from stateful.meanwhile import meanwhile
from worlds import World

from toygres.domain import ids
from toygres.store import claims, instances, operations, sweeps, turns

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


def _abandoned_while_a_delete_is_ordered(m: Machine) -> None:
    """The operation that a delete is about to take the place of ends by itself, and leaves a cleanup."""
    m.begin(deliveries=[4])
    m.cancel(0)
    row = m.open(0)
    values = {"operation": row.id, "fence": row.fence, "worker": None, "actor": "sweep", "cleanup": ids.new()}
    with m.world.store.transaction() as connection:
        connection.execute(turns._ABANDON, {**values, "cause": "null", "leftovers": '["storage"]'})
        other = meanwhile(m, lambda: m.request("delete", 0))
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
        scenarios.late_step_after_a_delete,
    ),
    Defence(
        "what a holder records matches its claim's fence",
        _cut(*[(claims, name, _FENCE, "") for name in ("_FINISH", "_PARK", "_TRY_LATER")]),
        scenarios.two_claims_of_one_worker,
    ),
    Defence(
        "a step is claimed only when it is its turn",
        _cut((claims, "_CLAIM", "s.position = o.cursor AND s.name", "s.name")),
        scenarios.a_message_too_early,
    ),
    Defence(
        "a step is claimed only when nobody holds the operation",
        _cut((claims, "_CLAIM", _HOLDER, "true")),
        scenarios.two_workers_at_once,
    ),
    Defence(
        "no step of an ended operation is claimed",
        _cut((claims, "_CLAIM", "o.ended_at IS NULL AND ", "")),
        scenarios.a_message_after_the_end,
        IntegrityError,
    ),
    Defence(
        "a worker that was taken for dead is given no claim",
        _cut((claims, "_CLAIM", _ALIVE, "true")),
        scenarios.a_worker_taken_for_dead,
    ),
    Defence(
        "the last step's finish looks at the cancel",
        _cut((claims, "_FINISH", _CANCEL, "true")),
        scenarios.a_cancel_in_the_last_step,
    ),
    Defence(
        "no step of a cancelled operation is claimed",
        _cut((claims, "_CLAIM", _CANCEL, "true")),
        scenarios.a_death_after_a_cancel,
    ),
    Defence(
        "the sweep ends what no delivery can come to",
        _replaced(worlds, "end_undeliverable", lambda services, due: False),
        scenarios.a_death_between_cancel_and_turn,
    ),
    Defence(
        "the fence grows over all operations of an instance",
        _cut((operations, "_INSERT", _PER_INSTANCE, "1")),
        scenarios.a_stop_after_a_create,
    ),
    Defence(
        "every step that was ever claimed is undone, the failed one too",
        _cut((turns, "_TURN", _BEGUN, "s.undo IS NOT NULL AND s.undoes IS NULL AND s.state = 'done'")),
        scenarios.refused_half_way,
    ),
    Defence(
        "steps are undone newest first",
        _cut((turns, "_TURN", "ORDER BY s.position DESC", "ORDER BY s.position")),
        scenarios.cancelled_late,
    ),
    Defence(
        "a wake that comes while a step runs is counted",
        _cut((claims, "_PARK", "o.wakes = %(wakes)s", "true"), (claims, "_PARK", "wakes <> %(wakes)s", "false")),
        scenarios.a_wake_while_it_looks,
    ),
    Defence(
        "no claim is given before a failed attempt's pause is over",
        _cut((claims, "_CLAIM", "o.not_before IS NULL OR", "true OR")),
        scenarios.a_message_in_the_pause,
    ),
    Defence(
        "a pause that ends far ahead is one from before the clock stepped back",
        _cut((claims, "_CLAIM", _AHEAD, "")),
        scenarios.the_clock_steps_back_in_the_pause,
    ),
    Defence(
        "what is due far ahead is due from before the clock stepped back",
        _cut((sweeps, "_SWEEP", "due_at > toygres.toygres_now() + ", "due_at > 'infinity' AND '0' <> ")),
        scenarios.the_clock_steps_back_in_the_pause,
    ),
    Defence("a claim ends with its step's time limit", _no_leases, scenarios.a_step_that_hangs),
    Defence(
        "attempts are counted when they begin",
        _cut((claims, "_CLAIM", "attempts = s.attempts + 1", "attempts = s.attempts")),
        scenarios.a_step_that_kills_its_workers,
    ),
    Defence(
        "what must be tried for ever waits longer each time that it kills its worker",
        _cut((claims, "_FREE", "s.attempts >= o.max_attempts", "false")),
        scenarios.a_delete_that_kills_its_workers,
    ),
    Defence(
        "an address is recorded only by who holds the claim",
        _cut((instances, "_ENDPOINT", "AND o.fence = %(fence)s AND o.owner IS NOT NULL AND o.ended_at IS NULL", "")),
        scenarios.an_endpoint_told_late,
    ),
    Defence(
        "an instance has one open operation, by the requests' lock and an index",
        _no_index,
        scenarios.two_requests_at_once,
    ),
    Defence(
        "a delete looks again when what it supersedes has just ended",
        _replaced(turns, "supersede", lambda *_: True),
        _abandoned_while_a_delete_is_ordered,
        IntegrityError,
    ),
)
