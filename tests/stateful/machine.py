"""Everything that may happen to the engine, in any order: requests, deliveries, deaths, freezes, clocks, refusals."""

from __future__ import annotations

import contextlib
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import timedelta
from itertools import count
from typing import Any, ClassVar
from uuid import UUID

from driving import BROKEN, CALLER, STARTING, Driver
from hypothesis import currently_in_test_context, event, note
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule
from stateful.attempts import Attempt, stopping
from stateful.invariants import Watch, require
from worlds import World

from toygres import provisioning
from toygres.domain import ids
from toygres.engine import Outcome
from toygres.errors import Conflict, Refused
from toygres.operations import OPERATIONS
from toygres.retrying import request_retry
from toygres.store import sweeps

_FORGET = """
SET session_replication_role = replica;
DELETE FROM toygres.steps; DELETE FROM toygres.credentials; DELETE FROM toygres.operations;
DELETE FROM toygres.instances; DELETE FROM toygres.events; DELETE FROM toygres.workers;
UPDATE toygres.clock SET shift = '0';
"""
_NAMES = count(1)
_INSTANCES = 3
_ROUNDS = 40
# Behind the last step's limit, the last pause, `within`, an operation's and an undo's deadline; and back.
_LEAPS = (1.0, 1.0, 1.0, 4.0, 4.0, 4.0, 16.0, 16.0, 61.0, 61.0, 301.0, 601.0, 901.0, -61.0, -3600.0)
_POINTS = [f"{when} {verb}_{kind}" for kind in ("credentials", "storage", "server", "service")
           for verb in ("apply", "remove") for when in ("before", "after")]  # fmt: skip
_ORDERABLE = [kind for kind in OPERATIONS if hasattr(provisioning, f"request_{kind}")]
_FAR_AHEAD = timedelta(minutes=15)


def io_error() -> None:
    """What may go better next time."""
    raise OSError(5, "Input/output error")


def refusal() -> None:
    """What no trying again can help."""
    raise Refused(BROKEN.cause)


@dataclass
class Tally:
    """What a whole run came to; a run without late writers would show nothing."""

    runs: int = 0
    counts: Counter[str] = field(default_factory=Counter)

    def __str__(self) -> str:
        each = ", ".join(f"{name} {n} ({n / max(1, self.runs):.1f})" for name, n in sorted(self.counts.items()))
        return f"{self.runs} runs, in all (and each): {each}"


