"""Pods as JSON: made from a template, and the parts of their status."""

from __future__ import annotations

import hashlib
import json
import secrets
from typing import TYPE_CHECKING, Any

from fake_cluster.store import copied

if TYPE_CHECKING:
    from fake_cluster.cluster import FakeCluster

Json = dict[str, Any]
TOKEN_PATH = "/var/run/secrets/kubernetes.io/serviceaccount"
_NOT_READY = {"reason": "ContainersNotReady"}


def revision(stateful_set: Json) -> str:
    """The name of a template's revision."""
    told = json.dumps(stateful_set["spec"]["template"], sort_keys=True).encode()
    letters = "bcdfghjklmnpqrstvwxz2456789"
    digest = hashlib.sha256(told).digest()
    return f"{stateful_set['metadata']['name']}-" + "".join(letters[byte % len(letters)] for byte in digest[:10])


def made(stateful_set: Json, index: int) -> Json:
    """The pod that a StatefulSet makes, before admission."""
    metadata, template = stateful_set["metadata"], copied(stateful_set["spec"]["template"])
    name = f"{metadata['name']}-{index}"
    labels = (template.get("metadata") or {}).get("labels") or {}
    own = {
        "apps.kubernetes.io/pod-index": str(index),
        "controller-revision-hash": revision(stateful_set),
        "statefulset.kubernetes.io/pod-name": name,
    }
    owner = {"apiVersion": "apps/v1", "kind": "StatefulSet", "name": metadata["name"], "uid": metadata["uid"]}
    pod_metadata = {"name": name, "generateName": f"{metadata['name']}-", "namespace": metadata["namespace"]}
    pod_metadata["labels"] = labels | own
    if annotations := (template.get("metadata") or {}).get("annotations"):
        pod_metadata["annotations"] = annotations
    pod_metadata["ownerReferences"] = [owner | {"controller": True, "blockOwnerDeletion": True}]
    spec = template["spec"] | {"hostname": name, "subdomain": stateful_set["spec"].get("serviceName", "")}
    if spec.get("automountServiceAccountToken") is not False:
        _mount_token(spec)
    return {"kind": "Pod", "apiVersion": "v1", "metadata": pod_metadata, "spec": spec}


def _mount_token(spec: Json) -> None:
    name = f"kube-api-access-{secrets.token_hex(3)[:5]}"
    sources = [
        {"serviceAccountToken": {"expirationSeconds": 3607, "path": "token"}},
        {"configMap": {"name": "kube-root-ca.crt", "items": [{"key": "ca.crt", "path": "ca.crt"}]}},
    ]
    spec["volumes"] = [*(spec.get("volumes") or []), {"name": name, "projected": {"sources": sources}}]
    for container in spec["containers"]:
        mount = {"name": name, "readOnly": True, "mountPath": TOKEN_PATH}
        container["volumeMounts"] = [*(container.get("volumeMounts") or []), mount]


def selected(service: Json, pod: Json) -> bool:
    """Whether a Service's selector takes a pod."""
    selector = service["spec"].get("selector") or {}
    labels = pod["metadata"].get("labels") or {}
    return bool(selector) and all(labels.get(key) == value for key, value in selector.items())


def is_ready(pod: Json) -> bool:
    """Whether the pod's condition Ready is true."""
    conditions = (pod.get("status") or {}).get("conditions") or []
    return any(item["type"] == "Ready" and item["status"] == "True" for item in conditions)


def owner_uid(pod: Json) -> str:
    """The UID of the pod's controller; empty without one."""
    references = pod["metadata"].get("ownerReferences") or []
    return next((item["uid"] for item in references if item.get("controller")), "")


def set_condition(cluster: FakeCluster, pod: Json, kind: str, status: str, **why: str) -> None:
    """Set one condition of a pod that is being changed; its time moves when its status does."""
    conditions = pod["status"].setdefault("conditions", [])
    old = next((item for item in conditions if item["type"] == kind), None)
    moved = old is None or old["status"] != status
    stamp = cluster.clock.stamp() if moved else old["lastTransitionTime"]
    new: Json = {"type": kind, "observedGeneration": pod["metadata"].get("generation", 1), "status": status}
    new |= {"lastProbeTime": None, "lastTransitionTime": stamp} | why
    if old is None:
        conditions.append(new)
    else:
        conditions[conditions.index(old)] = new


def set_ready(cluster: FakeCluster, pod: Json, *, ready: bool, **why: str) -> None:
    """Set Ready and ContainersReady, and the container's `ready`."""
    if not ready and not why:
        names = " ".join(container["name"] for container in pod["spec"]["containers"])
        why = _NOT_READY | {"message": f"containers with unready status: [{names}]"}
    for kind in ("Ready", "ContainersReady"):
        set_condition(cluster, pod, kind, "True" if ready else "False", **why)
    for status in pod["status"].get("containerStatuses") or []:
        status["ready"] = ready


def begun(cluster: FakeCluster, pod: Json) -> None:
    """The first status that the kubelet writes: the container is being created."""
    status = pod["status"]
    set_condition(cluster, pod, "PodReadyToStartContainers", "False")
    set_condition(cluster, pod, "Initialized", "True")
    set_ready(cluster, pod, ready=False)
    scheduled = [item for item in status["conditions"] if item["type"] == "PodScheduled"]
    for item in scheduled:
        item["observedGeneration"] = pod["metadata"].get("generation", 1)
    status["conditions"] = [item for item in status["conditions"] if item not in scheduled] + scheduled
    status |= {"hostIP": "10.88.0.1", "hostIPs": [{"ip": "10.88.0.1"}], "startTime": cluster.clock.stamp()}
    status["observedGeneration"] = pod["metadata"].get("generation", 1)
    status["containerStatuses"] = [_container(container) for container in pod["spec"]["containers"]]


def _container(container: Json) -> Json:
    mounts = [
        {key: mount[key] for key in ("name", "mountPath", "readOnly") if key in mount}
        | ({"recursiveReadOnly": "Disabled"} if mount.get("readOnly") else {})
        for mount in container.get("volumeMounts") or []
    ]
    return {
        "name": container["name"],
        "state": {"waiting": {"reason": "ContainerCreating"}},
        "lastState": {},
        "ready": False,
        "restartCount": 0,
        "image": container["image"],
        "imageID": "",
        "started": False,
        "volumeMounts": mounts,
    }
