"""The fault table's scenes on a fake cluster whose controllers act at once, without servers in its pods."""

from __future__ import annotations

import shutil
import tempfile
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from uuid import UUID

from cryptography.fernet import Fernet
from doubles import Effect
from driving import Driver
from fake_cluster import FakeCluster
from fake_cluster.store import Change
from faults.declared import Fault
from faults.scene import OBJECTS, Scene
from worlds import World, standing_still

from toygres.config import load
from toygres.domain.operation import NotYet, StepFunction
from toygres.home import Home
from toygres.operations.context import Context
from toygres.platforms.kubernetes.client import Cluster
from toygres.platforms.kubernetes.labels import INSTANCE_ID
from toygres.platforms.kubernetes.names import Names
from toygres.platforms.kubernetes.platform import KubernetesPlatform
from toygres.secrets import Cipher
from toygres.services import Services
from toygres.store import installation

NAMESPACE = "toygres"
# What nobody can do without a server; each row that is about them is one about this table's own stand-ins.
UNSERVED = frozenset({"verify_login", "await_certificate"})
# Made and removed by Kubernetes itself.
_KUBERNETES_OWN = frozenset({"pods", "endpointslices.discovery.k8s.io", "events"})


@dataclass
class ClusterWorld(World):
    """One metadata DB and one cluster."""

    cluster: FakeCluster = field(kw_only=True)
    made: Counter[tuple[str, str, str]] = field(default_factory=Counter)

    def __post_init__(self) -> None:
        self.cluster.store.listeners.append(self._count)

    def _count(self, change: Change) -> None:
        owner = (change.object["metadata"].get("labels") or {}).get(INSTANCE_ID)
        if change.type == "ADDED" and owner and change.resource not in _KUBERNETES_OWN:
            self.made[owner, change.resource, change.object["metadata"]["name"]] += 1

    def worker(self) -> Driver:
        """One more worker, whose steps wait themselves until their time has come."""
        made = super().worker()
        steps = {**made.engine.steps, **dict.fromkeys(UNSERVED, lambda ctx: None)}
        made.engine.steps = {name: self._whole(step) for name, step in steps.items()}
        return made

    def _whole(self, step: StepFunction) -> StepFunction:
        def run(ctx: Context) -> None:
            while True:
                version = self.cluster.store.version
                try:
                    return step(ctx)
                except NotYet:
                    self.cluster.wait(lambda: self.cluster.store.version > version)  # noqa: B023

        return run

    def of(self, instance: UUID) -> list[tuple[str, dict[str, Any]]]:
        """Every object that bears the instance's mark, asked past the API."""
        return [
            (kind, found)
            for kind, found in self.cluster.store.everything()
            if (found["metadata"].get("labels") or {}).get(INSTANCE_ID) == str(instance)
        ]


@dataclass
class ClusterScene(Scene):
    """A scene whose instance's objects are a cluster's."""

    world: ClusterWorld

    @property
    def objects(self) -> dict[str, object]:
        """The UID of what a user knows of; of an instance that has no credentials whatever else is there."""
        names, whole = Names.of(self.other.instance(self.instance)), self.world.of(self.instance)
        called = {
            ("secrets", names.credentials): "credentials",
            ("persistentvolumeclaims", names.data): "storage",
            ("services", names.service): "service",
            ("statefulsets.apps", names.stateful_set): "server",
        }
        found: dict[str, object] = {}
        for kind, each in whole:
            known = called.get((kind, each["metadata"]["name"]))
            if known and each.get("spec", {}).get("replicas", 1):
                found[known] = each["metadata"]["uid"]
        if "credentials" not in found:
            found |= {f"{kind} {each['metadata']['name']}": each["metadata"]["uid"] for kind, each in whole}
        return found

    @property
    def effects(self) -> list[Effect]:
        """Told by `made` instead."""
        return []

    def check(self, fault: Fault) -> None:
        """The same once Kubernetes has removed what it removes itself; and nothing of ours was made twice."""
        expected = OBJECTS[self.row.ends(fault)[1]]
        self.world.cluster.wait(lambda: sorted(self.objects) == expected)
        super().check(fault)
        own = {key: times for key, times in self.world.made.items() if key[0] == str(self.instance)}
        assert set(own.values()) == {1}, own


@contextmanager
def cluster_world(database_url: str) -> Iterator[ClusterWorld]:
    """A world on a migrated metadata DB and a cluster that is as quick as can be."""
    folder = Path(tempfile.mkdtemp(prefix="tg-world-"))
    home = Home(folder / "home")
    home.make()
    with standing_still(database_url) as store, FakeCluster(speed=500) as cluster:
        settings = load(
            home=home.path,
            database_url=database_url,
            platform="kubernetes",
            platforms=("kubernetes",),
            kube_load_balancers=True,
        )
        known = Cluster(kubeconfig=str(cluster.kubeconfig(folder / "kubeconfig")))
        platform = KubernetesPlatform("kubernetes", settings, known)
        installation.meet_platform(store, "kubernetes", "kubernetes", platform.identity() or "")
        services = Services(
            settings=settings,
            store=store,
            platforms={"kubernetes": platform},
            cipher=Cipher([Fernet.generate_key().decode()]),
            installation_id=installation.identity(store),
        )
        yield ClusterWorld(services, platform, cluster=cluster)  # type: ignore[arg-type]
    shutil.rmtree(folder)
