"""One row's turn: an operation brought to the point where the fault comes, and what must be true at the end."""

from __future__ import annotations

import itertools
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from itertools import count
from uuid import UUID

from doubles import Effect
from driving import CALLER, Driver
from faults.declared import Fault, Part, Row
from worlds import World

from toygres import provisioning
from toygres.domain.instance import InstanceState, ServiceType
from toygres.domain.operation import OperationState, StepFunction, StepState
from toygres.engine import Outcome
from toygres.errors import Cause, CauseCode, Refused
from toygres.operations.context import Context
from toygres.platforms.protocol import ServerPhase
from toygres.store import events, operations

ALL = ["credentials", "server", "service", "storage"]
OBJECTS = {
    InstanceState.READY: ALL,
    InstanceState.STOPPED: ["credentials", "service", "storage"],
    InstanceState.FAILED: [],
    InstanceState.DELETED: [],
}
HOPELESS = Cause(code=CauseCode.UNEXPECTED, message="It can't be done.", remedy="None.")
_NAMES = count(1)
_ROUNDS = 30


def refuse(ctx: Context) -> None:
    """A step that can't succeed."""
    raise Refused(HOPELESS)


# With a load balancer, whose steps are planned for no other instance.
BALANCED = {"service_type": ServiceType.LOAD_BALANCER, "allowed_cidrs": ("10.0.0.0/8",)}


