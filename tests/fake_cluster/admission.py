"""What is refused though it is valid: namespaces that end, quotas, limit ranges, Pod Security, policies."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from fake_cluster import pod_security, quantities
from fake_cluster.answers import Refusal, forbidden, not_found
from fake_cluster.resources import Resource

if TYPE_CHECKING:
    from fake_cluster.cluster import FakeCluster

Json = dict[str, Any]


def check_namespace(cluster: FakeCluster, resource: Resource, namespace: str, name: str) -> None:
    """Refuse a create where the namespace is absent (404) or ending (403)."""
    found = cluster.store.get("namespaces", "", namespace)
    if found is None:
        raise not_found("namespaces", "", namespace)
    if found["metadata"].get("deletionTimestamp"):
        why = f"unable to create new content in namespace {namespace} because it is being terminated"
        text = f"namespace {namespace} is being terminated"
        cause = {"reason": "NamespaceTerminating", "message": text, "field": "metadata.namespace"}
        raise forbidden(resource.plural, resource.group, name, why, causes=[cause])


def check_create(cluster: FakeCluster, resource: Resource, value: Json) -> None:
    """Refuse (403) what quotas, limits, Pod Security or a policy of the test don't admit."""
    for policy in cluster.policies:
        refusal = policy(resource.kind, value)
        if refusal:
            raise refusal
    if resource.kind == "Pod":
        _check_pod_security(cluster, value)
        _check_limits(cluster, value)
    if resource.kind in {"Pod", "PersistentVolumeClaim"}:
        _check_quota(cluster, resource, value)


def warnings(cluster: FakeCluster, resource: Resource, value: Json) -> list[str]:
    """What the `Warning` headers of an answer say: a StatefulSet whose pods Pod Security won't admit."""
    if resource.kind not in {"StatefulSet", "Deployment", "Job"}:
        return []
    namespace = cluster.store.get("namespaces", "", value["metadata"]["namespace"])
    level = pod_security.level(namespace, "warn") or pod_security.level(namespace, "enforce")
    found = pod_security.violations(value["spec"]["template"]["spec"], level) if level else ""
    return [f'would violate PodSecurity "{level}:latest": {found}'] if found else []


def _check_pod_security(cluster: FakeCluster, pod: Json) -> None:
    level = pod_security.level(cluster.store.get("namespaces", "", pod["metadata"]["namespace"]), "enforce")
    found = pod_security.violations(pod["spec"], level) if level else ""
    if found:
        raise forbidden("pods", "", pod["metadata"]["name"], f'violates PodSecurity "{level}:latest": {found}')


def _check_limits(cluster: FakeCluster, pod: Json) -> None:
    for limit_range in cluster.store.list("limitranges", pod["metadata"]["namespace"]):
        for limit in limit_range["spec"]["limits"]:
            if limit.get("type") == "Container":
                for container in pod["spec"]["containers"]:
                    _check_limit(pod["metadata"]["name"], limit, container.get("resources") or {})


def _check_limit(name: str, limit: Json, resources: Json) -> None:
    for resource, most in (limit.get("max") or {}).items():
        given = (resources.get("limits") or {}).get(resource)
        if given is not None and quantities.number(given) > quantities.number(most):
            why = f"maximum {resource} usage per Container is {most}, but limit is {given}"
            raise forbidden("pods", "", name, why)
    for resource, least in (limit.get("min") or {}).items():
        given = (resources.get("requests") or {}).get(resource)
        if given is not None and quantities.number(given) < quantities.number(least):
            why = f"minimum {resource} usage per Container is {least}, but request is {given}"
            raise forbidden("pods", "", name, why)


def _check_quota(cluster: FakeCluster, resource: Resource, value: Json) -> None:
    namespace = value["metadata"]["namespace"]
    wanted = _usage(resource.kind, value)
    others = cluster.store.list(resource.key, namespace)
    for quota in cluster.store.list("resourcequotas", namespace):
        hard = (quota.get("spec") or {}).get("hard") or {}
        over = []
        for name, amount in wanted.items():
            used = sum(quantities.number(_usage(resource.kind, other).get(name)) for other in others)
            if name in hard and used + quantities.number(amount) > quantities.number(hard[name]):
                over.append((name, amount, _told(name, used), hard[name]))
        if over:
            raise _over_quota(resource, value, quota["metadata"]["name"], over)


def _told(name: str, used: Any) -> str:
    if not used:
        return "0"
    units = ("Gi", "Mi", "Ki") if name.endswith(("memory", "storage")) else ()
    for unit in units:
        if used % quantities.number(f"1{unit}") == 0:
            return f"{int(used / quantities.number(f'1{unit}'))}{unit}"
    return f"{int(used)}" if used == int(used) else f"{int(used * 1000)}m"


def _over_quota(resource: Resource, value: Json, quota: str, over: list[tuple[str, Any, str, Any]]) -> Refusal:
    requested = ",".join(f"{name}={amount}" for name, amount, _, _ in over)
    used = ",".join(f"{name}={amount}" for name, _, amount, _ in over)
    limited = ",".join(f"{name}={amount}" for name, _, _, amount in over)
    why = f"exceeded quota: {quota}, requested: {requested}, used: {used}, limited: {limited}"
    return forbidden(resource.plural, resource.group, value["metadata"]["name"], why)


def _usage(kind: str, value: Json) -> Json:
    if kind == "PersistentVolumeClaim":
        size = value["spec"]["resources"]["requests"]["storage"]
        return {"requests.storage": size, "persistentvolumeclaims": "1"}
    usage: Json = {"pods": "1"}
    for container in value["spec"]["containers"]:
        for name in ("requests", "limits"):
            for resource, amount in ((container.get("resources") or {}).get(name) or {}).items():
                usage[f"{name}.{resource}"] = amount
    return usage


Policy = Callable[[str, Json], "Refusal | None"]
