"""The scheduler: one node; pods wait for their claims and for room."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from fake_cluster import pods, quantities
from fake_cluster.controllers.claims import claims_of
from fake_cluster.controllers.soon import Soon
from fake_cluster.events import SCHEDULING
from fake_cluster.seeds import NODE
from fake_cluster.store import Change

if TYPE_CHECKING:
    from fake_cluster.cluster import FakeCluster

Json = dict[str, Any]
Key = tuple[str, str]
_NONE = "0/1 nodes are available:"
_PREEMPTION = f"no new claims to deallocate, preemption: {_NONE} 1 Preemption is not helpful for scheduling."
_AGAIN_SECONDS = 5.0


class Scheduler:
    """Puts pods on the node, or says why not."""

    def __init__(self, cluster: FakeCluster) -> None:
        self._cluster = cluster
        self._look = Soon(cluster.clock, self._looked)

    def noticed(self, change: Change) -> None:
        metadata = change.object["metadata"]
        if change.resource == "pods" and change.type == "ADDED":
            self._look.ask((metadata["namespace"], metadata["name"]), 0.015)
        elif change.resource == "persistentvolumeclaims":
            for pod in self._cluster.store.list("pods", metadata["namespace"]):
                if not pod["spec"].get("nodeName") and metadata["name"] in claims_of(pod):
                    self._look.ask((metadata["namespace"], pod["metadata"]["name"]), 0.01)

    def _looked(self, key: Key) -> None:
        pod = self._cluster.store.get("pods", *key)
        if pod is None or pod["spec"].get("nodeName") or pod["metadata"].get("deletionTimestamp"):
            return
        why = self._why_not(pod)
        if why is None:
            self._look.ask(key, 0.02)
        elif why:
            self._unschedulable(key, pod, why)
            self._look.ask(key, _AGAIN_SECONDS)
        else:
            self._place(key, pod)

    def _why_not(self, pod: Json) -> str | None:
        """Why the pod can't be placed; empty when it can, None when a claim is just being bound for it."""
        namespace = pod["metadata"]["namespace"]
        for name in claims_of(pod):
            claim = self._cluster.store.get("persistentvolumeclaims", namespace, name)
            if claim is None:
                return f'{_NONE} persistentvolumeclaim "{name}" not found. not found'
            if claim["metadata"].get("deletionTimestamp"):
                return f'{_NONE} persistentvolumeclaim "{name}" is being deleted. not found'
            if claim["status"]["phase"] != "Bound":
                return self._unbound(namespace, name, claim)
        return self._no_room(pod)

    def _unbound(self, namespace: str, name: str, claim: Json) -> str | None:
        found = self._cluster.store.get("storageclasses.storage.k8s.io", "", claim["spec"].get("storageClassName", ""))
        if found is None or found["volumeBindingMode"] != "WaitForFirstConsumer":
            return f"{_NONE} pod has unbound immediate PersistentVolumeClaims. not found"
        if found["provisioner"] == "kubernetes.io/no-provisioner":
            return f"{_NONE} 1 node(s) didn't find available persistent volumes to bind. not found"
        if not claim["spec"].get("volumeName"):
            self._cluster.controllers.claims.bind_for((namespace, name))
        return None

    def _no_room(self, pod: Json) -> str:
        if told := self._cluster.scenarios.unschedulable(pod):
            return f"{_NONE} {told}"
        node = self._cluster.store.get("nodes", "", NODE)
        assert node is not None
        wanted = pod["spec"].get("nodeSelector") or {}
        labels = node["metadata"].get("labels") or {}
        if any(labels.get(key) != value for key, value in wanted.items()):
            return f"{_NONE} 1 node(s) didn't match Pod's node affinity/selector. {_PREEMPTION}"
        for resource in ("cpu", "memory"):
            asked = sum(_asked(container, resource) for container in pod["spec"]["containers"])
            if asked > quantities.number(node["status"]["allocatable"][resource]):
                return f"{_NONE} 1 Insufficient {resource}. {_PREEMPTION}"
        return ""

    def _unschedulable(self, key: Key, pod: Json, why: str) -> None:
        SCHEDULING.tell(self._cluster, pod, "Warning", "FailedScheduling", why)

        def change(value: Json) -> None:
            told = {"reason": "Unschedulable", "message": why}
            pods.set_condition(self._cluster, value, "PodScheduled", "False", **told)

        self._cluster.store.edit("pods", *key, change)

    def _place(self, key: Key, pod: Json) -> None:
        def change(value: Json) -> None:
            value["spec"]["nodeName"] = NODE
            pods.set_condition(self._cluster, value, "PodScheduled", "True")
            # A real scheduler leaves this to the kubelet.
            del value["status"]["conditions"][-1]["observedGeneration"]

        self._cluster.store.edit("pods", *key, change)
        SCHEDULING.tell(self._cluster, pod, "Normal", "Scheduled", f"Successfully assigned {key[0]}/{key[1]} to {NODE}")


def _asked(container: Json, resource: str) -> Any:
    return quantities.number(((container.get("resources") or {}).get("requests") or {}).get(resource))
