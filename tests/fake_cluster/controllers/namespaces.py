"""Namespaces: what each has from the beginning, and how one ends."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from fake_cluster import deleting, seeds
from fake_cluster.controllers.soon import Soon
from fake_cluster.store import Change

if TYPE_CHECKING:
    from fake_cluster.cluster import FakeCluster

Json = dict[str, Any]


class Namespaces:
    """Fills new namespaces and empties those that end."""

    def __init__(self, cluster: FakeCluster) -> None:
        self._cluster = cluster
        self._fill = Soon(cluster.clock, self._filled)
        self._empty = Soon(cluster.clock, self._emptied)

    def noticed(self, change: Change) -> None:
        metadata = change.object["metadata"]
        if change.resource == "namespaces" and change.type == "ADDED":
            self._fill.ask(("", metadata["name"]), 0.01)
        elif change.resource == "namespaces" and metadata.get("deletionTimestamp"):
            self._empty.ask(("", metadata["name"]), 0.05)
        elif change.type == "DELETED" and self._ends(metadata.get("namespace", "")):
            self._empty.ask(("", metadata["namespace"]), 0.05)

    def _ends(self, name: str) -> bool:
        found = self._cluster.store.get("namespaces", "", name) if name else None
        return bool(found and found["metadata"].get("deletionTimestamp"))

    def _filled(self, key: tuple[str, str]) -> None:
        name = key[1]
        if self._cluster.store.get("namespaces", "", name) and not self._ends(name):
            if not self._cluster.store.get("serviceaccounts", name, "default"):
                seeds.make(self._cluster, "serviceaccounts", {"metadata": {"name": "default", "namespace": name}})
            root = {"metadata": {"name": "kube-root-ca.crt", "namespace": name}, "data": {"ca.crt": "fake"}}
            seeds.make(self._cluster, "configmaps", root)

    def _emptied(self, key: tuple[str, str]) -> None:
        name, store = key[1], self._cluster.store
        found = store.get("namespaces", "", name)
        if found is None or not found["metadata"].get("deletionTimestamp"):
            return
        inside = [(kind, value) for kind, value in store.everything() if value["metadata"].get("namespace") == name]
        if not inside:
            store.remove("namespaces", found)
            return
        for kind, value in inside:
            if not value["metadata"].get("deletionTimestamp"):
                deleting.remove_at_once(self._cluster, kind, value)
        self._empty.ask(key, 0.2)
