"""The garbage collector: dependents go with their owners, and owners that wait for them go after."""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING, Any

from fake_cluster import deleting
from fake_cluster.resources import BY_KIND
from fake_cluster.store import Change

if TYPE_CHECKING:
    from fake_cluster.cluster import FakeCluster

Json = dict[str, Any]
Key = tuple[str, str, str]


class Garbage:
    """Looks at objects some time after they changed; `seconds` is how long after, at the recorded pace."""

    def __init__(self, cluster: FakeCluster, seconds: float = 0.03) -> None:
        self.seconds = seconds
        self._cluster = cluster
        self._dependents: dict[str, set[Key]] = defaultdict(set)
        self._waiting: set[Key] = set()
        cluster.store.listeners.append(self._noticed)

    def _noticed(self, change: Change) -> None:
        metadata = change.object["metadata"]
        key = (change.resource, metadata.get("namespace", ""), metadata["name"])
        for reference in metadata.get("ownerReferences") or []:
            owned = self._dependents[reference["uid"]]
            (owned.discard if change.type == "DELETED" else owned.add)(key)
        owners = [reference["uid"] for reference in metadata.get("ownerReferences") or []]
        if change.type == "DELETED":
            for dependent in list(self._dependents.get(metadata["uid"], ())):
                self._look_at(dependent)
            self._look_at_owners(metadata.get("namespace", ""), metadata.get("ownerReferences") or [])
        elif owners or metadata.get("deletionTimestamp"):
            self._look_at(key)

    def _look_at_owners(self, namespace: str, references: list[Json]) -> None:
        for reference in references:
            resource = BY_KIND.get((reference["apiVersion"], reference["kind"]))
            if resource:
                self._look_at((resource.key, namespace if resource.namespaced else "", reference["name"]))

    def _look_at(self, key: Key) -> None:
        if key not in self._waiting:
            self._waiting.add(key)
            self._cluster.clock.later(self.seconds, lambda: self._collect(key))

    def _collect(self, key: Key) -> None:
        self._waiting.discard(key)
        found = self._cluster.store.get(*key)
        if found is None:
            return
        finalizers = found["metadata"].get("finalizers") or []
        if deleting.ORPHAN in finalizers and found["metadata"].get("deletionTimestamp"):
            self._orphan(key, found)
        elif deleting.FOREGROUND in finalizers and found["metadata"].get("deletionTimestamp"):
            self._delete_dependents(key, found)
        elif found["metadata"].get("ownerReferences") and not found["metadata"].get("deletionTimestamp"):
            self._check_owners(key, found)

    def _orphan(self, key: Key, owner: Json) -> None:
        uid = owner["metadata"]["uid"]
        for dependent in list(self._dependents.pop(uid, ())):
            self._cluster.store.edit(*dependent, lambda value: _without_owners(value, {uid}))
        deleting.drop_finalizer(self._cluster, key[0], owner, deleting.ORPHAN)

    def _delete_dependents(self, key: Key, owner: Json) -> None:
        uid = owner["metadata"]["uid"]
        found = [(dependent, self._cluster.store.get(*dependent)) for dependent in self._dependents.get(uid, set())]
        blocking = False
        for dependent, value in found:
            if value is None:
                continue
            blocking = blocking or _blocks(value, uid)
            if not value["metadata"].get("deletionTimestamp"):
                deleting.remove_at_once(self._cluster, dependent[0], value)
                blocking = blocking and self._cluster.store.get(*dependent) is not None
        if not blocking:
            deleting.drop_finalizer(self._cluster, key[0], owner, deleting.FOREGROUND)

    def _check_owners(self, key: Key, value: Json) -> None:
        references = value["metadata"]["ownerReferences"]
        dead = {reference["uid"] for reference in references if not self._alive(reference, key[1])}
        if len(dead) == len(references):
            deleting.remove_at_once(self._cluster, key[0], value)
        elif dead:
            self._cluster.store.edit(*key, lambda found: _without_owners(found, dead))

    def _alive(self, reference: Json, namespace: str) -> bool:
        resource = BY_KIND.get((reference["apiVersion"], reference["kind"]))
        if resource is None:
            return True
        owner = self._cluster.store.get(resource.key, namespace if resource.namespaced else "", reference["name"])
        return owner is not None and owner["metadata"]["uid"] == reference["uid"]


def _blocks(value: Json, uid: str) -> bool:
    references = value["metadata"].get("ownerReferences") or []
    return any(reference["uid"] == uid and reference.get("blockOwnerDeletion") for reference in references)


def _without_owners(value: Json, uids: set[str]) -> None:
    references = value["metadata"].get("ownerReferences") or []
    left = [reference for reference in references if reference["uid"] not in uids]
    if left:
        value["metadata"]["ownerReferences"] = left
    else:
        value["metadata"].pop("ownerReferences", None)
