"""What each verb does, once the caller is known and may: the status and body of the answer."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from fake_cluster import deleting, logs, reading, rights, writing
from fake_cluster.answers import Refusal
from fake_cluster.calls import APPLY, Call

if TYPE_CHECKING:
    from fake_cluster.cluster import FakeCluster

Json = dict[str, Any]


def makes(cluster: FakeCluster, call: Call) -> bool:
    """Whether a patch would make an object, which is a right of its own."""
    route = call.route
    absent = cluster.store.get(route.resource.key, route.namespace, route.name) is None
    return call.content_type.startswith(APPLY) and absent


def answer(cluster: FakeCluster, verb: str, call: Call, who: rights.Identity) -> tuple[int, Json | str]:
    """Do it."""
    if call.route.resource.reviewed:
        return 201, _review(call, who)
    if verb in {"get", "list"}:
        return 200, _read(cluster, verb, call)
    if verb == "create":
        return 201, writing.create(cluster, call)
    if verb in {"update", "patch"}:
        status = 201 if verb == "patch" and makes(cluster, call) else 200
        return status, (writing.replace if verb == "update" else writing.patch)(cluster, call)
    return 200, _deleted(cluster, verb, call)


def _read(cluster: FakeCluster, verb: str, call: Call) -> Json | str:
    if verb == "list":
        return reading.list_all(cluster, call.route, call.query)
    if call.route.subresource == "log":
        return logs.read(cluster, call.route, call.query)
    return reading.get(cluster, call.route)


def _review(call: Call, who: rights.Identity) -> Json:
    if call.route.resource.kind == "SelfSubjectReview":
        return call.body | {"metadata": {}, "status": {"userInfo": {"username": who.user}}}
    attributes = (call.body.get("spec") or {}).get("resourceAttributes") or {}
    return call.body | {"metadata": {}, "status": rights.review(who, attributes)}


def _deleted(cluster: FakeCluster, verb: str, call: Call) -> Json:
    route, options = call.route, dict(call.body or {})
    for name in ("propagationPolicy", "gracePeriodSeconds"):
        if name in call.query:
            options.setdefault(name, call.query[name])
    if call.dry:
        options["dryRun"] = ["All"]
    if verb == "delete":
        return deleting.delete(cluster, route.resource, route.namespace, route.name, options)
    listed = reading.list_all(cluster, route, {key: call.query[key] for key in call.query if "Selector" in key})
    for item in listed["items"]:
        try:
            deleting.delete(cluster, route.resource, route.namespace, item["metadata"]["name"], options)
        except Refusal:
            continue
    return listed
