"""Events as the cluster's components write them: repeated ones are counted up."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from fake_cluster.seeds import NODE

if TYPE_CHECKING:
    from fake_cluster.cluster import FakeCluster

Json = dict[str, Any]
SCHEDULER = "default-scheduler"


@dataclass(frozen=True)
class Reporter:
    """A component that writes events; the kubelet names its node."""

    component: str
    host: str = ""

    def tell(self, cluster: FakeCluster, about: Json, kind: str, reason: str, message: str, field: str = "") -> None:
        """Write an event about an object, or count up the one that says the same."""
        involved = _involved(about, field)
        name = involved["name"]
        said_before = (involved["uid"], reason, message)
        old = cluster.store.get("events", involved.get("namespace", "default"), cluster.told.get(said_before, ""))
        if old is not None and old.get("count"):
            again = {"count": old["count"] + 1, "lastTimestamp": cluster.clock.stamp()}
            cluster.store.put("events", old | again)
            return
        metadata = {
            "name": f"{name}.{time.time_ns() + cluster.number():x}",
            "namespace": involved.get("namespace", "default"),
            "uid": cluster.uid(),
            "creationTimestamp": cluster.clock.stamp(),
        }
        cluster.told[said_before] = metadata["name"]
        said = {"reason": reason, "message": message, "type": kind}
        event = {"kind": "Event", "apiVersion": "v1", "metadata": metadata, "involvedObject": involved} | said
        cluster.store.put("events", event | self._times(cluster))

    def _times(self, cluster: FakeCluster) -> Json:
        if self.component == SCHEDULER:
            # Events of the scheduler have no count and no timestamps but this one.
            micro = cluster.clock.stamp(micro=True)
            times: Json = {"source": {}, "firstTimestamp": None, "lastTimestamp": None, "eventTime": micro}
            return times | {"action": "Binding", "reportingComponent": SCHEDULER, "reportingInstance": "x"}
        source = {"component": self.component} | ({"host": self.host} if self.host else {})
        stamp = cluster.clock.stamp()
        times = {"source": source, "firstTimestamp": stamp, "lastTimestamp": stamp, "count": 1, "eventTime": None}
        return times | {"reportingComponent": self.component, "reportingInstance": self.host}


KUBELET = Reporter("kubelet", NODE)
STATEFUL_SETS = Reporter("statefulset-controller")
VOLUMES = Reporter("persistentvolume-controller")
NODES = Reporter("node-controller")
SERVICES = Reporter("service-controller")
SCHEDULING = Reporter(SCHEDULER)


def _involved(about: Json, field: str) -> Json:
    metadata = about["metadata"]
    kept = {"kind": about["kind"], "name": metadata["name"], "uid": metadata["uid"], "apiVersion": about["apiVersion"]}
    if metadata.get("namespace"):
        kept["namespace"] = metadata["namespace"]
    kept["resourceVersion"] = metadata["resourceVersion"]
    return kept | ({"fieldPath": field} if field else {})
