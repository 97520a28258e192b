"""The end of every write: defaults, validation, admission, and the store."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from fake_cluster import admission, defaults, deleting, immutable, patching, validation
from fake_cluster.answers import Refusal, exists
from fake_cluster.calls import Call

if TYPE_CHECKING:
    from fake_cluster.cluster import FakeCluster

Json = dict[str, Any]


def made(cluster: FakeCluster, call: Call, value: Json) -> Json:
    """A new object, stored unless it is a dry run."""
    resource, namespace = call.route.resource, call.route.namespace
    name = value["metadata"]["name"]
    if resource.namespaced:
        admission.check_namespace(cluster, resource, namespace, name)
    for key in ("status",) if resource.has_status else ():
        value.pop(key, None)
    validation.check_quantities(resource, value)
    validation.check_complete(resource, value)
    value = defaults.filled(cluster, resource.kind, value)
    validation.check(resource, value)
    if cluster.store.get(resource.key, namespace, name) is not None:
        raise exists(resource.plural, resource.group, name)
    admission.check_create(cluster, resource, value)
    call.warnings += admission.warnings(cluster, resource, value)
    metadata = value["metadata"] | {"uid": cluster.uid(), "creationTimestamp": cluster.clock.stamp()}
    metadata.pop("resourceVersion", None)
    if resource.has_generation:
        metadata["generation"] = 1
    value = value | {"metadata": metadata}
    return value if call.dry else cluster.store.put(resource.key, value)


def changed(cluster: FakeCluster, call: Call, live: Json, value: Json, *, credit: bool = True) -> Json:
    """An object that took `live`'s place, unless it is the same or a dry run; `credit`: to who made the call."""
    resource = call.route.resource
    if call.route.subresource == "status":
        value = live | {"status": value.get("status")}
    elif resource.has_status and "status" in live:
        value = value | {"status": live["status"]}
    validation.check_quantities(resource, value)
    value = defaults.filled(cluster, resource.kind, value)
    immutable.check(cluster, resource, live, value)
    validation.check(resource, value)
    _policies(cluster, resource.kind, value)
    if credit:
        value = patching.credited(live, value, call.manager, cluster.clock.stamp())
    call.warnings += admission.warnings(cluster, resource, value)
    metadata = value["metadata"] | {"resourceVersion": live["metadata"]["resourceVersion"]}
    if resource.has_generation and live.get("spec") != value.get("spec"):
        metadata["generation"] = live["metadata"].get("generation", 1) + 1
    value = value | {"metadata": metadata}
    if call.dry or value == live:
        return live if value == live else value
    stored = cluster.store.put(resource.key, value)
    deleting.settle(cluster, resource.key, call.route.namespace, call.route.name)
    return stored


def _policies(cluster: FakeCluster, kind: str, value: Json) -> None:
    for policy in cluster.policies:
        refusal: Refusal | None = policy(kind, value)
        if refusal:
            raise refusal
