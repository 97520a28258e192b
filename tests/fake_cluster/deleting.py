"""Deleting one object: preconditions, finalizers, grace, propagation."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from fake_cluster.answers import Refusal, conflict, not_found
from fake_cluster.resources import BY_KEY, Resource

if TYPE_CHECKING:
    from fake_cluster.cluster import FakeCluster

Json = dict[str, Any]

FOREGROUND = "foregroundDeletion"
ORPHAN = "orphan"


def delete(cluster: FakeCluster, resource: Resource, namespace: str, name: str, options: Json) -> Json:
    """Delete an object as `DeleteOptions` say; the body of the answer."""
    store = cluster.store
    found = store.get(resource.key, namespace, name)
    if found is None:
        raise not_found(resource.plural, resource.group, name)
    _check(resource, found, options.get("preconditions") or {})
    if options.get("dryRun"):
        return _answer(resource, found, gone=True)
    after = _marked(cluster, resource, found, options)
    if after is None:
        if resource.kind == "Pod":
            found = store.put(resource.key, _stamped(cluster, resource, found, 0))
        last = store.remove(resource.key, found)
        return _answer(resource, last or found, gone=True)
    if after != found:
        after = store.put(resource.key, after)
    return _answer(resource, after, gone=False)


def remove_at_once(cluster: FakeCluster, key: str, value: Json) -> None:
    """Delete as controllers do, in the background; a pod that is nowhere goes at once."""
    resource = BY_KEY[key]
    metadata = value["metadata"]
    try:
        options = {"preconditions": {"uid": metadata["uid"]}}
        delete(cluster, resource, metadata.get("namespace", ""), metadata["name"], options)
    except Refusal:
        return


def settle(cluster: FakeCluster, key: str, namespace: str, name: str) -> None:
    """Remove an object whose deletion nothing holds up any more."""
    found = cluster.store.get(key, namespace, name)
    if found is None or not found["metadata"].get("deletionTimestamp"):
        return
    waits = found["metadata"].get("finalizers") or key == "pods" or (found.get("spec") or {}).get("finalizers")
    if not waits:
        cluster.store.remove(key, found)


def drop_finalizer(cluster: FakeCluster, key: str, value: Json, finalizer: str) -> None:
    """Take one finalizer away, and the object with the last one."""
    metadata = value["metadata"]
    left = [other for other in metadata.get("finalizers") or [] if other != finalizer]
    found = cluster.store.get(key, metadata.get("namespace", ""), metadata["name"])
    if found is None or found["metadata"]["uid"] != metadata["uid"]:
        return
    if not left and found["metadata"].get("deletionTimestamp"):
        cluster.store.remove(key, found)
        return
    cluster.store.put(key, found | {"metadata": found["metadata"] | {"finalizers": left}})


def _check(resource: Resource, found: Json, preconditions: Json) -> None:
    for key, called in (("uid", "UID"), ("resourceVersion", "ResourceVersion")):
        wanted, actual = preconditions.get(key), found["metadata"][key]
        if wanted is not None and wanted != actual:
            why = f"the {called} in the precondition ({wanted}) does not match the {called} in record ({actual}). The "
            why += "object might have been deleted and then recreated"
            raise conflict(resource.plural, resource.group, found["metadata"]["name"], f"Precondition failed: {why}")


def _marked(cluster: FakeCluster, resource: Resource, found: Json, options: Json) -> Json | None:
    metadata = dict(found["metadata"])
    finalizers = list(metadata.get("finalizers") or [])
    policy = options.get("propagationPolicy") or ("Orphan" if options.get("orphanDependents") else "Background")
    wanted = {"Foreground": FOREGROUND, "Orphan": ORPHAN}.get(policy)
    if wanted and wanted not in finalizers:
        finalizers.append(wanted)
    grace = _grace(resource, found, options)
    if not finalizers and grace == 0 and resource.kind != "Namespace":
        return None
    if finalizers:
        metadata["finalizers"] = finalizers
    if metadata.get("deletionTimestamp"):
        return found | {"metadata": metadata}
    after = _stamped(cluster, resource, found | {"metadata": metadata}, grace)
    return after | {"status": {"phase": "Terminating"}} if resource.kind == "Namespace" else after


def _stamped(cluster: FakeCluster, resource: Resource, found: Json, grace: int) -> Json:
    stamps = {"deletionTimestamp": cluster.clock.stamp(later=grace), "deletionGracePeriodSeconds": grace}
    metadata = found["metadata"] | stamps
    if resource.has_generation:
        metadata["generation"] = metadata.get("generation", 1) + 1
    return found | {"metadata": metadata}


def _grace(resource: Resource, found: Json, options: Json) -> int:
    if resource.kind != "Pod" or not found["spec"].get("nodeName"):
        return 0
    asked = options.get("gracePeriodSeconds")
    return int(found["spec"].get("terminationGracePeriodSeconds", 30) if asked is None else asked)


def _answer(resource: Resource, value: Json, *, gone: bool) -> Json:
    if not gone or resource.kind in {"Service", "Pod", "ServiceAccount"}:
        return value
    details = {"name": value["metadata"]["name"], "kind": resource.plural, "uid": value["metadata"]["uid"]}
    if resource.group:
        details["group"] = resource.group
    return {"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Success", "details": details}
