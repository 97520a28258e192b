"""A control plane on a fake cluster: a broker, a metadata DB and workers as real processes, pods with real servers."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any
from uuid import UUID

import httpx
import psycopg
from driving import Driver
from fake_cluster import FakeCluster, seeds
from fake_cluster.pods import is_ready
from fake_cluster.real_server import RealServers
from fake_cluster.store import Change
from making import PATIENCE, watching
from making_on_cluster import OnCluster, own_home, running

from toygres.domain.instance import Instance
from toygres.domain.records import OperationRecord
from toygres.engine import Outcome
from toygres.operations import STEPS
from toygres.platforms.kubernetes import resources
from toygres.platforms.kubernetes.labels import INSTANCE_ID
from toygres.platforms.kubernetes.rights import WORKER, rules
from toygres.services import Services

NAMESPACE = "toygres"
_ACCOUNT = f"system:serviceaccount:{NAMESPACE}:toygres-worker"
# Kinds as the fake cluster's store calls them.
KINDS = tuple(f"{each.plural}.{each.group}".rstrip(".") for each in (*resources.OF_AN_INSTANCE, resources.PODS))


@dataclass
class Plane(OnCluster):
    """Stack and cluster, and what is to be known of both."""

    cluster: FakeCluster = field(kw_only=True)
    kubeconfig: Path = field(kw_only=True)
    token: str = ""
    made: Counter[tuple[str, str, str]] = field(default_factory=Counter)
    rules: dict[str, list[dict[str, list[str]]]] = field(default_factory=lambda: {NAMESPACE: rules(WORKER)})

    def __post_init__(self) -> None:
        self.cluster.store.listeners.append(self._count)

    def _count(self, change: Change) -> None:
        owner = (change.object["metadata"].get("labels") or {}).get(INSTANCE_ID)
        if change.type == "ADDED" and owner:
            self.made[change.resource, change.object["metadata"]["name"], owner] += 1

    def pod(self, name: str) -> dict[str, Any]:
        """An instance's pod."""
        found = self.cluster.get("pods", NAMESPACE, f"{name}-0")
        assert found is not None
        return found

    def is_ready(self, name: str) -> bool:
        """Whether Kubernetes says that the instance's pod is ready."""
        found = self.cluster.get("pods", NAMESPACE, f"{name}-0")
        return found is not None and is_ready(found)

    def delete_by_hand(self, path: str) -> None:
        """What an administrator deletes."""
        httpx.delete(self.cluster.host + path, headers={"Authorization": f"Bearer {self.cluster.token}"})

    def objects(self, instance_id: UUID) -> list[str]:
        """What the cluster has of an instance, asked past the API."""
        return [
            f"{kind} {each['metadata']['name']}"
            for kind in KINDS
            for each in self.cluster.list(kind)
            if (each["metadata"].get("labels") or {}).get(INSTANCE_ID) == str(instance_id)
        ]

    def made_twice(self) -> list[tuple[str, str, str]]:
        """What was made more than once for one instance, pods aside: Kubernetes makes those."""
        return [what for what, times in self.made.items() if times > 1 and what[0] != "pods"]

    def login(self, instance: Instance) -> psycopg.Connection[tuple[Any, ...]]:
        """A client's connection, which trusts only the instance's authority; at its pod's address."""
        assert instance.endpoint is not None
        known = self.services.platform("kubernetes").credentials(instance)
        assert known is not None
        assert known.authority is not None
        pod = self.cluster.get("pods", NAMESPACE, f"{instance.name}-0")
        assert pod is not None
        certificate = self.home.path / f"{instance.name}.crt"
        certificate.write_text(known.authority)
        return psycopg.connect(
            host=instance.endpoint.host,
            hostaddr=pod["status"]["podIP"],
            port=instance.endpoint.port,
            user=known.user.user,
            password=known.user.password,
            dbname=instance.spec.database,
            sslmode="verify-full",
            sslrootcert=str(certificate),
            autocommit=True,
        )

    def renew_token(self) -> None:
        """Give the control plane a new token for exactly its rights; the old one has expired."""
        before, self.token = self.token, self.cluster.user(_ACCOUNT, self.rules)
        self.cluster.kubeconfig(self.kubeconfig, token=self.token)
        self.cluster.rights.revoke(before)

    @contextmanager
    def without_right_to_create(self, resource: str) -> Iterator[None]:
        """For as long as the block lasts."""
        (rule,) = (rule for rule in self.rules[NAMESPACE] if rule["resources"] == [resource])
        rule["verbs"].remove("create")
        try:
            yield
        finally:
            rule["verbs"].append("create")

    def take_away(self, resource: str, name: str) -> None:
        """What an administrator takes away from the namespace."""
        found = self.cluster.get(resource, NAMESPACE, name)
        assert found is not None
        with self.cluster.store.lock:
            self.cluster.store.remove(resource, found)

    def recover(self) -> None:
        """End all trouble that a test made."""
        self.cluster.faults.stop()
        self.cluster.scenarios.end()
        self.cluster.watches.stall(on=False)
        if self.cluster.controllers.kubelet.lost:
            self.cluster.controllers.kubelet.recover_node()


def driven(services: Services, operation: OperationRecord) -> OperationRecord:
    """The operation, run to its end by a worker without a broker."""
    worker = Driver.arrive(services)
    worker.engine.steps = STEPS
    with watching(services.platform("kubernetes")) as changes:
        while (outcome := worker.deliver(operation.id)) is not None:
            if outcome is Outcome.WAITING:
                assert changes.get(timeout=PATIENCE) is not None
    return worker.operation(operation.id)


@contextmanager
def running_plane(
    database_url: str, make_cluster: Callable[[], FakeCluster] | None = None, **variables: str
) -> Iterator[Plane]:
    """A cluster whose namespace enforces `restricted`, a broker that runs, and no worker yet; all has ended afterwards.

    The control plane may do exactly what its Role lets it.
    """
    with own_home() as home, (make_cluster or _with_servers)() as cluster:
        kubeconfig = cluster.kubeconfig(home.path / "kubeconfig")
        seeds.make(cluster, "namespaces", {"metadata": {"name": NAMESPACE}})
        cluster.scenarios.pod_security(NAMESPACE)
        make = partial(Plane, cluster=cluster, kubeconfig=kubeconfig)
        with running(make, home, kubeconfig, database_url, **variables) as made:
            made.renew_token()
            yield made


def _with_servers() -> FakeCluster:
    return FakeCluster(servers=RealServers(), services_answer=True)
