"""The resources that are served, their discovery documents, and how a path names one."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

VERBS = ["create", "delete", "deletecollection", "get", "list", "patch", "update", "watch"]
VERSION = {
    "major": "1",
    "minor": "36",
    "emulationMajor": "1",
    "emulationMinor": "36",
    "gitVersion": "v1.36.0",
    "gitCommit": "0000000000000000000000000000000000000000",
    "gitTreeState": "clean",
    "buildDate": "2026-04-22T00:00:00Z",
    "goVersion": "go1.26",
    "compiler": "gc",
    "platform": "linux/amd64",
}


@dataclass(frozen=True)
class Resource:
    """One resource; `key` is how the store, rights and counts name it (`statefulsets.apps`)."""

    group: str
    plural: str
    kind: str
    namespaced: bool = True
    subresources: tuple[tuple[str, str], ...] = ()
    reviewed: bool = False
    has_generation: bool = False
    version: str = "v1"

    @property
    def key(self) -> str:
        return f"{self.plural}.{self.group}" if self.group else self.plural

    @property
    def api_version(self) -> str:
        return f"{self.group}/{self.version}" if self.group else self.version

    @property
    def has_status(self) -> bool:
        return any(name == "status" for name, _ in self.subresources)


def _with_status(kind: str, *more: tuple[str, str]) -> tuple[tuple[str, str], ...]:
    return (("status", kind), *more)


_POD_PARTS = (("log", "Pod"), ("portforward", "PodPortForwardOptions"), ("exec", "PodExecOptions"))

RESOURCES = (
    Resource("", "namespaces", "Namespace", namespaced=False, subresources=_with_status("Namespace")),
    Resource("", "nodes", "Node", namespaced=False, subresources=_with_status("Node")),
    Resource("", "persistentvolumes", "PersistentVolume", False, _with_status("PersistentVolume")),
    Resource("", "configmaps", "ConfigMap"),
    Resource("", "secrets", "Secret"),
    Resource("", "serviceaccounts", "ServiceAccount"),
    Resource("", "events", "Event"),
    Resource("", "endpoints", "Endpoints"),
    Resource("", "limitranges", "LimitRange"),
    Resource("", "resourcequotas", "ResourceQuota", subresources=_with_status("ResourceQuota")),
    Resource("", "services", "Service", subresources=_with_status("Service")),
    Resource("", "persistentvolumeclaims", "PersistentVolumeClaim", True, _with_status("PersistentVolumeClaim")),
    Resource("", "pods", "Pod", True, _with_status("Pod", *_POD_PARTS), has_generation=True),
    Resource("apps", "statefulsets", "StatefulSet", True, _with_status("StatefulSet", ("scale", "Scale")), False, True),
    Resource("apps", "deployments", "Deployment", True, _with_status("Deployment", ("scale", "Scale")), False, True),
    Resource("batch", "jobs", "Job", True, _with_status("Job"), has_generation=True),
    Resource("networking.k8s.io", "networkpolicies", "NetworkPolicy", has_generation=True),
    Resource("discovery.k8s.io", "endpointslices", "EndpointSlice", has_generation=True),
    Resource("storage.k8s.io", "storageclasses", "StorageClass", namespaced=False),
    Resource("policy", "poddisruptionbudgets", "PodDisruptionBudget", True, _with_status("PodDisruptionBudget")),
    Resource("rbac.authorization.k8s.io", "roles", "Role"),
    Resource("rbac.authorization.k8s.io", "rolebindings", "RoleBinding"),
    Resource("rbac.authorization.k8s.io", "clusterroles", "ClusterRole", namespaced=False),
    Resource("rbac.authorization.k8s.io", "clusterrolebindings", "ClusterRoleBinding", namespaced=False),
    Resource("authorization.k8s.io", "selfsubjectaccessreviews", "SelfSubjectAccessReview", False, reviewed=True),
    Resource("authentication.k8s.io", "selfsubjectreviews", "SelfSubjectReview", False, reviewed=True),
)

BY_KEY = {resource.key: resource for resource in RESOURCES}
BY_KIND = {(resource.api_version, resource.kind): resource for resource in RESOURCES}
_BY_PATH = {(resource.group, resource.version, resource.plural): resource for resource in RESOURCES}


@dataclass(frozen=True)
class Route:
    """What a path names; `name` is empty for a collection, `namespace` for all of them."""

    resource: Resource
    namespace: str = ""
    name: str = ""
    subresource: str = ""


def route(path: str) -> Route | None:
    """The route of `path`; None when no resource has it."""
    parts = [part for part in path.split("/") if part]
    group, rest = ("", parts[1:]) if parts[:1] == ["api"] else (parts[1] if len(parts) > 1 else "", parts[2:])
    if not rest:
        return None
    version, rest = rest[0], rest[1:]
    namespace = ""
    if rest[:1] == ["namespaces"] and len(rest) > 2 and rest[2] not in {"status", "finalize"}:
        namespace, rest = rest[1], rest[2:]
    resource = _BY_PATH.get((group, version, rest[0])) if rest else None
    if resource is None or len(rest) > 3:
        return None
    return Route(resource, namespace, *rest[1:])


def discovery(path: str) -> dict[str, Any] | None:
    """The document at `path`, when it is one of discovery."""
    groups = sorted({resource.group for resource in RESOURCES if resource.group})
    documents: dict[str, Callable[[], dict[str, Any]]] = {
        "/version": lambda: VERSION,
        "/api": lambda: {"kind": "APIVersions", "versions": ["v1"]},
        "/api/v1": lambda: _list(""),
        "/apis": lambda: {"kind": "APIGroupList", "apiVersion": "v1", "groups": [_group(name) for name in groups]},
    }
    for name in groups:
        documents[f"/apis/{name}"] = lambda name=name: {"kind": "APIGroup", "apiVersion": "v1"} | _group(name)
        documents[f"/apis/{name}/v1"] = lambda name=name: _list(name)
    found = documents.get(path.rstrip("/"))
    return found() if found else None


def _group(group: str) -> dict[str, Any]:
    version = {"groupVersion": f"{group}/v1", "version": "v1"}
    return {"name": group, "versions": [version], "preferredVersion": version}


def _list(group: str) -> dict[str, Any]:
    served = [resource for resource in RESOURCES if resource.group == group]
    entries = [entry for resource in served for entry in _entries(resource)]
    version = f"{group}/v1" if group else "v1"
    return {"kind": "APIResourceList", "apiVersion": "v1", "groupVersion": version, "resources": entries}


def _entries(resource: Resource) -> list[dict[str, Any]]:
    verbs = ["create"] if resource.reviewed else VERBS
    entry = {"name": resource.plural, "singularName": resource.kind.lower(), "namespaced": resource.namespaced}
    entries = [entry | {"kind": resource.kind, "verbs": verbs}]
    for name, kind in resource.subresources:
        verbs = {"log": ["get"], "portforward": ["create", "get"], "exec": ["create", "get"]}.get(
            name, ["get", "patch", "update"]
        )
        part = {"name": f"{resource.plural}/{name}", "singularName": "", "namespaced": resource.namespaced}
        entries.append(part | {"kind": kind, "verbs": verbs})
    return entries
