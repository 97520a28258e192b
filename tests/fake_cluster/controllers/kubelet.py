"""The kubelet of the one node: a life for each pod on it, and what tests may do to pods and node."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from fake_cluster import pods
from fake_cluster.controllers import endings, lives
from fake_cluster.controllers.life import Life
from fake_cluster.events import NODES
from fake_cluster.seeds import NODE
from fake_cluster.store import Change

if TYPE_CHECKING:
    from fake_cluster.cluster import FakeCluster

Json = dict[str, Any]
_VOLUMES_SECONDS = 13.0


class Kubelet:
    """`lost` while the node doesn't answer."""

    def __init__(self, cluster: FakeCluster) -> None:
        self.lost = False
        self._cluster = cluster
        self._lives: dict[str, Life] = {}

    def noticed(self, change: Change) -> None:
        if change.resource == "pods":
            self._pod_noticed(change)
        elif change.resource in {"secrets", "configmaps"} and change.type == "MODIFIED":
            namespace = change.object["metadata"]["namespace"]
            self._cluster.clock.later(_VOLUMES_SECONDS, lambda: self._refresh(namespace))
        elif change.resource == "persistentvolumeclaims" and change.type == "DELETED" and self._cluster.servers:
            self._cluster.servers.forget(change.object["metadata"]["uid"])

    def _pod_noticed(self, change: Change) -> None:
        pod, uid = change.object, change.object["metadata"]["uid"]
        if change.type == "DELETED":
            life = self._lives.pop(uid, None)
            if life is not None:
                life.end()
                self._cluster.network.withdraw((pod.get("status") or {}).get("podIP", ""))
        elif not pod["spec"].get("nodeName"):
            return
        elif uid not in self._lives:
            self._lives[uid] = Life(self._cluster, pod)
            self._cluster.clock.later(0.045, lambda: self._begin(uid))
        elif pod["metadata"].get("deletionTimestamp") and not (change.before or pod)["metadata"].get(
            "deletionTimestamp"
        ):
            self._cluster.clock.later(0.4, lambda: self._end(uid))

    def _begin(self, uid: str) -> None:
        life = self._lives.get(uid)
        if life is not None and life.pod is not None and not life.pod["metadata"].get("deletionTimestamp"):
            life.begin(lives.start)

    def _end(self, uid: str) -> None:
        if uid in self._lives:
            self._lives[uid].begin(endings.end)

    def _refresh(self, namespace: str) -> None:
        for life in list(self._lives.values()):
            if life.server is not None and life.key[0] == namespace:
                life.server.refresh(lives.objects(self._cluster, namespace))

    def lines(self, uid: str) -> list[str] | None:
        """The log of what really runs behind a pod; None when nothing does."""
        life = self._lives.get(uid)
        return life.server.lines() if life is not None and life.server is not None else None

    def stop(self) -> None:
        """End whatever runs."""
        for life in list(self._lives.values()):
            life.end()
        if self._cluster.servers is not None:
            self._cluster.servers.close()

    def kill(self, namespace: str, name: str, *, exit_code: int = 137, reason: str = "Error", words: Any = ()) -> None:
        """End a pod's container as if it had died; it is restarted."""
        with self._cluster.store.lock:
            life = self._life(namespace, name)
            life.outcome = (exit_code, reason, list(words))
            life.poke()

    def evict(self, namespace: str, name: str, message: str = "The node was low on resource: memory.") -> None:
        """Evict a pod: it fails, and its StatefulSet makes another."""
        with self._cluster.store.lock:
            life = self._life(namespace, name)
            life.end()

            def change(value: Json) -> None:
                value["status"] |= {"phase": "Failed", "reason": "Evicted", "message": message}
                pods.set_ready(self._cluster, value, ready=False, reason="PodFailed")
                told = {"reason": "TerminationByKubelet", "message": message}
                pods.set_condition(self._cluster, value, "DisruptionTarget", "True", **told)

            life.tell("Warning", "Evicted", message, of_container=False)
            life.edit(change)

    def lose_node(self) -> None:
        """The node stops answering: nothing happens to its pods any more, and they aren't Ready."""
        with self._cluster.store.lock:
            self.lost = True
            self._node("Unknown", "NodeStatusUnknown")
            for life in list(self._lives.values()):
                pod = life.pod
                if pod is not None and pods.is_ready(pod):
                    life.edit(lambda value: pods.set_condition(self._cluster, value, "Ready", "False"))
                    NODES.tell(self._cluster, pod, "Warning", "NodeNotReady", "Node is not ready")

    def recover_node(self) -> None:
        """The node answers again."""
        with self._cluster.store.lock:
            self.lost = False
            self._node("True", "KubeletReady")
            for life in list(self._lives.values()):
                pod = life.pod
                statuses = (pod or {}).get("status", {}).get("containerStatuses") or []
                if pod is not None and statuses and statuses[0]["ready"]:
                    life.edit(lambda value: pods.set_condition(self._cluster, value, "Ready", "True"))

    def _node(self, status: str, reason: str) -> None:
        def change(value: Json) -> None:
            ready = {"type": "Ready", "status": status, "reason": reason}
            value["status"]["conditions"] = [ready]
            taint = {"key": "node.kubernetes.io/unreachable", "effect": "NoExecute"}
            value["spec"] = {} if status == "True" else {"taints": [taint]}

        self._cluster.store.edit("nodes", "", NODE, change)

    def _life(self, namespace: str, name: str) -> Life:
        pod = self._cluster.store.get("pods", namespace, name)
        if pod is None or pod["metadata"]["uid"] not in self._lives:
            raise KeyError(name)
        return self._lives[pod["metadata"]["uid"]]
