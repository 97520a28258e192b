"""The status of a pod's container in each of its states."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Any

from fake_cluster import pods

if TYPE_CHECKING:
    from fake_cluster.cluster import FakeCluster

Json = dict[str, Any]
_LEAST_BYTES = 2048


def status_of(pod: Json) -> Json:
    """The status of the pod's first container."""
    found: Json = pod["status"]["containerStatuses"][0]
    return found


def waits(cluster: FakeCluster, pod: Json, reason: str, message: str = "", *, address: bool = False) -> None:
    """The container waits; what ended before becomes its last state."""
    status = status_of(pod)
    _remember(status)
    status["state"] = {"waiting": {"reason": reason} | ({"message": message} if message else {})}
    status["started"] = False
    if address:
        give_address(cluster, pod)


def runs(cluster: FakeCluster, pod: Json, *, started: bool) -> None:
    """The container runs; `started` once its startup probe succeeded or when it has none."""
    status = status_of(pod)
    again = _remember(status)
    if again or status["lastState"]:
        status["restartCount"] += 1
    image = status["image"]
    if "/" not in image:
        image = f"docker.io/library/{image}"
    container = pod["spec"]["containers"][0]
    digest = hashlib.sha256(f"{pod['metadata']['uid']}{status['restartCount']}".encode()).hexdigest()
    status |= {"image": image, "imageID": f"sha256:{hashlib.sha256(image.encode()).hexdigest()}"}
    status |= {"containerID": f"containerd://{digest}", "started": started, "resources": container["resources"]}
    status["state"] = {"running": {"startedAt": cluster.clock.stamp()}}
    pod["status"]["phase"] = "Running"
    give_address(cluster, pod)


def ended(cluster: FakeCluster, pod: Json, exit_code: int, reason: str, words: list[str]) -> None:
    """The container ended; its last words are kept when its policy says so and it failed."""
    status = status_of(pod)
    began = status["state"].get("running", {}).get("startedAt", cluster.clock.stamp())
    ended_state: Json = {"exitCode": exit_code, "reason": reason}
    policy = pod["spec"]["containers"][0].get("terminationMessagePolicy")
    if policy == "FallbackToLogsOnError" and exit_code and words:
        ended_state["message"] = ("\n".join(words) + "\n")[-_LEAST_BYTES:]
    ended_state |= {"startedAt": began, "finishedAt": cluster.clock.stamp()}
    ended_state["containerID"] = status.get("containerID", "")
    status["state"] = {"terminated": ended_state}
    status["started"] = False
    if status["ready"] or pods.is_ready(pod):
        pods.set_ready(cluster, pod, ready=False)


def give_address(cluster: FakeCluster, pod: Json) -> None:
    """Give the pod its address, if it has none."""
    if "podIP" not in pod["status"]:
        address = cluster.network.pod_address()
        pod["status"] |= {"podIP": address, "podIPs": [{"ip": address}]}


def _remember(status: Json) -> bool:
    gone = status["state"].get("terminated")
    if gone:
        status["lastState"] = {"terminated": gone}
    return bool(gone)
