"""The controllers: each hears of every change and acts some time later, at the recorded pace."""

from __future__ import annotations

from typing import TYPE_CHECKING

from fake_cluster.controllers.claims import Claims
from fake_cluster.controllers.kubelet import Kubelet
from fake_cluster.controllers.namespaces import Namespaces
from fake_cluster.controllers.scheduler import Scheduler
from fake_cluster.controllers.services import Services
from fake_cluster.controllers.stateful_sets import StatefulSets
from fake_cluster.store import Change

if TYPE_CHECKING:
    from fake_cluster.cluster import FakeCluster


class Controllers:
    """All of them."""

    def __init__(self, cluster: FakeCluster) -> None:
        self.namespaces = Namespaces(cluster)
        self.claims = Claims(cluster)
        self.services = Services(cluster)
        self.stateful_sets = StatefulSets(cluster)
        self.scheduler = Scheduler(cluster)
        self.kubelet = Kubelet(cluster)
        self._cluster = cluster

    def start(self) -> None:
        """Hear of changes from now on."""
        self._cluster.store.listeners.append(self._noticed)

    def stop(self) -> None:
        """End whatever runs behind pods."""
        self._cluster.store.listeners.remove(self._noticed)
        self.kubelet.stop()

    def _noticed(self, change: Change) -> None:
        for each in (
            *(self.namespaces, self.claims, self.services, self.stateful_sets),
            *(self.scheduler, self.kubelet),
        ):
            each.noticed(change)
