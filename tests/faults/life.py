"""One instance on real servers, through every operation, and what befalls each step of them on the way."""

from __future__ import annotations

import contextlib
import queue
from collections.abc import Callable
from dataclasses import dataclass, field
from uuid import UUID

from driving import Driver
from faults.acts import Died
from making import PATIENCE, watching
from worlds import LOST

from toygres.domain.operation import NotYet, OperationState, Step, StepFunction
from toygres.engine import Outcome
from toygres.errors import ToygresError
from toygres.operations import OPERATIONS, STEPS
from toygres.operations.context import Context
from toygres.platforms.protocol import Platform
from toygres.services import Services
from toygres.store import claims, workers


@dataclass
class Life:
    """One instance, through every operation; `frozen` are attempts that haven't acted yet."""

    services: Services
    platform_name: str
    instance: UUID | None = None
    frozen: list[Callable[[], None]] = field(default_factory=list)
    done: set[str] = field(default_factory=set)

    @property
    def platform(self) -> Platform:
        return self.services.platform(self.platform_name)

    def go_through(self, operation: UUID, kind: str) -> None:
        """Run each step of the operation thrice, of which the last time is recorded."""
        with watching(self.platform) as changes:
            for step in self.planned(kind):
                self.before(operation, step.name)
                while self.run_in_vain(operation, step.name, self._die) is Outcome.WAITING:
                    self.wait(step.name, changes)
                assert self._worker().engine.run_step(operation, step.name) is Outcome.DONE
                self.done.add(step.name)
        assert self._worker().operation(operation).state is OperationState.SUCCEEDED

    def before(self, operation: UUID, step: str) -> None:
        """What befalls a step before it dies unrecorded: it is frozen before its first call."""
        self.run_in_vain(operation, step, self._freeze)

    def wait(self, step: str, changes: queue.Queue[UUID | None]) -> None:
        """Return when a step that waits may go on."""
        changes.get(timeout=PATIENCE)

    def planned(self, kind: str) -> list[Step]:
        spec = Driver.arrive(self.services).instance(self.instance).spec
        return [step for step in OPERATIONS[kind].steps if step.needed(spec)]

    def _worker(self) -> Driver:
        worker = Driver.arrive(self.services)
        worker.engine.steps = STEPS
        return worker

    def run_in_vain(self, operation: UUID, name: str, act: Callable[[StepFunction, Context], None]) -> Outcome | None:
        """Have a worker take the step and be gone; what it came to if it ended before."""
        worker = self._worker()
        worker.engine.steps = {name: lambda ctx: act(STEPS[name], ctx)}
        try:
            return worker.engine.run_step(operation, name)
        except Died:
            return None
        finally:
            workers.depart(self.services.store, worker.engine.worker_id)
            claims.free_of_dead(self.services.store, LOST)

    def _freeze(self, step: StepFunction, ctx: Context) -> None:
        self.frozen.append(lambda: step(ctx))
        raise Died

    def _die(self, step: StepFunction, ctx: Context) -> None:
        step(ctx)
        raise Died

    def thaw(self, act: Callable[[], None]) -> None:
        """Let an attempt go on: refused as too late, or it finds nothing; what counts is what is there afterwards."""
        with contextlib.suppress(NotYet, ToygresError):
            act()
