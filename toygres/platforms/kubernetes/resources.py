"""The kinds of object that are talked about with Kubernetes, and the paths under which its API has them.

They are written down here, not discovered: the API of each supported version (1.28 and later) has all of them under
these names, and asking for them costs requests, a cache file, and one more thing that can fail.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

from toygres.errors import Bug


@dataclass(frozen=True)
class Resource:
    """A kind of object: `v1`, `Secret`, `secrets`."""

    api_version: str
    kind: str
    plural: str
    namespaced: bool = True

    @property
    def group(self) -> str:
        """The API group; empty for the core one."""
        return self.api_version.rpartition("/")[0]

    def path(self, namespace: str | None = None, name: str | None = None, subresource: str | None = None) -> str:
        """Where the API has these objects, or the one of that name, or a part of it (`log`, `portforward`)."""
        parts = ["apis" if self.group else "api", *self.api_version.split("/")]
        if self.namespaced and namespace:
            parts += ["namespaces", namespace]
        parts += [self.plural, *(part for part in (name, subresource) if part)]
        return "/" + "/".join(quote(part, safe="") for part in parts)

    def named(self, metadata: Mapping[str, Any]) -> str:
        """An object of this kind as a person would name it: `StatefulSet demo`."""
        return f"{self.kind} {metadata.get('name', '(without a name)')}"


CONFIG_MAPS = Resource("v1", "ConfigMap", "configmaps")
EVENTS = Resource("v1", "Event", "events")
NAMESPACES = Resource("v1", "Namespace", "namespaces", namespaced=False)
PODS = Resource("v1", "Pod", "pods")
SECRETS = Resource("v1", "Secret", "secrets")
SERVICES = Resource("v1", "Service", "services")
SERVICE_ACCOUNTS = Resource("v1", "ServiceAccount", "serviceaccounts")
VOLUME_CLAIMS = Resource("v1", "PersistentVolumeClaim", "persistentvolumeclaims")
STATEFUL_SETS = Resource("apps/v1", "StatefulSet", "statefulsets")
NETWORK_POLICIES = Resource("networking.k8s.io/v1", "NetworkPolicy", "networkpolicies")
STORAGE_CLASSES = Resource("storage.k8s.io/v1", "StorageClass", "storageclasses", namespaced=False)
ACCESS_REVIEWS = Resource(
    "authorization.k8s.io/v1", "SelfSubjectAccessReview", "selfsubjectaccessreviews", namespaced=False
)

ALL = (
    CONFIG_MAPS,
    EVENTS,
    NAMESPACES,
    PODS,
    SECRETS,
    SERVICES,
    SERVICE_ACCOUNTS,
    VOLUME_CLAIMS,
    STATEFUL_SETS,
    NETWORK_POLICIES,
    STORAGE_CLASSES,
    ACCESS_REVIEWS,
)

# What an instance consists of, in the order in which it is deleted, but that the anchor, a ConfigMap, goes last of all;
# its pod belongs to its StatefulSet.
OF_AN_INSTANCE = (SERVICES, STATEFUL_SETS, VOLUME_CLAIMS, SECRETS, CONFIG_MAPS, NETWORK_POLICIES)

_BY_KIND = {(resource.api_version, resource.kind): resource for resource in ALL}


def of(body: Mapping[str, Any]) -> Resource:
    """The kind of a manifest. Raises Bug for one that isn't known here."""
    known = _BY_KIND.get((str(body.get("apiVersion")), str(body.get("kind"))))
    if known is None:
        raise Bug(f"no resource is known for {body.get('apiVersion')} {body.get('kind')}")
    return known
