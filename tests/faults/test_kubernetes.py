"""On a cluster: each step dies unrecorded, and is frozen before each of its calls; those go on after the delete."""

from __future__ import annotations

import itertools
import queue
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

import psycopg
import pytest
from driving import CALLER, Driver
from fake_cluster import FakeCluster
from fake_cluster.real_server import RealServers
from faults.acts import Died
from faults.life import Life
from making import PATIENCE

from toygres import provisioning
from toygres.config import load
from toygres.domain.instance import InstanceState
from toygres.domain.operation import NotYet, StepFunction
from toygres.errors import ToygresError
from toygres.home import Home
from toygres.operations import OPERATIONS
from toygres.operations.context import Context
from toygres.platforms.kubernetes.client import Cluster
from toygres.platforms.kubernetes.labels import INSTANCE_ID
from toygres.provisioning import InstanceRequest, request_instance
from toygres.services import connect
from worker.audit import Audit

NAMESPACE = "toygres"
_CALLS = threading.local()


@dataclass
class Frozen:
    """An attempt of a step in a thread of its own, that stops before its call of that number."""

    number: int
    reached: bool = False
    ended: BaseException | None = None
    _halted: threading.Event = field(default_factory=threading.Event)
    _go: threading.Event = field(default_factory=threading.Event)
    _thread: threading.Thread | None = None

    def act(self, step: StepFunction, ctx: Context) -> None:
        """Begin; returns by dying, unless the step isn't done."""
        self._thread = threading.Thread(target=self._run, args=(step, ctx), daemon=True)
        self._thread.start()
        assert self._halted.wait(PATIENCE)
        if not self.reached and isinstance(self.ended, Exception):
            raise self.ended
        raise Died

    def thaw(self) -> None:
        """Let it go on; returns when it has ended. Raises what it raised."""
        assert self._thread is not None
        self._go.set()
        self._thread.join(PATIENCE)
        assert not self._thread.is_alive()
        if self.ended is not None:
            raise self.ended

    def called(self) -> None:
        """A call is about to be made."""
        if self.number == 0:
            self.reached = True
            self._halted.set()
            assert self._go.wait(10 * PATIENCE)
        self.number -= 1

    def _run(self, step: StepFunction, ctx: Context) -> None:
        _CALLS.frozen = self
        try:
            step(ctx)
        except (NotYet, ToygresError) as error:
            self.ended = error
        finally:
            self._halted.set()


@dataclass
class ClusterLife(Life):
    """The same on a cluster."""

    cluster: FakeCluster = field(kw_only=True)
    calls: int = 0

    def before(self, operation: UUID, step: str) -> None:
        """It is frozen before each call that it makes."""
        for number in itertools.count():
            frozen = Frozen(number)
            self.run_in_vain(operation, step, frozen.act)
            if not frozen.reached:
                return
            self.calls += 1
            self.frozen.append(frozen.thaw)

    def wait(self, step: str, changes: queue.Queue[UUID | None]) -> None:
        """Nothing tells when a pod has its new files."""
        if step == "await_certificate":
            Driver.arrive(self.services).shift_clock(6)
        else:
            super().wait(step, changes)

    def left(self) -> list[str]:
        """What the cluster still has of the instance, asked past the API."""
        return [
            f"{kind} {found['metadata']['name']}"
            for kind, found in self.cluster.store.everything()
            if (found["metadata"].get("labels") or {}).get(INSTANCE_ID) == str(self.instance)
        ]


@pytest.fixture
def life(home: Home, database_url: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[ClusterLife]:
    send = Cluster.send

    def counted(cluster: Cluster, *arguments: Any, **more: Any) -> Any:
        frozen = getattr(_CALLS, "frozen", None)
        if frozen is not None:
            frozen.called()
        return send(cluster, *arguments, **more)

    monkeypatch.setattr(Cluster, "send", counted)
    with FakeCluster(servers=RealServers()) as cluster:
        monkeypatch.setenv("KUBECONFIG", str(cluster.kubeconfig(home.path / "kubeconfig")))
        settings = load(
            home=home.path,
            database_url=database_url,
            platform="kubernetes",
            platforms=("kubernetes",),
            kube_load_balancers=True,
            step_attempts=1000,
        )
        services = connect(settings)
        yield ClusterLife(services, "kubernetes", cluster=cluster)
        services.close()


def test_every_step_dies_unrecorded_and_what_was_frozen_acts_after_the_delete(life: ClusterLife) -> None:
    asked = InstanceRequest(name="demo", service_type="LoadBalancer", allowed_cidrs=("10.0.0.0/8",))
    created = request_instance(life.services, CALLER, asked)
    life.instance = created.instance.id
    life.go_through(created.operation.id, "create")
    with connected(life) as connection:
        connection.execute("CREATE TABLE kept AS SELECT 42 AS answer")
    for kind in ("stop", "start", "restart", "renew"):
        accepted = getattr(provisioning, f"request_{kind}")(life.services, CALLER, "demo")
        life.go_through(accepted.operation.id, kind)
    with connected(life) as connection:
        assert connection.execute("SELECT answer FROM kept").fetchone() == (42,)
    life.go_through(provisioning.request_delete(life.services, CALLER, "demo").operation.id, "delete")
    assert life.left() == []
    for act in life.frozen:
        life.thaw(act)
        # What comes late has an owner that is gone, and Kubernetes removes it.
        life.cluster.wait(lambda: not life.left())
    assert list(life.platform.objects(life.instance)) == []
    Audit(life.services).act()
    assert {step.name for kind in OPERATIONS for step in life.planned(kind)} == life.done
    # Of a create alone: each step passes the fence, looks, and applies.
    assert life.calls > 100


def connected(life: ClusterLife) -> psycopg.Connection[tuple[int]]:
    found = Driver.arrive(life.services).instance(life.instance)
    assert found.state is InstanceState.READY
    login = life.platform.credentials(found)
    pod = life.cluster.get("pods", NAMESPACE, "demo-0")
    assert login is not None
    assert pod is not None
    return psycopg.connect(
        host=pod["status"]["podIP"],
        user=login.user.user,
        password=login.user.password,
        dbname=found.spec.database,
        autocommit=True,
    )
