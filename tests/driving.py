"""Driving operations without a broker: deliver what is next, until nothing is left or it waits."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any
from uuid import UUID

from toygres.domain import ids
from toygres.domain.instance import Instance
from toygres.domain.operation import StepFunction
from toygres.domain.records import OperationRecord
from toygres.engine import Engine, Outcome
from toygres.errors import Cause, CauseCode
from toygres.operations import STEPS
from toygres.operations.context import Context
from toygres.operations.create import apply_server, await_server
from toygres.platforms.protocol import ServerPhase, ServerStatus
from toygres.provisioning import Accepted, Caller, InstanceRequest, request_instance
from toygres.services import Services
from toygres.store import instances, operations

CALLER = Caller(actor="tester", request_id="req-1")
STARTING = ServerStatus(
    phase=ServerPhase.STARTING, cause=Cause(code=CauseCode.STARTING, message="It starts.", remedy="Wait.")
)
BROKEN = ServerStatus(
    phase=ServerPhase.BROKEN,
    cause=Cause(code=CauseCode.PORT_TAKEN, message="The port is taken.", remedy="Free it."),
)


def without_login(steps: dict[str, StepFunction] = STEPS) -> dict[str, StepFunction]:
    """The real steps, but for the login: the platform in memory has no server to log in to."""
    return {**steps, "verify_login": lambda ctx: None, "start_server_again": _start_without_login}


def _start_without_login(ctx: Context) -> None:
    apply_server(ctx)
    await_server(ctx)


@dataclass
class Driver:
    """One worker's engine and a way to hand it messages."""

    services: Services
    engine: Engine

    @classmethod
    def arrive(cls, services: Services) -> Driver:
        """A worker that is registered, without a process of its own."""
        row = services.store.one(
            "INSERT INTO toygres.workers (host, pid) VALUES ('test', 1) RETURNING id",
        )
        assert row is not None
        return cls(services, Engine(services, row.id, steps=without_login()))

    def order(self, name: str = "demo", **choices: Any) -> Accepted:
        """Order an instance on the default platform."""
        return request_instance(self.services, CALLER, InstanceRequest(name=name, **choices))

    def deliver(self, operation_id: UUID) -> Outcome | None:
        """Deliver the step whose turn it is; None when the operation has ended."""
        left = operations.remaining(self.services.store, operation_id)
        return self.engine.run_step(operation_id, left[0]) if left else None

    def drain(self, operation_id: UUID, most: int = 60) -> OperationRecord:
        """Deliver until the operation has ended or waits."""
        for _ in range(most):
            outcome = self.deliver(operation_id)
            if outcome is None or outcome is Outcome.WAITING:
                return self.operation(operation_id)
        raise AssertionError(f"still going on after {most} deliveries: {self.operation(operation_id)}")

    def operation(self, operation_id: UUID) -> OperationRecord:
        """The operation as its rows say."""
        return operations.find(self.services.store, "default", operation_id)

    def instance(self, instance_id: UUID) -> Instance:
        """The instance as its row says."""
        return instances.get(self.services.store, "default", ids.shown(ids.INSTANCE, instance_id))

    def shift_clock(self, seconds: float) -> None:
        """Move the DB's clock, the only one that decides."""
        self.services.store.run(
            "UPDATE toygres.clock SET shift = shift + make_interval(secs => %(seconds)s)", seconds=seconds
        )
