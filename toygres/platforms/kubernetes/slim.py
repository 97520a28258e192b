"""What is kept of a Kubernetes object: its own fields under their own names, but only those that somebody reads.

Of 8 kB of a pod 1 to 2 are left, no Secret's data ever is, and strings that all objects share are held once.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping, Sequence
from typing import Any

Object = Mapping[str, Any]

# The label of the template that a pod was made from.
REVISION = "controller-revision-hash"
_OURS = "toygres.io/"
# Holds the whole spec, which is read from the API where it is needed at all.
_LONG = frozenset({"toygres.io/spec"})
_METADATA = (
    *("name", "namespace", "uid", "resourceVersion", "generation"),
    *("creationTimestamp", "deletionTimestamp", "finalizers"),
)
_CONDITIONS = frozenset({"PodScheduled", "Ready", "ContainersReady", "DisruptionTarget"})
_CONDITION = ("type", "status", "reason", "message", "lastTransitionTime")
_CONTAINER = ("name", "image", "ready", "started", "restartCount")
_STATE = ("reason", "message", "exitCode", "signal", "startedAt", "finishedAt", "containerID")
_EVENT = ("type", "reason", "message", "count", "firstTimestamp", "lastTimestamp", "eventTime")
# Kubernetes itself allows 1 kB; what writes more isn't Kubernetes.
_LONGEST_MESSAGE = 4096


def slim(kind: str, found: Object) -> dict[str, Any]:
    """The part of an object of that kind (`Pod`, `Event`, …) that is read; of a slim one the same again."""
    kept: dict[str, Any] = {"metadata": _metadata(found.get("metadata") or {})}
    if more := _MORE.get(kind):
        kept.update(more(found))
    return kept


def _metadata(found: Object) -> dict[str, Any]:
    kept = _picked(found, _METADATA)
    kept["labels"] = {
        sys.intern(key): _shared(value)
        for key, value in (found.get("labels") or {}).items()
        if key.startswith(_OURS) or key == REVISION
    }
    marks = {key: value for key, value in (found.get("annotations") or {}).items() if key.startswith(_OURS)}
    if short := {key: value for key, value in marks.items() if key not in _LONG}:
        kept["annotations"] = short
    if owners := found.get("ownerReferences"):
        kept["ownerReferences"] = [_picked(owner, ("kind", "name", "uid")) for owner in owners]
    return kept


def _pod(found: Object) -> dict[str, Any]:
    status = found.get("status") or {}
    kept = _picked(status, ("phase", "reason", "message", "podIP"))
    kept["conditions"] = [
        _picked(condition, _CONDITION)
        for condition in status.get("conditions") or ()
        if condition.get("type") in _CONDITIONS
    ]
    for key in ("initContainerStatuses", "containerStatuses"):
        if containers := status.get(key):
            kept[key] = [_container(container) for container in containers]
    return {"spec": _picked(found.get("spec") or {}, ("nodeName",)), "status": kept}


def _container(found: Object) -> dict[str, Any]:
    kept = {"name": "", **_picked(found, _CONTAINER)}
    for key in ("state", "lastState"):
        kept[key] = {sys.intern(how): _picked(what or {}, _STATE) for how, what in (found.get(key) or {}).items()}
    return kept


def _stateful_set(found: Object) -> dict[str, Any]:
    return {
        "spec": _picked(found.get("spec") or {}, ("replicas",)),
        "status": _picked(
            found.get("status") or {}, ("observedGeneration", "replicas", "readyReplicas", "updateRevision")
        ),
    }


def _volume_claim(found: Object) -> dict[str, Any]:
    spec = found.get("spec") or {}
    kept = _picked(spec, ("storageClassName", "volumeName", "accessModes"))
    kept["resources"] = {"requests": dict((spec.get("resources") or {}).get("requests") or {})}
    status = found.get("status") or {}
    told = _picked(status, ("phase", "capacity"))
    if conditions := status.get("conditions"):
        told["conditions"] = [_picked(condition, _CONDITION) for condition in conditions]
    return {"spec": kept, "status": told}


def _service(found: Object) -> dict[str, Any]:
    return {
        "spec": _picked(found.get("spec") or {}, ("type", "clusterIP")),
        "status": {"loadBalancer": dict((found.get("status") or {}).get("loadBalancer") or {})},
    }


def _event(found: Object) -> dict[str, Any]:
    kept = _picked(found, _EVENT)
    kept["message"] = str(kept.get("message", ""))[:_LONGEST_MESSAGE]
    kept["involvedObject"] = _picked(found.get("involvedObject") or {}, ("kind", "name", "uid"))
    if series := found.get("series"):
        kept["series"] = _picked(series, ("count", "lastObservedTime"))
    return kept


def _picked(found: Object, keys: Sequence[str]) -> dict[str, Any]:
    return {key: _shared(found[key]) for key in keys if found.get(key) is not None}


def _shared(value: Any) -> Any:
    # Times, reasons and names come again and again, and JSON's reader makes each of them anew.
    return sys.intern(value) if isinstance(value, str) and len(value) < 80 else value


_MORE: dict[str, Callable[[Object], dict[str, Any]]] = {
    "Pod": _pod,
    "StatefulSet": _stateful_set,
    "PersistentVolumeClaim": _volume_claim,
    "Service": _service,
    "Event": _event,
}
