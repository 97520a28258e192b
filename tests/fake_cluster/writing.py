"""Creating, replacing, patching and applying objects."""

from __future__ import annotations

import secrets
from typing import TYPE_CHECKING, Any

from fake_cluster import applying, patching, reading, schema, storing, validation
from fake_cluster.answers import bad_request, conflict, invalid, modified, not_found
from fake_cluster.calls import APPLY, Call
from fake_cluster.store import copied

if TYPE_CHECKING:
    from fake_cluster.cluster import FakeCluster

Json = dict[str, Any]


def create(cluster: FakeCluster, call: Call) -> Json:
    """Make an object. Refused with 400, 403, 404, 409 or 422 as a real server would, in its order."""
    value = _read(call)
    metadata = value["metadata"]
    if not metadata.get("name") and metadata.get("generateName"):
        metadata["name"] = metadata["generateName"] + secrets.token_hex(3)[:5]
    if not metadata.get("name"):
        text = "Required value: name or generateName is required"
        raise invalid(call.route.resource.kind, call.route.resource.group, "", [_problem("metadata.name", text)])
    return storing.made(
        cluster, call, patching.credited(None, _pruned(call, value), call.manager, cluster.clock.stamp())
    )


def replace(cluster: FakeCluster, call: Call) -> Json:
    """PUT: the whole object."""
    live = _live(cluster, call)
    value = _pruned(call, _read(call))
    carried = ("uid", "creationTimestamp", "generation", "deletionTimestamp", "deletionGracePeriodSeconds")
    kept = {key: live["metadata"][key] for key in carried if key in live["metadata"]}
    _check_version(call, live, value)
    value["metadata"] = kept | value["metadata"]
    if call.route.resource.kind == "Service" and not value["spec"].get("clusterIP"):
        value["spec"] |= {key: live["spec"][key] for key in ("clusterIP", "clusterIPs") if key in live["spec"]}
    return storing.changed(cluster, call, live, value)


def patch(cluster: FakeCluster, call: Call) -> Json:
    """PATCH in any of its forms."""
    if call.content_type.startswith(APPLY):
        return apply(cluster, call)
    live = _live(cluster, call)
    if call.route.subresource == "scale":
        return _scaled(cluster, call, live)
    if call.content_type.startswith("application/strategic-merge-patch"):
        node = schema.of(call.route.resource.api_version, call.route.resource.kind)
        value = patching.strategic(node, live, call.body)
    elif call.content_type.startswith("application/json-patch"):
        value = patching.json_patch(live, call.body)
    else:
        value = patching.merge(live, call.body)
    _check_version(call, live, value)
    return storing.changed(cluster, call, live, _pruned(call, copied(value)))


def apply(cluster: FakeCluster, call: Call) -> Json:
    """Server-side apply: makes what is absent, else merges; the same again changes nothing."""
    route, value = call.route, _read(call)
    resource = route.resource
    if not call.query.get("fieldManager"):
        text = "Required value: is required for apply patch"
        raise invalid("PatchOptions", "meta.k8s.io", "", [_problem("fieldManager", text)])
    found = schema.problems(schema.of(resource.api_version, resource.kind), value)
    if found:
        raise validation.refuse_unknown(route.namespace, value, found)
    live = cluster.store.get(resource.key, route.namespace, route.name)
    if value["metadata"].get("name", route.name) != route.name:
        raise bad_request(f"the name of the object ({value['metadata']['name']}) does not match the name on the URL")
    value["metadata"]["name"] = route.name
    if live is None and value["metadata"].get("uid"):
        why = f"uid mismatch: the provided object specified uid {value['metadata']['uid']}, and no existing object was"
        raise conflict(resource.plural, resource.group, route.name, f"{why} found")
    if live is not None:
        _check_version(call, live, value)
    force = call.query.get("force", "").lower() == "true"
    result = applying.applied(live, value, call.manager, cluster.clock.stamp(), force=force)
    return (
        storing.made(cluster, call, result)
        if live is None
        else storing.changed(cluster, call, live, result, credit=False)
    )


def _problem(path: str, text: str) -> tuple[str, str, str]:
    return path, "FieldValueRequired", text


def _read(call: Call) -> Json:
    resource = call.route.resource
    if not isinstance(call.body, dict) or call.body.get("kind") != resource.kind:
        kind = call.body.get("kind", "") if isinstance(call.body, dict) else ""
        raise bad_request(f'{kind} in version "{resource.version}" cannot be handled as a {resource.kind}')
    value: Json = copied(call.body)
    metadata = value.setdefault("metadata", {})
    namespace = metadata.setdefault("namespace", call.route.namespace) if resource.namespaced else ""
    if resource.namespaced and namespace != call.route.namespace:
        raise bad_request("the namespace of the provided object does not match the namespace sent on the request")
    return value


def _pruned(call: Call, value: Json) -> Json:
    """`value` without unknown fields, each of which is warned of; wrong types are refused."""
    resource = call.route.resource
    for path, what in schema.problems(schema.of(resource.api_version, resource.kind), value):
        if what != "field not declared in schema":
            text = f'{resource.kind} in version "{resource.version}" cannot be handled as a {resource.kind}: json: '
            raise bad_request(f"{text}cannot unmarshal into Go struct field {path.lstrip('.')}: {what}")
        if call.query.get("fieldValidation") == "Strict":
            raise bad_request(f'strict decoding error: unknown field "{path.lstrip(".")}"')
        call.warnings.append(f'unknown field "{path.lstrip(".")}"')
        _drop(value, path)
    return value


def _drop(value: Json, path: str) -> None:
    here: Any = value
    parts = path.lstrip(".").replace("[", ".[").split(".")
    for part in parts[:-1]:
        here = here[int(part[1:-1])] if part.startswith("[") else here[part]
    del here[parts[-1]]


def _live(cluster: FakeCluster, call: Call) -> Json:
    route = call.route
    found = cluster.store.get(route.resource.key, route.namespace, route.name)
    if found is None:
        raise not_found(route.resource.plural, route.resource.group, route.name)
    return found


def _check_version(call: Call, live: Json, value: Json) -> None:
    resource, asked = call.route.resource, value["metadata"].get("resourceVersion")
    if asked and asked != live["metadata"]["resourceVersion"]:
        raise modified(resource.plural, resource.group, live["metadata"]["name"])


def _scaled(cluster: FakeCluster, call: Call, live: Json) -> Json:
    replicas = (call.body.get("spec") or {}).get("replicas", live["spec"].get("replicas"))
    value = live | {"spec": live["spec"] | {"replicas": replicas}}
    return reading.scale(storing.changed(cluster, call, live, value))
