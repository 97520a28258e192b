"""How a pod that is being deleted goes."""

from __future__ import annotations

from collections.abc import Generator
from typing import TYPE_CHECKING, Any

from fake_cluster import containers, pods

if TYPE_CHECKING:
    from fake_cluster.controllers.life import Life

Json = dict[str, Any]
Steps = Generator["float | None", None, None]
_LOOK_SECONDS = 0.02
_UNKNOWN = {
    "exitCode": 137,
    "reason": "ContainerStatusUnknown",
    "message": "The container could not be located when the pod was terminated",
    "startedAt": None,
    "finishedAt": None,
}


def end(life: Life) -> Steps:
    """From the first look at the deletion until the pod is gone."""
    pod = life.pod
    if pod is None:
        return
    statuses = (pod.get("status") or {}).get("containerStatuses")
    state = statuses[0]["state"] if statuses else {}
    life.edit(_observed)
    if "running" in state:
        yield from _stopped(life, pod)
    elif "terminated" in state:
        yield 1.0
        life.edit(lambda value: _over(life, value, "Failed", "PodFailed"))
    elif statuses:
        yield from _never_ran(life)
    yield 0.85
    found = life.pod
    if found is not None:
        last = {"deletionTimestamp": life.cluster.clock.stamp(), "deletionGracePeriodSeconds": 0}
        found = life.cluster.store.put("pods", found | {"metadata": found["metadata"] | last})
        life.cluster.store.remove("pods", found)


def _observed(pod: Json) -> None:
    generation = pod["metadata"].get("generation", 1)
    pod["status"]["observedGeneration"] = generation
    for condition in pod["status"].get("conditions") or []:
        condition["observedGeneration"] = generation
    waiting = ((pod["status"].get("containerStatuses") or [{}])[0].get("state") or {}).get("waiting")
    if waiting:
        waiting.clear()
        waiting["reason"] = "ContainerCreating"


def _stopped(life: Life, pod: Json) -> Steps:
    life.tell("Normal", "Killing", f"Stopping container {pod['spec']['containers'][0]['name']}")
    exit_code = 0
    if life.server is None:
        yield 3.0
    else:
        life.stop_server(pod["metadata"].get("deletionGracePeriodSeconds", 30) / life.cluster.clock.speed + 5)
        while life.server.ended() is None:
            yield _LOOK_SECONDS * life.cluster.clock.speed
        exit_code = (life.server.ended() or (0, []))[0]

    def change(value: Json) -> None:
        containers.ended(life.cluster, value, exit_code, "Completed" if exit_code == 0 else "Error", [])
        _over(
            life, value, "Succeeded" if exit_code == 0 else "Failed", "PodCompleted" if exit_code == 0 else "PodFailed"
        )

    life.edit(change)


def _never_ran(life: Life) -> Steps:
    yield 0.9
    life.edit(lambda pod: pods.set_condition(life.cluster, pod, "PodReadyToStartContainers", "False"))
    yield 0.2

    def change(pod: Json) -> None:
        containers.status_of(pod)["state"] = {"terminated": dict(_UNKNOWN)}
        pod["status"]["phase"] = "Failed"

    life.edit(change)


def _over(life: Life, pod: Json, phase: str, reason: str) -> None:
    pod["status"]["phase"] = phase
    pods.set_condition(life.cluster, pod, "PodReadyToStartContainers", "False")
    pods.set_ready(life.cluster, pod, ready=False, reason=reason)
