"""What a cluster has from the beginning: namespaces, a node, storage classes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from fake_cluster import defaults
from fake_cluster.resources import BY_KEY

if TYPE_CHECKING:
    from fake_cluster.cluster import FakeCluster

Json = dict[str, Any]
NODE = "lab"
PROVISIONER = "kubernetes.io/host-path"


def plant(cluster: FakeCluster) -> None:
    """Make them."""
    for name in ("default", "kube-system"):
        make(cluster, "namespaces", {"metadata": {"name": name}})
    default = {"storageclass.kubernetes.io/is-default-class": "true"}
    storage_class(cluster, "standard", annotations=default)
    ready = {"type": "Ready", "status": "True", "reason": "KubeletReady", "message": "kubelet is posting ready status"}
    size = {"cpu": "4", "memory": "16Gi", "pods": "110", "ephemeral-storage": "100Gi"}
    address = {"type": "InternalIP", "address": "10.88.0.1"}
    status = {"capacity": size, "allocatable": size, "conditions": [ready], "addresses": [address]}
    labels = {"kubernetes.io/hostname": NODE, "kubernetes.io/os": "linux"}
    make(cluster, "nodes", {"metadata": {"name": NODE, "labels": labels}, "spec": {}, "status": status})


def storage_class(cluster: FakeCluster, name: str, *, annotations: Json | None = None, **more: Any) -> Json:
    """Make a storage class; `more` are its fields (`volumeBindingMode`, `allowVolumeExpansion`, …)."""
    fields = {"provisioner": PROVISIONER, "reclaimPolicy": "Delete", "volumeBindingMode": "Immediate"} | more
    metadata: Json = {"name": name} | ({"annotations": annotations} if annotations else {})
    return make(cluster, "storageclasses.storage.k8s.io", {"metadata": metadata} | fields)


def make(cluster: FakeCluster, key: str, value: Json) -> Json:
    """Store an object as a controller does, past admission; raises nothing when it exists, but replaces it."""
    resource = BY_KEY[key]
    value = {"kind": resource.kind, "apiVersion": resource.api_version} | value
    value = defaults.filled(cluster, resource.kind, value)
    stamped = {"uid": cluster.uid(), "creationTimestamp": cluster.clock.stamp()}
    if resource.has_generation:
        stamped["generation"] = 1
    with cluster.store.lock:
        return cluster.store.put(key, value | {"metadata": value["metadata"] | stamped})
