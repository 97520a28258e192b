"""A control plane whose instances are on a Kubernetes cluster, whichever that is: what is ordered of it and awaited."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar
from uuid import UUID

import pytest
from cryptography.fernet import Fernet
from driving import CALLER
from making_stack import Stack, forget_connections

from toygres import config
from toygres.domain.instance import Instance, InstanceState
from toygres.domain.operation import OperationState, StepState
from toygres.domain.records import OperationRecord
from toygres.errors import Cause, CauseCode
from toygres.home import Home, write_private
from toygres.operations import OPERATIONS
from toygres.platforms.local import place
from toygres.processes.broker import Broker
from toygres.provisioning import Accepted, InstanceRequest, request_delete, request_instance
from toygres.services import connect
from toygres.store import events, instances, operations
from toygres.store.changes import Changes
from worker.chains import publish

Made = TypeVar("Made", bound=Stack)


@dataclass
class OnCluster(Stack):
    """A stack whose workers have these `variables`, too."""

    variables: dict[str, str] = field(kw_only=True)

    def _environment(self) -> dict[str, str]:
        return {**super()._environment(), **self.variables}

    def ask(self, name: str, **asked: Any) -> OperationRecord:
        """Order an instance."""
        accepted = request_instance(self.services, CALLER, InstanceRequest(name=name, **asked))
        publish(accepted.operation)
        return accepted.operation

    def order(self, name: str = "demo", *, publish: bool = True) -> UUID:
        """Order an instance; the operation's ID."""
        assert publish
        return self.ask(name).id

    def ready(self, name: str, **asked: Any) -> Instance:
        """Order an instance and wait until it is ready."""
        ended = self.ended(self.ask(name, **asked).id)
        assert ended.state is OperationState.SUCCEEDED, ended
        found = instances.find(self.services.store, ended.instance_id)
        assert found is not None
        assert found.state is InstanceState.READY
        return found

    def all_ready(self, *names: str) -> list[Instance]:
        """Order several at once and wait until all are ready."""
        operations = [self.ask(name) for name in names]
        for operation in operations:
            ended = self.ended(operation.id)
            assert ended.state is OperationState.SUCCEEDED, ended
        return [self.now_named(name) for name in names]

    def gone(self, name: str) -> OperationRecord:
        """Delete an instance, of which nothing is left; the operation that did it."""
        ended = self.delete(name)
        assert ended.state is OperationState.SUCCEEDED, ended
        assert list(self.objects(ended.instance_id)) == []
        return ended

    def now_named(self, name: str) -> Instance:
        """The instance of that name."""
        return instances.get(self.services.store, "default", name)

    def requested(self, request: Callable[..., Accepted], name: str) -> OperationRecord:
        """Order something else of an instance."""
        accepted = request(self.services, CALLER, name)
        publish(accepted.operation)
        return accepted.operation

    def kinds_of_operations(self, instance: Instance) -> list[str]:
        """What was ordered of it, the last first."""
        page = operations.list_page(self.services.store, "default", 50, None, instance=instance.id)
        return [operation.kind for operation in page.items]

    def delete(self, name: str = "demo") -> OperationRecord:
        """Order that the instance be deleted and wait for the end."""
        return self.ended(self.requested(request_delete, name).id)

    def now(self, instance: Instance) -> Instance:
        """The instance as its row says now."""
        found = instances.find(self.services.store, instance.id)
        assert found is not None
        return found

    def heard_available(self, instance: Instance, *, value: bool) -> Cause | None:
        """Return once `available` is told to be `value`; with the cause."""
        self.heard(lambda: self.now(instance).available.value is value)
        return self.now(instance).available.cause

    def waits(self, operation: OperationRecord, code: CauseCode) -> Cause:
        """Return once the operation shows that it waits for this cause."""
        found = self.once(operation.id, lambda found: found.ended_at or code in _waited_for(found))
        assert found.ended_at is None, found
        return _waited_for(found)[code]

    def fails(self, operation: OperationRecord, code: CauseCode) -> Cause:
        """Return once the operation failed for this cause and left nothing."""
        ended = self.ended(operation.id)
        assert ended.cause is not None, ended
        assert (ended.state, ended.cause.code) == (OperationState.FAILED, code), ended.cause
        assert ended.leftovers == ()
        assert ended.cause.remedy
        assert list(self.objects(ended.instance_id)) == []
        return ended.cause

    def told(self, operation: OperationRecord) -> dict[str, int]:
        """How often each step of the operation was claimed."""
        found: dict[str, int] = {}
        for event in events.after(self.services.store, "default", limit=10_000, instance=operation.instance_id):
            if event.kind == "step_claimed" and event.operation_id == operation.id and event.step:
                found[event.step] = found.get(event.step, 0) + 1
        return found

    def every_step_once(self, operation: OperationRecord) -> bool:
        """Whether no step but those that wait was run more than once."""
        waiting = {step.name for step in OPERATIONS[operation.kind].steps if step.within}
        return all(many == 1 for step, many in self.told(operation).items() if step not in waiting)

    def let_pass(self, seconds: float) -> None:
        """Move the metadata DB's clock, the only one that decides."""
        self.services.store.run(
            "UPDATE toygres.clock SET shift = shift + make_interval(secs => %(seconds)s)", seconds=seconds
        )

    def objects(self, instance_id: UUID) -> Sequence[str]:
        """What the cluster has of an instance."""
        return self.services.platform("kubernetes").objects(instance_id)


@contextmanager
def running(
    make: Callable[..., Made], home: Home, kubeconfig: Path, database_url: str, **variables: str
) -> Iterator[Made]:
    """A broker that runs and no worker yet, with these settings; whatever the test started has ended afterwards."""
    own = {
        "TOYGRES_HOME": str(home.path),
        "TOYGRES_PLATFORM": "kubernetes",
        "TOYGRES_PLATFORMS": "kubernetes",
        "KUBECONFIG": str(kubeconfig),
        "DATABASE_URL": database_url,
        "REDIS_URL": Broker(home).url,
        **variables,
    }
    with pytest.MonkeyPatch.context() as patch, ExitStack() as stack:
        for name, value in own.items():
            patch.setenv(name, value)
        config.settings.cache_clear()
        stack.callback(config.settings.cache_clear)
        forget_connections()
        services = connect(config.settings())
        stack.callback(services.close)
        made = make(home, services, Broker(home), Changes(services.store), variables=own)
        stack.callback(_end, made)
        made.start_broker()
        yield made


@contextmanager
def own_home() -> Iterator[Home]:
    """A home with a token and keys, gone afterwards."""
    folder = Path(tempfile.mkdtemp(prefix="tg-"))
    made = Home(folder / "home")
    made.make()
    write_private(made.token, "test-token-0123456789")
    write_private(made.secret_keys, Fernet.generate_key().decode() + "\n")
    try:
        yield made
    finally:
        place.forget(made)
        shutil.rmtree(folder)


def _end(made: Stack) -> None:
    for worker in made.workers:
        worker.kill()
        worker.wait()
    made.changes.close()
    if made.valkey is not None:
        made.valkey.kill()
        made.valkey.wait()


def _waited_for(found: OperationRecord) -> dict[CauseCode, Cause]:
    return {step.cause.code: step.cause for step in found.steps if step.cause and step.state is StepState.WAITING}
