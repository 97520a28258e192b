"""Which fields of an answer our code reads, kind by kind: those that a fake must agree in with a real server."""

from __future__ import annotations

import re
from typing import Any

Json = dict[str, Any]

_METADATA = ("name", "namespace", "labels", "finalizers", "deletionGracePeriodSeconds", "generation")
_GENERATED = ("uid", "resourceVersion", "creationTimestamp", "deletionTimestamp")
_GENERATED_WITHIN = {"lastTransitionTime", "startedAt", "finishedAt", "containerID", "controller-revision-hash"}
_BY_KIND: dict[str, tuple[str, ...]] = {
    "Namespace": ("spec", "status"),
    "Secret": ("data", "type"),
    "ConfigMap": ("data",),
    "PersistentVolumeClaim": ("spec", "status"),
    "Service": ("spec", "status"),
    "StatefulSet": (
        *("spec", "status.replicas", "status.readyReplicas"),
        *("status.observedGeneration", "status.updateRevision"),
    ),
    "Pod": (
        *("metadata.ownerReferences", "spec.nodeName", "spec.securityContext"),
        *("status.phase", "status.reason", "status.conditions", "status.containerStatuses", "status.podIP"),
    ),
    "ResourceQuota": ("spec", "status"),
    "Scale": ("spec", "status"),
    "ServiceAccount": (),
    "SelfSubjectAccessReview": ("spec", "status"),
    "Status": ("status", "message", "reason", "details", "code"),
}
_UUID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")
_ADDRESS = re.compile(r"\b\d+\.\d+\.\d+\.\d+\b")
_VERSION = re.compile(r"\(\d+\)")
# What a StatefulSet's revision ends with, which is a hash of its template.
_REVISION = re.compile(r"-[a-z0-9]{8,10}$")
# Of a container's status; what is left out is for people who debug a kubelet.
_UNREAD = {"allocatedResources", "resources", "volumeMounts", "imageID"}


def read(body: Any) -> Any:
    """What our code reads of an answer, with what differs from run to run made equal."""
    if isinstance(body, list):
        return [{"type": event["type"], "object": read(event["object"])} for event in body]
    if "type" in body and "object" in body:
        return {"type": body["type"], "object": read(body["object"])}
    kind = body["kind"]
    if kind.endswith("List"):
        return {"kind": kind, "items": [read(item | {"kind": kind[:-4]}) for item in body["items"]]}
    found = {"kind": kind, "apiVersion": body["apiVersion"]}
    metadata = body.get("metadata", {})
    found["metadata"] = {key: _made_equal(key, metadata[key]) for key in _METADATA if key in metadata}
    found["generated"] = sorted(key for key in _GENERATED if key in metadata)
    for path in _BY_KIND[kind]:
        found[path] = _made_equal(path, _at(body, path))
    return found


def _at(body: Any, path: str) -> Any:
    for part in path.split("."):
        body = body.get(part) if isinstance(body, dict) else None
    return body


def _made_equal(key: str, value: Any) -> Any:
    if isinstance(value, dict):
        unread = _UNREAD if key == "status.containerStatuses" else set()
        return {name: _made_equal(name, part) for name, part in value.items() if name not in unread}
    if isinstance(value, list):
        parts = [_made_equal(key, part) for part in value]
        return sorted(parts, key=lambda part: str(part["type"])) if key == "status.conditions" else parts
    if not isinstance(value, str):
        return value
    if key in _GENERATED_WITHIN:
        return "generated"
    if key == "status.updateRevision":
        return _REVISION.sub("-revision", value)
    for form, name in ((_UUID, "uid"), (_ADDRESS, "address"), (_VERSION, "(version)")):
        value = form.sub(name, value)
    return value
