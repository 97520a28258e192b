"""Getting and listing objects."""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from fake_cluster import selectors
from fake_cluster.answers import bad_request, expired, not_found
from fake_cluster.resources import Resource, Route

if TYPE_CHECKING:
    from fake_cluster.cluster import FakeCluster

Json = dict[str, Any]


def get(cluster: FakeCluster, route: Route) -> Json:
    """The object that a route names."""
    found = cluster.store.get(route.resource.key, route.namespace, route.name)
    if found is None:
        raise not_found(route.resource.plural, route.resource.group, route.name)
    return scale(found) if route.subresource == "scale" else found


def scale(value: Json) -> Json:
    """A StatefulSet's `Scale`; without replicas the field is left out, as a real server does."""
    kept = ("name", "namespace", "uid", "resourceVersion", "creationTimestamp")
    wanted = value["spec"].get("replicas", 0)
    labels = (value["spec"].get("selector") or {}).get("matchLabels") or {}
    selector = ",".join(f"{key}={label}" for key, label in sorted(labels.items()))
    return {
        "kind": "Scale",
        "apiVersion": "autoscaling/v1",
        "metadata": {key: value["metadata"][key] for key in kept},
        "spec": {"replicas": wanted} if wanted else {},
        "status": {"replicas": (value.get("status") or {}).get("replicas", 0), "selector": selector},
    }


def selected(resource: Resource, query: Mapping[str, str]) -> selectors.Test:
    """The test of both selectors of a query."""
    labels = selectors.by_labels(query.get("labelSelector", ""))
    fields = selectors.by_fields(resource.key, query.get("fieldSelector", ""))
    return lambda value: labels(value) and fields(value)


def list_all(cluster: FakeCluster, route: Route, query: Mapping[str, str]) -> Json:
    """A list, in pieces when `limit` asks for it."""
    store, resource = cluster.store, route.resource
    _check_version(cluster, query)
    version, after = _continued(cluster, query.get("continue", ""))
    wanted = selected(resource, query)
    found = [value for value in store.list(resource.key, route.namespace) if wanted(value)]
    found = [value for value in found if _place(value) > after] if after else found
    metadata: Json = {"resourceVersion": str(version)}
    limit = int(query.get("limit", "0"))
    if limit and len(found) > limit:
        metadata["continue"] = _token(version, _place(found[limit - 1]))
        metadata["remainingItemCount"] = len(found) - limit
        found = found[:limit]
    items = [{key: part for key, part in value.items() if key not in {"kind", "apiVersion"}} for value in found]
    body = {"kind": f"{resource.kind}List", "apiVersion": resource.api_version, "metadata": metadata}
    return body | {"items": items}


def _check_version(cluster: FakeCluster, query: Mapping[str, str]) -> None:
    asked = query.get("resourceVersion", "")
    if asked in {"", "0"}:
        return
    if not asked.isdigit():
        raise bad_request(f'Invalid value: "{asked}": strconv.ParseUint: parsing "{asked}": invalid syntax')
    if query.get("resourceVersionMatch") == "Exact" and int(asked) < cluster.store.forgotten:
        raise expired("The resourceVersion for the provided list is too old.")


def _continued(cluster: FakeCluster, token: str) -> tuple[int, list[str]]:
    if not token:
        return cluster.store.version, []
    version, after = json.loads(base64.urlsafe_b64decode(token))
    if version < cluster.store.forgotten:
        raise expired("The provided continue parameter is too old to display a consistent list result.")
    return version, after


def _token(version: int, place: list[str]) -> str:
    return base64.urlsafe_b64encode(json.dumps([version, place]).encode()).decode()


def _place(value: Json) -> list[str]:
    return [value["metadata"].get("namespace", ""), value["metadata"]["name"]]