class Machine(RuleBasedStateMachine):
    """One ledger, one platform in memory, two workers whose attempts can be frozen at any instant."""

    world: ClassVar[World]
    tally: ClassVar[Tally]

    def __init__(self) -> None:
        super().__init__()
        platform = self.world.platform
        platform.kept.clear()
        platform.fences.clear()
        platform.effects.clear()
        self.mend()
        platform.at = lambda point: None
        self.forget(self.world)
        self.watch = Watch(self.world)
        self.workers = [self._arrive(), self._arrive()]
        self.gone: list[Driver] = []
        self.attempts: list[Attempt] = []
        self.messages: list[tuple[UUID, str]] = []
        self.seen: Counter[str] = Counter()

    # What may happen.

    @initialize(deliveries=st.lists(st.integers(0, 8), min_size=1, max_size=_INSTANCES))
    def begin(self, deliveries: list[int]) -> None:
        for steps in deliveries:
            self.order()
            self.deliver_what_is_next(_INSTANCES - 1, 0, steps)

    @precondition(lambda self: self._instances() < _INSTANCES)
    @rule()
    def order(self) -> None:
        accepted = self.workers[0].order(f"i{next(_NAMES)}")
        self._publish(accepted.operation.id)

    @rule(kind=st.sampled_from(_ORDERABLE), which=st.integers(0, _INSTANCES - 1))
    def request(self, kind: str, which: int) -> None:
        instance = self.instance(which)
        with contextlib.suppress(Conflict):
            accepted = getattr(provisioning, f"request_{kind}")(self.world.services, CALLER, instance)
            self._publish(accepted.operation.id)

    @rule(which=st.integers(0, 5))
    def cancel(self, which: int) -> None:
        operation = self.open(which) or self._operation(which, newest_first=True)
        with contextlib.suppress(Conflict):
            provisioning.request_cancel(self.world.services, CALLER, ids.shown(ids.OPERATION, operation.id))
            self.seen["cancels"] += 1
            self._publish(operation.id)

    @rule(which=st.integers(0, 5))
    def retry(self, which: int) -> None:
        operation = self._operation(which, newest_first=True)
        with contextlib.suppress(Conflict):
            accepted = request_retry(self.world.services, CALLER, ids.shown(ids.OPERATION, operation.id))
            self.seen["retries"] += 1
            self._publish(accepted.operation.id)

    @rule(which=st.integers(0, 2), worker=st.integers(0, 1), steps=st.integers(1, 6))
    def deliver_what_is_next(self, which: int, worker: int, steps: int) -> None:
        for _ in range(steps):
            if not self._deliver_next(which, self.workers[worker]):
                break

    @rule(which=st.integers(0, 2), worker=st.integers(0, 1))
    def carry_on(self, which: int, worker: int) -> None:
        """As it mostly goes: what is next is delivered until the operation ends or waits."""
        while self._deliver_next(which, self.workers[worker]):
            pass

    @rule(which=st.integers(0, 2), worker=st.integers(0, 1), frozen=st.booleans())
    def begin_what_is_next(self, which: int, worker: int, frozen: bool) -> None:
        operation = self.open(which)
        left = self.world.remaining(operation.id) if operation is not None else ()
        if operation is not None and left:
            self._start(Attempt(self.workers[worker], operation.id, left[0]))
        if frozen:
            self._replace(worker)

    @precondition(lambda self: self.messages)
    @rule(which=st.integers(0, 200), worker=st.integers(0, 1))
    def deliver_a_stray_message(self, which: int, worker: int) -> None:
        operation, step = self.messages[which % len(self.messages)]
        self._through(Attempt(self.workers[worker], operation, step))

    @precondition(lambda self: self.attempts)
    @rule(which=st.integers(0, 5))
    def let_one_go_on(self, which: int) -> None:
        self._go_on(self.attempts[which % len(self.attempts)])

    @rule()
    def sweep(self) -> None:
        for operation in self.world.sweep():
            self._publish(operation)

    @rule(which=st.integers(0, _INSTANCES - 1))
    def wake(self, which: int) -> None:
        instance = ids.parse(ids.INSTANCE, self.instance(which))
        assert instance is not None
        sweeps.wake(self.world.store, [instance])
        for attempt in self.attempts:
            if attempt.instance == instance and self._holds(attempt):
                attempt.woken = True

    @rule(worker=st.integers(0, 1))
    def beat(self, worker: int) -> None:
        self.world.beat(self.workers[worker])

    @rule(worker=st.integers(0, 1))
    def kill(self, worker: int) -> None:
        for attempt in self._of(self.workers[worker]):
            attempt.kill()
            self.attempts.remove(attempt)
            self.seen["killed"] += 1
        self._replace(worker)

    @rule(worker=st.integers(0, 1))
    def freeze(self, worker: int) -> None:
        self._replace(worker)

    @rule(which=st.integers(0, 2), steps=st.integers(0, 4))
    def freeze_in_the_middle(self, which: int, steps: int) -> None:
        self.deliver_what_is_next(which, 0, steps)
        self.begin_what_is_next(which, 0, frozen=True)

    @precondition(lambda self: self.gone)
    @rule(which=st.integers(0, 2))
    def one_that_is_taken_for_dead_is_handed_what_is_next(self, which: int) -> None:
        self._deliver_next(which, self.gone[-1])

    @rule(seconds=st.sampled_from(_LEAPS))
    def time_passes(self, seconds: float) -> None:
        self.world.shift(seconds)

    @rule(point=st.sampled_from(_POINTS), fault=st.sampled_from([io_error, refusal]))
    def the_platform_fails(self, point: str, fault: Any) -> None:
        """Once, at the point."""

        def fail() -> None:
            del self.world.platform.faults[point]
            fault()

        self.world.platform.faults[point] = fail

    @rule(status=st.sampled_from([STARTING, BROKEN]), looks=st.integers(1, 3))
    def servers_are_seen(self, status: Any, looks: int) -> None:
        """For so many looks."""
        left = iter(range(looks))

        def look() -> None:
            if next(left, None) is None:
                self.mend()

        self.world.platform.status = status
        self.world.platform.faults["observe"] = look

    @rule()
    def mend(self) -> None:
        self.world.platform.faults.clear()
        self.world.platform.status = None

    # What must hold.

    @invariant()
    def nothing_is_wrong(self) -> None:
        self.seen["rules"] += 1
        self.watch.look()

    def play(self, scenario: Callable[[Machine], None]) -> None:
        """Do what `scenario` does instead of what Hypothesis chooses."""
        try:
            scenario(self)
            self.nothing_is_wrong()
        except BaseException:
            self._kill_all()
            raise
        self.teardown()

    @staticmethod
    def forget(world: World) -> None:
        """Empty the ledger."""
        with world.store.direct() as connection:
            connection.execute(_FORGET)

    def teardown(self) -> None:
        try:
            self._quiet()
        finally:
            self._kill_all()

    def _kill_all(self) -> None:
        for attempt in self.attempts:
            attempt.kill()
        self.attempts = []

    def _quiet(self) -> None:
        """Drive all to its end, let every frozen attempt act, and see that nothing changes by that."""
        self.mend()
        for _ in range(_ROUNDS):
            for operation in self.world.sweep():
                # What the sweep publishes goes on as a chain does: one step brings the next.
                while self._deliver_step_of(operation, self.workers[0]):
                    pass
            if self.open(0) is None:
                break
            self.world.shift(61)
        self.watch.quiet()
        self._let_all_act()
        self.watch.quiet()
        self._tell()

    def _let_all_act(self) -> None:
        while self.attempts:
            self._go_on(self.attempts[0])

    def _tell(self) -> None:
        self.seen["effects"] = len(self.watch.effects)
        self.seen["operations"] = len(self.watch.ended)
        type(self).tally.runs += 1
        type(self).tally.counts.update(self.seen)
        if not currently_in_test_context():
            return
        note(f"{dict(self.seen)}")
        event(f"zombies that acted: {min(self.seen['zombies'], 3)}")
        event(f"effects: {min(self.seen['effects'] // 5 * 5, 30)} or more")

    # How it is done.

    def _arrive(self) -> Driver:
        worker = self.world.worker()
        worker.engine.steps = stopping(worker.engine.steps)
        return worker

    def _replace(self, worker: int) -> None:
        self.world.kill(self.workers[worker])
        self.gone.append(self.workers[worker])
        self.workers[worker] = self._arrive()

    def _of(self, worker: Driver) -> list[Attempt]:
        return [attempt for attempt in self.attempts if attempt.worker is worker]

    def _instances(self) -> int:
        found = self.world.store.one("SELECT count(*) AS n FROM toygres.instances")
        assert found is not None
        return int(found.n)

    def instance(self, which: int) -> str:
        rows = self.world.store.all("SELECT id FROM toygres.instances ORDER BY created_at, name")
        return ids.shown(ids.INSTANCE, rows[which % len(rows)].id)

    def _operation(self, which: int, *, newest_first: bool = False) -> Any:
        order = "DESC" if newest_first else "ASC"
        rows = self.world.store.all(f"SELECT * FROM toygres.operations ORDER BY id {order}")  # noqa: S608
        return rows[which % len(rows)]

    def open(self, which: int) -> Any:
        rows = self.world.store.all("SELECT * FROM toygres.operations WHERE ended_at IS NULL ORDER BY id")
        return rows[which % len(rows)] if rows else None

    def _publish(self, operation: UUID) -> None:
        self.messages += [(operation, step) for step in self.world.remaining(operation)]

    def _deliver_next(self, which: int, worker: Driver) -> bool:
        """Deliver the next step of an open operation; whether that brought it on."""
        operation = self.open(which)
        return operation is not None and self._deliver_step_of(operation.id, worker)

    def _deliver_step_of(self, operation: UUID, worker: Driver) -> bool:
        left = self.world.remaining(operation)
        if not left:
            return False
        attempt = Attempt(worker, operation, left[0])
        self._through(attempt)
        return attempt.outcome in (Outcome.DONE, Outcome.TURNED)

    def _through(self, attempt: Attempt) -> None:
        self._start(attempt)
        while attempt.stopped_at:
            self._go_on(attempt)

    def _start(self, attempt: Attempt) -> None:
        before = self._row(attempt.operation)
        attempt.start()
        if attempt.stopped_at:
            self._may_begin(attempt, before)
            self.attempts.append(attempt)
        else:
            self._ended(attempt)

    def _row(self, operation: UUID) -> Any:
        return self.world.store.one(
            """SELECT o.*, s.name AS current, toygres.toygres_now() AS now FROM toygres.operations o
               LEFT JOIN toygres.steps s ON s.operation_id = o.id AND s.position = o.cursor WHERE o.id = %(id)s""",
            id=operation,
        )

    def _may_begin(self, attempt: Attempt, before: Any) -> None:
        """Check that it was the turn of a step that was begun."""
        require(before.ended_at is None, "a step of an ended operation began", before)
        require(before.current == attempt.step, "a step began before its turn", attempt.step, before)
        lost = before.owner is None or before.lease_until < before.now
        require(lost, "a step began that somebody holds", before)
        cancelled = before.cancel_requested_at is not None and before.outcome == "succeeded"
        require(not cancelled, "a step began of an operation that was told to cancel", before)
        pause = before.not_before - before.now if before.not_before else timedelta(0)
        require(pause <= timedelta(0) or pause > _FAR_AHEAD, "a step began before its pause was over", before)
        alive = self.world.store.one("SELECT id FROM toygres.workers WHERE id = %(id)s", id=attempt.worker_id)
        require(alive, "a worker that was taken for dead began a step", attempt.worker_id)

    def _holds(self, attempt: Attempt) -> bool:
        row = self._row(attempt.operation)
        return bool(row.ended_at is None and row.fence == attempt.fence and row.owner == attempt.worker_id)

    def _go_on(self, attempt: Attempt) -> None:
        holds, was_at = self._holds(attempt), attempt.stopped_at
        self.seen["zombies"] += not holds and was_at != "after"
        attempt.go_on()
        if attempt.stopped_at is None:
            self.attempts.remove(attempt)
            if was_at == "after" and not holds:
                recorded = attempt.outcome in (Outcome.DONE, Outcome.WAITING)
                require(not recorded, "a lost claim was recorded", attempt.step, attempt.outcome)
            self._ended(attempt)

    def _ended(self, attempt: Attempt) -> None:
        if attempt.outcome is Outcome.TURNED:
            self._publish(attempt.operation)
        if attempt.woken and attempt.outcome is Outcome.WAITING:
            row = self._row(attempt.operation)
            require(row.not_before is not None, "a wake that came while the step ran was lost", row)
