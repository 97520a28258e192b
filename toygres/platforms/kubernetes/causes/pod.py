"""What befell the pod as a whole: evicted, or its node doesn't answer (rows 10 and 11)."""

from __future__ import annotations

from toygres.errors import CauseCode
from toygres.platforms.kubernetes.causes import events
from toygres.platforms.kubernetes.causes.seen import Object, Seen, condition, name
from toygres.platforms.kubernetes.causes.verdict import Kind, Verdict, sentence_end

POD_EVICTED = Kind(
    code=CauseCode.POD_EVICTED,
    sentence="Kubernetes took pod {pod} off its node: {words}.",
    remedy="Wait: a new pod is made by itself. If it happens again, give the instance or the nodes more of what is "
    "named here.",
    sign="pod `phase: Failed` with a reason such as `Evicted`, or the condition `DisruptionTarget`",
    heals=True,
)
NODE_LOST = Kind(
    code=CauseCode.NODE_LOST,
    sentence="The node {node} that pod {pod} runs on doesn't answer.",
    remedy="Wait until the node is back; the data are on its volume. If it is gone for good, delete the node from the "
    "cluster, and the pod is made on another one.",
    sign="pod not `Ready` though its container is, event `NodeNotReady`, or `phase: Unknown`",
    heals=True,
)

KINDS = (POD_EVICTED, NODE_LOST)

_OVER = frozenset({"Failed", "Succeeded"})
# Another controller's word is awaited here, and the node is well.
_GATED = "ReadinessGatesNotReady"


def evicted(seen: Seen, pod: Object) -> Verdict | None:
    """Whether the pod was taken off its node; the StatefulSet makes a new one."""
    status, disrupted = pod["status"], condition(pod, "DisruptionTarget")
    if status.get("phase") in _OVER:
        words = status.get("message") or status.get("reason") or f"its phase is {status['phase']}"
    elif disrupted.get("status") == "True":
        words = disrupted.get("message") or disrupted.get("reason") or "it is to make room"
    else:
        return None
    return POD_EVICTED.found(events.told(seen, pod), pod=name(pod), words=sentence_end(str(words)))


def node_lost(seen: Seen, pod: Object) -> Verdict | None:
    """Whether the pod's node stopped answering; what the container's status says is then as old as that."""
    if not (_looks_lost(pod) or _last_said_lost(seen, pod)):
        return None
    said = events.last(seen, pod, ("NodeNotReady",))
    node = pod["spec"].get("nodeName", "(unknown)")
    ready = f"Pod {name(pod)}: Ready is {condition(pod, 'Ready').get('status')} since {_since(pod)}"
    return NODE_LOST.found((ready, *events.lines(said)), pod=name(pod), node=node)


def _looks_lost(pod: Object) -> bool:
    ready = condition(pod, "Ready")
    if pod["status"].get("phase") == "Unknown" or ready.get("status") == "Unknown":
        return True
    # Kubelet changes both at once; only somebody who speaks for a node that is silent changes one alone.
    well = condition(pod, "ContainersReady").get("status") == "True"
    return well and ready.get("status") == "False" and ready.get("reason") != _GATED


def _last_said_lost(seen: Seen, pod: Object) -> bool:
    said = events.of(seen, pod)
    return bool(said) and said[-1].get("reason") == "NodeNotReady"


def _since(pod: Object) -> object:
    return condition(pod, "Ready").get("lastTransitionTime", "(unknown)")
