"""Fields that can't change once an object exists."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from fake_cluster import quantities
from fake_cluster.answers import forbidden, invalid

if TYPE_CHECKING:
    from fake_cluster.cluster import FakeCluster
    from fake_cluster.resources import Resource

Json = dict[str, Any]

_SET = (
    "Forbidden: updates to statefulset spec for fields other than 'replicas', 'ordinals', 'template', 'updateStrategy',"
    " 'revisionHistoryLimit', 'persistentVolumeClaimRetentionPolicy' and 'minReadySeconds' are forbidden"
)
_CLAIM = "Forbidden: spec is immutable after creation except resources.requests and volumeAttributesClassName for bound"
_RESIZE = (
    "only dynamically provisioned pvc can be resized and the storageclass that provisions the pvc must support resize"
)


def check(cluster: FakeCluster, resource: Resource, before: Json, after: Json) -> None:
    """Refuse (422, and 403 for a claim that can't grow) a change of what can't change."""
    rule = _RULES.get(resource.kind)
    problem = _metadata(before, after) or (rule(cluster, before, after) if rule else None)
    if problem:
        raise invalid(resource.kind, resource.group, before["metadata"]["name"], [problem])


def _metadata(before: Json, after: Json) -> tuple[str, str, str] | None:
    if after["metadata"].get("uid", before["metadata"]["uid"]) != before["metadata"]["uid"]:
        text = f"Invalid value: {json.dumps(after['metadata']['uid'])}: field is immutable"
        return "metadata.uid", "FieldValueInvalid", text
    return None


def _stateful_set(cluster: FakeCluster, before: Json, after: Json) -> tuple[str, str, str] | None:
    free = {
        *("replicas", "ordinals", "template", "updateStrategy", "revisionHistoryLimit", "minReadySeconds"),
        "persistentVolumeClaimRetentionPolicy",
    }
    fixed = [{key: part for key, part in value["spec"].items() if key not in free} for value in (before, after)]
    return None if fixed[0] == fixed[1] else ("spec", "FieldValueForbidden", _SET)


def _volume_claim(cluster: FakeCluster, before: Json, after: Json) -> tuple[str, str, str] | None:
    sizes = [value["spec"]["resources"]["requests"]["storage"] for value in (before, after)]
    others = [{**value["spec"], "resources": None, "volumeName": None} for value in (before, after)]
    bound = before.get("status", {}).get("phase") == "Bound"
    if others[0] != others[1] or (sizes[0] != sizes[1] and not bound):
        return "spec", "FieldValueForbidden", f"{_CLAIM} claims\n{_difference(before['spec'], sizes)}"
    size, capacity = quantities.number(sizes[1]), before.get("status", {}).get("capacity", {}).get("storage", "0")
    if size < quantities.number(sizes[0]) and size < quantities.number(capacity):
        text = "Forbidden: field can not be less than status.capacity"
        return "spec.resources.requests.storage", "FieldValueForbidden", text
    if size > quantities.number(sizes[0]) and not _can_grow(cluster, before):
        raise forbidden("persistentvolumeclaims", "", before["metadata"]["name"], _RESIZE)
    return None


def _difference(spec: Json, sizes: list[str]) -> str:
    lines = [f'-   "storage": "{sizes[0]}"', f'+   "storage": "{sizes[1]}"']
    around = ['  "Resources": {', '   "Limits": null,', '   "Requests": {', *lines, "   }", "  },"]
    return "\n".join(["@@ -6,7 +6,7 @@", *around, f'  "VolumeName": "{spec.get("volumeName", "")}",', ""])


def _can_grow(cluster: FakeCluster, claim: Json) -> bool:
    found = cluster.store.get("storageclasses.storage.k8s.io", "", claim["spec"].get("storageClassName", ""))
    return bool(found and found.get("allowVolumeExpansion"))


def _secret(cluster: FakeCluster, before: Json, after: Json) -> tuple[str, str, str] | None:
    if before.get("type") != after.get("type"):
        return "type", "FieldValueInvalid", f"Invalid value: {json.dumps(after.get('type'))}: field is immutable"
    return _frozen(cluster, before, after)


def _frozen(cluster: FakeCluster, before: Json, after: Json) -> tuple[str, str, str] | None:
    if before.get("immutable") and any(before.get(key) != after.get(key) for key in ("data", "binaryData")):
        return "data", "FieldValueForbidden", "Forbidden: field is immutable when `immutable` is set"
    return None


def _service(cluster: FakeCluster, before: Json, after: Json) -> tuple[str, str, str] | None:
    addresses = [value["spec"].get("clusterIP") for value in (before, after)]
    if addresses[0] != addresses[1] and "ExternalName" not in {value["spec"].get("type") for value in (before, after)}:
        text = f"Invalid value: {json.dumps([addresses[1]])}: may not change once set"
        return "spec.clusterIPs[0]", "FieldValueInvalid", text
    return None


_RULES = {
    "StatefulSet": _stateful_set,
    "PersistentVolumeClaim": _volume_claim,
    "Secret": _secret,
    "ConfigMap": _frozen,
    "Service": _service,
}
