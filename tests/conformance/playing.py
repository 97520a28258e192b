"""Plays a recording to a fake cluster: its calls, and what somebody did besides; controllers keep up with it."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from typing import Any

from fake_cluster import FakeCluster
from fake_cluster.pods import is_ready
from fake_cluster.store import Change

from tests.conformance import replaying
from tests.conformance.replaying import Answer

Json = dict[str, Any]
Moment = tuple[bool, str, bool, bool]

# What the objects of these recordings don't bring about by themselves.
PLAYED = {"crash-loop": "crash-loop", "never-ready": "never-ready", "node-lost": "node-lost"}
# How much later than recorded a pod may get somewhere, in seconds at the recorded pace.
SLACK = 8.0


class Pods:
    """Where the fake's pods got to; lets its time pass until they are where the recorded ones were.

    `late` is how many seconds the fake's time is behind the recording's by now.
    """

    def __init__(self, cluster: FakeCluster) -> None:
        self.late = 0.0
        self._cluster = cluster
        self._seen: deque[Moment] = deque()
        self._last: Moment | None = None
        cluster.store.listeners.append(self._noticed)

    def _noticed(self, change: Change) -> None:
        if change.resource == "pods":
            self._seen.append(moment(change.type, change.object))

    def reach(self, event: Json) -> None:
        """Let the controllers go on until a pod was there, after where it was before."""
        wanted = moment(event["type"], event["object"])
        if wanted == self._last:
            return
        self._last, passed = wanted, 0.0
        while not self._take(wanted):
            assert passed < SLACK, f"no pod ever got to {wanted}"
            self._cluster.clock.advance(0.05)
            passed += 0.05
        self.late += passed

    def _take(self, wanted: Moment) -> bool:
        if wanted not in self._seen:
            return False
        while self._seen.popleft() != wanted:
            pass
        return True


def moment(kind: str, pod: Json) -> Moment:
    """What of a pod's life must come in the recorded order: being gone, its phase, Ready, being deleted."""
    return kind == "DELETED", pod["status"]["phase"], is_ready(pod), "deletionTimestamp" in pod["metadata"]


def play(cluster: FakeCluster, name: str, answered: Callable[[Json, Answer, Answer], None]) -> int:
    """Make every call of a recording, and tell how many; `answered` gets each, its answer and the recorded one."""
    cluster.watches.pace = 40.0
    if name in PLAYED:
        cluster.scenarios.play(PLAYED[name])
    caller, pods, made = replaying.Caller(cluster), Pods(cluster), 0
    for line in replaying.lines(name):
        cluster.clock.advance_to(line["t"] + pods.late)
        _prepare(cluster, name, line)
        if line.get("watch") == "pods":
            pods.reach(line["event"])
        elif "request" in line:
            answered(line["request"], caller.make(line["request"], line["response"]), Answer.recorded(line["response"]))
            made += 1
    return made


def _prepare(cluster: FakeCluster, name: str, line: Json) -> None:
    """What somebody did to the recorded cluster besides calling its API."""
    if name == "watch-expired" and "resourceVersion=2&" in line.get("request", {}).get("path", ""):
        cluster.compact()
    if name == "node-lost" and cluster.controllers.kubelet.lost and line["t"] > 60:
        cluster.controllers.kubelet.recover_node()
