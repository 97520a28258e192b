"""Services: their EndpointSlice, and the load balancer's address."""

from __future__ import annotations

import secrets
from typing import TYPE_CHECKING, Any

from fake_cluster import pods, seeds
from fake_cluster.controllers.soon import Soon
from fake_cluster.events import SERVICES
from fake_cluster.store import Change

if TYPE_CHECKING:
    from fake_cluster.cluster import FakeCluster

Json = dict[str, Any]
Key = tuple[str, str]


class Services:
    """Keeps slices to the pods; `balancer_seconds` until a load balancer has its address, None for never."""

    def __init__(self, cluster: FakeCluster) -> None:
        self.balancer_seconds: float | None = 3.0
        self._cluster = cluster
        self._look = Soon(cluster.clock, self._looked)

    def noticed(self, change: Change) -> None:
        namespace = change.object["metadata"].get("namespace", "")
        if change.resource == "services" and change.type != "DELETED":
            key = (namespace, change.object["metadata"]["name"])
            self._look.ask(key, 0.015)
            if change.object["spec"]["type"] == "LoadBalancer" and not _balanced(change.object):
                self._balance_later(key)
        elif change.resource == "services":
            self._cluster.network.withdraw(change.object["spec"].get("clusterIP", ""))
        elif change.resource == "pods" and _matters(change):
            for service in self._cluster.store.list("services", namespace):
                if pods.selected(service, change.object):
                    self._look.ask((namespace, service["metadata"]["name"]), 0.01)

    def _looked(self, key: Key) -> None:
        service = self._cluster.store.get("services", *key)
        if service is None or not service["spec"].get("selector") or service["metadata"].get("deletionTimestamp"):
            return
        found = [pod for pod in self._cluster.store.list("pods", key[0]) if pods.selected(service, pod)]
        endpoints = [_endpoint(pod) for pod in found if _has_endpoint(pod)]
        old = self._slice_of(service)
        if old is None:
            self._make_slice(service, endpoints)
        elif (old.get("endpoints") or []) != endpoints:
            self._change_slice(service, old, endpoints)
        self._serve(service, found)

    def _serve(self, service: Json, found: list[Json]) -> None:
        ready = [pod for pod in found if pods.is_ready(pod) and not pod["metadata"].get("deletionTimestamp")]
        for port in service["spec"]["ports"]:
            target = port["targetPort"] if isinstance(port["targetPort"], int) else port["port"]
            uids = [pod["metadata"]["uid"] for pod in ready]
            self._cluster.network.publish(
                self._cluster, service["spec"].get("clusterIP", ""), port["port"], target, uids
            )

    def _slice_of(self, service: Json) -> Json | None:
        for value in self._cluster.store.list("endpointslices.discovery.k8s.io", service["metadata"]["namespace"]):
            owners = value["metadata"].get("ownerReferences") or []
            if any(owner["uid"] == service["metadata"]["uid"] for owner in owners):
                return value
        return None

    def _make_slice(self, service: Json, endpoints: list[Json]) -> None:
        metadata = service["metadata"]
        labels = (metadata.get("labels") or {}) | {
            "endpointslice.kubernetes.io/managed-by": "endpointslice-controller.k8s.io",
            "kubernetes.io/service-name": metadata["name"],
        }
        owner = {"apiVersion": "v1", "kind": "Service", "name": metadata["name"], "uid": metadata["uid"]}
        made = {
            "metadata": {
                "name": f"{metadata['name']}-{secrets.token_hex(3)[:5]}",
                "generateName": f"{metadata['name']}-",
                "namespace": metadata["namespace"],
                "labels": labels,
                "ownerReferences": [owner | {"controller": True, "blockOwnerDeletion": True}],
            },
            "addressType": "IPv4",
            "endpoints": endpoints or None,
            "ports": _ports(service) if endpoints else None,
        }
        seeds.make(self._cluster, "endpointslices.discovery.k8s.io", made)

    def _change_slice(self, service: Json, old: Json, endpoints: list[Json]) -> None:
        metadata = old["metadata"] | {"generation": old["metadata"]["generation"] + 1}
        changed = {"metadata": metadata, "endpoints": endpoints or None}
        ports = _ports(service) if endpoints else None
        self._cluster.store.put("endpointslices.discovery.k8s.io", old | changed | {"ports": ports})

    def _balance_later(self, key: Key) -> None:
        service = self._cluster.store.get("services", *key)
        if service is not None and self.balancer_seconds is not None:
            SERVICES.tell(self._cluster, service, "Normal", "EnsuringLoadBalancer", "Ensuring load balancer")
            self._cluster.clock.later(self.balancer_seconds, lambda: self._balance(key))

    def _balance(self, key: Key) -> None:
        service = self._cluster.store.get("services", *key)
        if service is None or service["spec"]["type"] != "LoadBalancer" or _balanced(service):
            return
        address = (
            service["spec"]["clusterIP"] if self._cluster.network.services else self._cluster.network.service_address()
        )
        status = {"loadBalancer": {"ingress": [{"ip": address, "ipMode": "VIP"}]}}
        stored = self._cluster.store.put("services", service | {"status": status})
        SERVICES.tell(self._cluster, stored, "Normal", "EnsuredLoadBalancer", "Ensured load balancer")


def _matters(change: Change) -> bool:
    before, after = change.before, change.object
    if change.type != "MODIFIED" or before is None:
        return True
    labels = before["metadata"].get("labels") != after["metadata"].get("labels")
    return labels or _has_endpoint(before) != _has_endpoint(after) or _seen(before) != _seen(after)


def _seen(pod: Json) -> tuple[bool, bool, str]:
    deleted = "deletionTimestamp" in pod["metadata"]
    return pods.is_ready(pod), deleted, (pod.get("status") or {}).get("podIP", "")


def _balanced(service: Json) -> bool:
    return bool((service.get("status") or {}).get("loadBalancer", {}).get("ingress"))


def _has_endpoint(pod: Json) -> bool:
    status = pod.get("status") or {}
    return bool(status.get("podIP")) and status.get("phase") not in {"Succeeded", "Failed"}


def _endpoint(pod: Json) -> Json:
    metadata, ready = pod["metadata"], pods.is_ready(pod)
    ending = bool(metadata.get("deletionTimestamp"))
    target = {"kind": "Pod", "namespace": metadata["namespace"], "name": metadata["name"], "uid": metadata["uid"]}
    return {
        "addresses": [pod["status"]["podIP"]],
        "conditions": {"ready": ready and not ending, "serving": ready, "terminating": ending},
        "hostname": pod["spec"].get("hostname", metadata["name"]),
        "targetRef": target,
        "nodeName": pod["spec"].get("nodeName"),
    }


def _ports(service: Json) -> list[Json]:
    return [
        {"name": port.get("name", ""), "protocol": port["protocol"], "port": port["targetPort"]}
        for port in service["spec"]["ports"]
    ]
