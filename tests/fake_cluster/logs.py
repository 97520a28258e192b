"""`pods/log`: what tests and servers put there."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from fake_cluster import reading
from fake_cluster.answers import bad_request
from fake_cluster.resources import Route

if TYPE_CHECKING:
    from fake_cluster.cluster import FakeCluster

Json = dict[str, Any]


def read(cluster: FakeCluster, route: Route, query: Mapping[str, str]) -> str:
    """The log of a pod's container, or of the one before (`previous`); the last `tailLines` of it."""
    pod = reading.get(cluster, Route(route.resource, route.namespace, route.name))
    previous = query.get("previous", "").lower() in {"true", "1"}
    uid, name = pod["metadata"]["uid"], pod["spec"]["containers"][0]["name"]
    _check(pod, name, previous=previous)
    running = None if previous else cluster.controllers.kubelet.lines(uid)
    lines = cluster.pod_logs.get((uid, "previous" if previous else "now"), []) if running is None else running
    if tail := query.get("tailLines"):
        lines = lines[-int(tail) :] if int(tail) else []
    return "".join(f"{line}\n" for line in lines)


def _check(pod: Json, name: str, *, previous: bool) -> None:
    status = next(iter((pod.get("status") or {}).get("containerStatuses") or []), None)
    where = f'container "{name}" in pod "{pod["metadata"]["name"]}"'
    if status is None:
        raise bad_request(f"{where} is waiting to start: ContainerCreating")
    if previous and "terminated" not in status.get("lastState", {}):
        raise bad_request(f"previous terminated {where} not found")
    waiting = status["state"].get("waiting")
    if waiting and not status.get("lastState"):
        told = {"ErrImagePull": "image can't be pulled", "ImagePullBackOff": "trying and failing to pull image"}
        raise bad_request(f"{where} is waiting to start: {told.get(waiting['reason'], waiting['reason'])}")
