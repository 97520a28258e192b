"""How far a start has come that goes as it should: what is being waited for now, in a sentence."""

from __future__ import annotations

from toygres.errors import Cause, CauseCode
from toygres.platforms.kubernetes.causes import events
from toygres.platforms.kubernetes.causes.seen import Object, Seen, condition, is_ready, name, server


def progress(seen: Seen) -> Cause:
    """The cause Starting, with the step of Kubernetes' that is under way."""
    return Cause(code=CauseCode.STARTING, message=_sentence(seen), remedy="Wait: it is looked at again by itself.")


def _sentence(seen: Seen) -> str:
    pod = seen.pod
    if pod is None:
        return "Kubernetes ends the old pod." if seen.pods else "Kubernetes makes the pod."
    if is_ready(pod):
        return f"Kubernetes is about to replace pod {name(pod)}, which isn't what was asked for last."
    if condition(pod, "PodScheduled").get("status") != "True":
        return f"Pod {name(pod)} waits for a volume and a node."
    return _of_container(seen, pod)


def _of_container(seen: Seen, pod: Object) -> str:
    container = server(pod)
    state = container["state"] if container else {}
    if "running" in state:
        return "The server is starting: it doesn't accept clients yet."
    if _is_pulling(seen, pod):
        return f"The image for pod {name(pod)} is being pulled."
    return f"The container of pod {name(pod)} is being made."


def _is_pulling(seen: Seen, pod: Object) -> bool:
    said = events.of(seen, pod, ("Pulling", "Pulled"))
    return bool(said) and said[-1].get("reason") == "Pulling"
