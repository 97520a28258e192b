"""A control plane on a namespace of its own of a real cluster."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from making_on_cluster import OnCluster

from toygres.platforms.kubernetes.calls import get
from toygres.platforms.kubernetes.client import Cluster, Request
from toygres.platforms.kubernetes.resources import PODS, Resource

QUOTAS = Resource("v1", "ResourceQuota", "resourcequotas")
LIMITS = Resource("v1", "LimitRange", "limitranges")


@dataclass
class Place(OnCluster):
    """A control plane on a namespace of its own."""

    cluster: Cluster = field(kw_only=True)
    namespace: str = field(kw_only=True)

    def make(self, resource: Resource, name: str, **parts: Any) -> None:
        """What an administrator makes in the namespace."""
        metadata = {"name": name, "namespace": self.namespace}
        body = {"apiVersion": resource.api_version, "kind": resource.kind, "metadata": metadata, **parts}
        self.cluster.send(Request(f"create {name}", "POST", resource.path(self.namespace), body=body))

    def take_away(self, resource: Resource, name: str) -> None:
        """What an administrator deletes there."""
        self.cluster.send(Request(f"delete {name}", "DELETE", resource.path(self.namespace, name)))

    def found(self, resource: Resource, name: str) -> Mapping[str, Any] | None:
        """An object of the namespace."""
        return get(self.cluster, resource, self.namespace, name)

    def uid(self, name: str, resource: Resource = PODS) -> str | None:
        """That of an object, or None."""
        found = self.found(resource, name)
        return None if found is None else str(found["metadata"]["uid"])

    def is_ready(self, name: str) -> bool:
        """Whether Kubernetes says that the instance's pod is ready."""
        conditions = (self.found(PODS, f"{name}-0") or {}).get("status", {}).get("conditions") or ()
        return any(each["type"] == "Ready" and each["status"] == "True" for each in conditions)
