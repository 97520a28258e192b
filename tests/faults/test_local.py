"""On real servers: each step is frozen, dies unrecorded, and is done; what was frozen acts after the delete."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from uuid import UUID

import psycopg
import pytest
from driving import CALLER, Driver
from faults.acts import Died
from making import PATIENCE, watching
from making_stack import remove
from worlds import LOST

from toygres import provisioning
from toygres.domain.instance import InstanceState
from toygres.domain.operation import NotYet, OperationState, StepFunction
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
    instance: UUID | None = None
    frozen: list[Callable[[], None]] = field(default_factory=list)
    done: set[str] = field(default_factory=set)

    @property
    def platform(self) -> Platform:
        return self.services.platform("local")

    def go_through(self, operation: UUID, kind: str) -> None:
        """Run each step of the operation thrice, of which the last time is recorded."""
        with watching(self.platform) as changes:
            for step in OPERATIONS[kind].steps:
                self._run_in_vain(operation, step.name, self._freeze)
                while self._run_in_vain(operation, step.name, self._die) is Outcome.WAITING:
                    changes.get(timeout=PATIENCE)
                assert self._worker().engine.run_step(operation, step.name) is Outcome.DONE
                self.done.add(step.name)
        assert self._worker().operation(operation).state is OperationState.SUCCEEDED

    def _worker(self) -> Driver:
        worker = Driver.arrive(self.services)
        worker.engine.steps = STEPS
        return worker

    def _run_in_vain(self, operation: UUID, name: str, act: Callable[[StepFunction, Context], None]) -> Outcome | None:
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


@pytest.fixture
def life(services: Services) -> Iterator[Life]:
    made = Life(services)
    yield made
    if made.instance is not None and made.platform.objects(made.instance):
        remove(services, made.instance)


def test_every_step_dies_unrecorded_and_what_was_frozen_acts_after_the_delete(life: Life) -> None:
    created = Driver.arrive(life.services).order("demo")
    life.instance = created.instance.id
    life.go_through(created.operation.id, "create")
    with _connected(life) as connection:
        connection.execute("CREATE TABLE kept AS SELECT 42 AS answer")
    for kind in ("stop", "start", "restart"):
        accepted = getattr(provisioning, f"request_{kind}")(life.services, CALLER, "demo")
        life.go_through(accepted.operation.id, kind)
    with _connected(life) as connection:
        assert connection.execute("SELECT answer FROM kept").fetchone() == (42,)
    life.go_through(provisioning.request_delete(life.services, CALLER, "demo").operation.id, "delete")
    assert list(life.platform.objects(life.instance)) == []
    for act in life.frozen:
        # Refused as too late, or it finds nothing: what counts is what is there afterwards.
        with contextlib.suppress(NotYet, ToygresError):
            act()
        assert list(life.platform.objects(life.instance)) == []
    assert {step.name for operation in OPERATIONS.values() for step in operation.steps} == life.done


def _connected(life: Life) -> psycopg.Connection[tuple[int]]:
    found = Driver.arrive(life.services).instance(life.instance)
    assert found.state is InstanceState.READY
    assert found.endpoint is not None
    login = life.platform.credentials(found)
    assert login is not None
    return psycopg.connect(
        host=found.endpoint.host,
        port=found.endpoint.port,
        user=login.user.user,
        password=login.user.password,
        dbname=found.spec.database,
        autocommit=True,
    )
