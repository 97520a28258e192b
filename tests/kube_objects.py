"""Kubernetes objects of one instance, as slim as the cache has them, for tests of what is read from them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from toygres.errors import CauseCode
from toygres.platforms.kubernetes.causes.judge import judge
from toygres.platforms.kubernetes.causes.seen import Seen
from toygres.platforms.protocol import ServerPhase, ServerStatus

INSTANCE_ID = "0198c0de-0000-7000-8000-0000feedbeef"
NOW = datetime(2026, 11, 23, 12, 0, 0, tzinfo=UTC)
SET_UID, POD_UID, CLAIM_UID, SERVICE_UID = "uid-set", "uid-pod", "uid-claim", "uid-service"

Json = dict[str, Any]


def ago(seconds: float) -> str:
    """A time so many seconds before NOW, as Kubernetes writes it."""
    return (NOW - timedelta(seconds=seconds)).strftime("%Y-%m-%dT%H:%M:%SZ")


def metadata(name: str, uid: str, **more: Any) -> Json:
    """An object's metadata with the instance's label."""
    labels = {"toygres.io/instance-id": INSTANCE_ID}
    return {"name": name, "namespace": "toygres", "uid": uid, "labels": labels, "creationTimestamp": ago(5), **more}


def stateful_set(replicas: int = 1, **more: Any) -> Json:
    """The StatefulSet, as its controller has seen it."""
    return {
        "metadata": metadata("demo", SET_UID, generation=1, **more),
        "spec": {"replicas": replicas},
        "status": {"observedGeneration": 1},
    }


def pod(
    *containers: Json, conditions: Mapping[str, Any] | None = None, status: Json | None = None, **more: Any
) -> Json:
    """The StatefulSet's pod; `conditions` by type, each True, False, or whatever it has besides `type`."""
    owner = {"kind": "StatefulSet", "name": "demo", "uid": SET_UID}
    stated = {"PodScheduled": True, **(conditions or {})}
    return {
        "metadata": metadata("demo-0", POD_UID, ownerReferences=[owner], **more),
        "spec": {"nodeName": "node-7"},
        "status": {
            "phase": "Pending",
            "conditions": [_condition(kind, what) for kind, what in stated.items()],
            "containerStatuses": list(containers),
            **(status or {}),
        },
    }


def unscheduled(words: str, reason: str = "Unschedulable") -> Json:
    """The pod, while no node has taken it."""
    return pod(conditions={"PodScheduled": {"status": "False", "reason": reason, "message": words}})


def container(state: Json | None = None, last: Json | None = None, **more: Any) -> Json:
    """PostgreSQL's container in the pod's status."""
    return {
        "name": "postgres",
        "image": "registry.example/postgres:16",
        "ready": False,
        "restartCount": 0,
        "state": state or {},
        "lastState": last or {},
        **more,
    }


def waiting(reason: str, message: str = "") -> Json:
    """The state of a container that waits."""
    return {"waiting": {"reason": reason, "message": message}}


def running(seconds: float = 1) -> Json:
    """The state of a container that has run for so long."""
    return {"running": {"startedAt": ago(seconds)}}


def terminated(code: int, message: str = "", reason: str = "Error", *, ran: float = 1, ident: str = "c1") -> Json:
    """The state of a container that ended two seconds ago."""
    return {
        "terminated": {
            "exitCode": code,
            "reason": reason,
            "message": message,
            "startedAt": ago(2 + ran),
            "finishedAt": ago(2),
            "containerID": f"containerd://{ident}",
        }
    }


def volume_claim(phase: str = "Pending", **more: Any) -> Json:
    """The volume claim."""
    return {"metadata": metadata("demo-data-feedbeef", CLAIM_UID, **more), "spec": {}, "status": {"phase": phase}}


def service(kind: str = "ClusterIP", ingress: Sequence[Json] = ()) -> Json:
    """The Service, and what its load balancer was given."""
    balancer = {"ingress": list(ingress)} if ingress else {}
    return {
        "metadata": metadata("demo", SERVICE_UID),
        "spec": {"type": kind},
        "status": {"loadBalancer": balancer},
    }


def event(about: str, reason: str, message: str, *, seconds_ago: float = 1, count: int = 1, **more: Any) -> Json:
    """An event on one of the objects above, by its UID."""
    kinds = {SET_UID: "StatefulSet", POD_UID: "Pod", CLAIM_UID: "PersistentVolumeClaim", SERVICE_UID: "Service"}
    return {
        "metadata": {"name": "e", "namespace": "toygres", "uid": f"{about}-{reason}-{message[:20]}"},
        "type": "Warning",
        "reason": reason,
        "message": message,
        "count": count,
        "lastTimestamp": ago(seconds_ago),
        "involvedObject": {"kind": kinds.get(about, "Pod"), "name": "demo", "uid": about},
        **more,
    }


def seen(*events: Json, **more: Any) -> Seen:
    """All of an instance that goes as it should, with a bound volume claim, unless told otherwise."""
    known: dict[str, Any] = {
        "stateful_set": stateful_set(),
        "volume_claim": volume_claim("Bound"),
        "service": service(),
        "events": events,
    }
    return Seen(**{**known, **more})


def expect(found: Seen, phase: ServerPhase, code: CauseCode | None, word: str = "") -> ServerStatus:
    """Judge what was seen at NOW: this phase and cause, whose message holds `word`."""
    status = judge(found, NOW)
    assert (status.phase, status.cause.code if status.cause else None) == (phase, code), status
    assert word in (status.cause.message if status.cause else "")
    return status


def _condition(kind: str, what: Any) -> Json:
    if isinstance(what, bool):
        return {"type": kind, "status": str(what)}
    return {"type": kind, **what}
