"""The StatefulSet controller: makes, replaces and removes pods, and counts them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from fake_cluster import admission, defaults, deleting, pods
from fake_cluster.answers import Refusal
from fake_cluster.controllers.soon import Soon
from fake_cluster.events import STATEFUL_SETS
from fake_cluster.resources import BY_KEY
from fake_cluster.store import Change

if TYPE_CHECKING:
    from fake_cluster.cluster import FakeCluster

Json = dict[str, Any]
Key = tuple[str, str]
_SETS = "statefulsets.apps"
_MOST_SECONDS = 15.0


class StatefulSets:
    """One pod after the other, in order."""

    def __init__(self, cluster: FakeCluster) -> None:
        self._cluster = cluster
        self._look = Soon(cluster.clock, self._looked)
        self._failures: dict[str, int] = {}

    def noticed(self, change: Change) -> None:
        metadata = change.object["metadata"]
        if change.resource == _SETS and change.type != "DELETED":
            self._look.ask((metadata["namespace"], metadata["name"]), 0.02)
        elif change.resource == "pods":
            name = metadata["name"].rpartition("-")[0]
            if self._cluster.store.get(_SETS, metadata["namespace"], name):
                self._look.ask((metadata["namespace"], name), 0.015)

    def _looked(self, key: Key) -> None:
        found = self._cluster.store.get(_SETS, *key)
        if found is None:
            return
        mine = self._pods_of(found)
        if not found["metadata"].get("deletionTimestamp"):
            self._arrange(key, found, mine)
        self._count(key, self._pods_of(found))

    def _pods_of(self, found: Json) -> dict[int, Json]:
        namespace, name, uid = (found["metadata"][part] for part in ("namespace", "name", "uid"))
        mine: dict[int, Json] = {}
        highest = max(found["spec"].get("replicas", 1), (found.get("status") or {}).get("replicas", 0), 1) + 1
        for index in range(highest):
            pod = self._cluster.store.get("pods", namespace, f"{name}-{index}")
            if pod is not None and not pods.owner_uid(pod):
                pod = self._adopt(found, pod)
            if pod is not None and pods.owner_uid(pod) == uid:
                mine[index] = pod
        return mine

    def _adopt(self, found: Json, pod: Json) -> Json:
        references = pods.made(found, 0)["metadata"]["ownerReferences"]
        return self._cluster.store.put("pods", pod | {"metadata": pod["metadata"] | {"ownerReferences": references}})

    def _arrange(self, key: Key, found: Json, mine: dict[int, Json]) -> None:
        wanted, current = found["spec"].get("replicas", 1), pods.revision(found)
        for index in sorted(mine, reverse=True):
            if index >= wanted:
                self._delete(found, mine[index])
        for index in range(wanted):
            pod = mine.get(index)
            if pod is None:
                self._create(key, found, index)
                return
            old = pod["metadata"]["labels"].get("controller-revision-hash") != current
            failed = (pod.get("status") or {}).get("phase") == "Failed"
            if old or failed:
                self._delete(found, pod)
            if not pods.is_ready(pod):
                return

    def _delete(self, found: Json, pod: Json) -> None:
        if pod["metadata"].get("deletionTimestamp"):
            return
        name = pod["metadata"]["name"]
        text = f"Delete Pod {name} in StatefulSet {found['metadata']['name']} successful"
        STATEFUL_SETS.tell(self._cluster, found, "Normal", "SuccessfulDelete", text)
        deleting.remove_at_once(self._cluster, "pods", pod)

    def _create(self, key: Key, found: Json, index: int) -> None:
        uid, store = found["metadata"]["uid"], self._cluster.store
        pod = pods.made(found, index)
        name = pod["metadata"]["name"]
        if store.get("pods", key[0], name) is not None:
            return
        pod = defaults.filled(self._cluster, "Pod", pod)
        try:
            admission.check_namespace(self._cluster, BY_KEY["pods"], key[0], name)
            admission.check_create(self._cluster, BY_KEY["pods"], pod)
        except Refusal as refusal:
            text = f"Create Pod {name} in StatefulSet {key[1]} failed error: {refusal.message}"
            STATEFUL_SETS.tell(self._cluster, found, "Warning", "FailedCreate", text)
            self._failures[uid] = self._failures.get(uid, 0) + 1
            self._look.ask(key, min(0.01 * 2 ** self._failures[uid], _MOST_SECONDS))
            return
        self._failures.pop(uid, None)
        stamped = {"uid": self._cluster.uid(), "creationTimestamp": self._cluster.clock.stamp(), "generation": 1}
        store.put("pods", pod | {"metadata": pod["metadata"] | stamped})
        text = f"Create Pod {name} in StatefulSet {key[1]} successful"
        STATEFUL_SETS.tell(self._cluster, found, "Normal", "SuccessfulCreate", text)

    def _count(self, key: Key, mine: dict[int, Json]) -> None:
        def change(value: Json) -> None:
            current = pods.revision(value)
            ready = sum(pods.is_ready(pod) for pod in mine.values())
            lasting = [pod for pod in mine.values() if not pod["metadata"].get("deletionTimestamp")]
            new = [pod for pod in lasting if pod["metadata"]["labels"].get("controller-revision-hash") == current]
            before = (value.get("status") or {}).get("currentRevision", current)
            done = len(new) == len(mine) and ready == len(mine)
            status = {
                "observedGeneration": value["metadata"]["generation"],
                "replicas": len(mine),
                "currentRevision": current if done or not before else before,
                "updateRevision": current,
                "collisionCount": 0,
                "availableReplicas": ready,
            }
            if ready:
                status["readyReplicas"] = ready
            if new:
                status["updatedReplicas"] = len(new)
            same = [pod for pod in lasting if _revision(pod) == status["currentRevision"]]
            if same:
                status["currentReplicas"] = len(same)
            value["status"] = status

        self._cluster.store.edit(_SETS, *key, change)


def _revision(pod: Json) -> str:
    return str(pod["metadata"]["labels"].get("controller-revision-hash"))