@dataclass
class Scene:
    """An operation whose next step is the row's; `one` is handed it, `other` takes over."""

    world: World
    row: Row
    one: Driver = field(init=False)
    other: Driver = field(init=False)
    name: str = field(init=False)
    instance: UUID = field(init=False)
    operation: UUID = field(init=False)
    kept: dict[str, object] = field(init=False)

    def __post_init__(self) -> None:
        self.one, self.other = self.world.worker(), self.world.worker()
        self.operation = self._order()
        if self.row.part is not Part.STEP:
            self._fail()
        if self.row.part is Part.CLEANUP:
            self._abandon()
        self._deliver_those_before()
        self.kept = dict(self.objects)

    def _order(self) -> UUID:
        at_rest = self.world.at_rest[self.row.before]
        if self.row.before is InstanceState.REQUESTED or not at_rest:
            self.name = f"i{next(_NAMES)}"
            created = self.other.order(self.name, **BALANCED)
            self.instance = created.instance.id
            if self.row.before is InstanceState.REQUESTED:
                return created.operation.id
            self.other.drain(created.operation.id)
            if self.row.before is InstanceState.STOPPED:
                self.other.drain(self.request("stop"))
        else:
            self.name = at_rest.pop()
        operation = self.request(self.row.operation.kind)
        self.instance = self.other.operation(operation).instance_id
        return operation

    def _deliver_those_before(self) -> None:
        """Deliver what comes before the row."""
        remaining = self.world.remaining(self.operation)
        for step in remaining[: remaining.index(self.row.step)]:
            assert self.other.engine.run_step(self.operation, step) is Outcome.DONE

    def _fail(self) -> None:
        """Have the last step refuse, so that every undo is planned."""
        worker = self.world.worker()
        worker.engine.steps = {**worker.engine.steps, self.row.operation.steps[-1].name: refuse}
        for step in self.row.operation.steps:
            worker.engine.run_step(self.operation, step.name)

    def _abandon(self) -> None:
        """Let the time for undoing pass, so that a cleanup takes over."""
        self.world.shift(self.world.services.settings.undo_seconds + 1)
        self.other.engine.run_step(self.operation, self.world.remaining(self.operation)[0])
        cleanup = self.other.instance(self.instance).operation_id
        assert cleanup is not None
        self.operation = cleanup

    @property
    def objects(self) -> dict[str, object]:
        """What exists for the instance."""
        return self.world.platform.kept.get(self.instance, {})

    @property
    def effects(self) -> list[Effect]:
        """What was made and removed of the instance."""
        return [effect for effect in self.world.platform.effects if effect.instance == self.instance]

    @property
    def limit(self) -> float:
        """Seconds after which any attempt of the row has lost its claim."""
        found = self.world.store.one(
            "SELECT max(limit_seconds) AS most FROM toygres.steps WHERE operation_id = %(id)s", id=self.operation
        )
        assert found is not None
        return float(found.most) + 1

    def request(self, kind: str) -> UUID:
        """Order an operation of this kind on the instance."""
        ask = getattr(provisioning, f"request_{kind}")
        accepted: provisioning.Accepted = ask(self.world.services, CALLER, self.name)
        return accepted.operation.id

    def meets(self, act: Callable[[StepFunction, Context], None]) -> None:
        """The next time that `one` runs the row's step, it does `act`; afterwards the step is itself again."""
        steps = self.one.engine.steps

        def meet(ctx: Context) -> None:
            self.one.engine.steps = steps
            act(steps[self.row.step], ctx)

        self.one.engine.steps = {**steps, self.row.step: meet}

    def deliver(self, worker: Driver | None = None) -> str:
        """Deliver the row's step."""
        return (worker or self.one).engine.run_step(self.operation, self.row.step).value

    def finish(self, operation: UUID | None = None) -> None:
        """Sweep, deliver and let time pass until the operation has ended."""
        operation = operation or self.operation
        for _ in range(_ROUNDS):
            while self.other.deliver(operation) in (Outcome.DONE, Outcome.TURNED):
                pass
            if not self.world.remaining(operation) and self.other.operation(operation).ended_at:
                return
            self.world.shift(4)
            self.world.sweep()
        raise AssertionError(f"{self.row} never ends: {self.other.operation(operation)}")

    def check(self, fault: Fault) -> None:
        """The operation ended as declared, and its instance is what its row says, with exactly its objects."""
        ended, instance = self.other.operation(self.operation), self.other.instance(self.instance)
        state, instance_state = self.row.ends(fault)
        if fault is Fault.THAWED_AFTER_END:
            instance_state = self.next_state(instance_state)
        assert (ended.state, instance.state) == (state, instance_state), ended
        assert sorted(self.objects) == OBJECTS[instance.state]
        assert (instance.endpoint is None) == (OBJECTS[instance.state] == [])
        assert instance.operation_id is None
        self._check_available()
        self._check_steps()
        self._check_history()
        self.world.at_rest[instance.state].append(self.name)

    def next_state(self, state: InstanceState) -> InstanceState:
        """What the instance is after an operation that follows on one that gave `state`."""
        return {InstanceState.READY: InstanceState.STOPPED, InstanceState.STOPPED: InstanceState.READY}.get(
            state, state
        )

    def _check_available(self) -> None:
        instance = self.other.instance(self.instance)
        if instance.available.value:
            assert instance.state is InstanceState.READY
            assert self.world.platform.observe(instance).phase is ServerPhase.UP

    def _check_steps(self) -> None:
        steps = self.other.operation(self.operation).steps
        undone = {step.undoes for step in steps if step.undoes and step.state is StepState.DONE}
        begun = {step.name for step in steps if step.started_at and not step.undoes}
        ended = self.other.operation(self.operation).state
        if ended is OperationState.SUCCEEDED:
            assert {step.state for step in steps} == {StepState.DONE}
        elif ended in (OperationState.FAILED, OperationState.CANCELLED):
            undoable = {step.name for step in self.row.operation.steps if step.undo}
            assert begun & undoable == undone
            assert all(step.state is StepState.UNDONE for step in steps if step.name in undone)

    def _check_history(self) -> None:
        """Each operation ended once, nothing was made twice, and data was only removed where that was ordered."""
        told = events.after(self.world.store, "default", limit=10_000, instance=self.instance)
        ends = Counter(event.operation_id for event in told if event.kind == "operation_ended")
        opened = {event.operation_id for event in told if event.operation_id}
        assert ends == dict.fromkeys(opened, 1)
        for kind in ALL:
            verbs = [effect.verb for effect in self.effects if effect.kind == kind]
            assert all(verb != following for verb, following in itertools.pairwise(verbs)), self.effects
        fences = [effect.fence for effect in self.effects]
        assert fences == sorted(fences)
        for kind in ("storage", "credentials"):
            if kind in self.objects and kind in self.kept:
                assert self.objects[kind] == self.kept[kind]

    def others(self) -> list[str]:
        """Every message of the operation but the row's own."""
        steps = operations.find(self.world.store, "default", self.operation).steps
        return [step.name for step in steps if step.name != self.row.step]
