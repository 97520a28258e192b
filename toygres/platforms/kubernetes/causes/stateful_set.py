"""Why there is no pod: only an event on the StatefulSet tells that one was refused (row 9)."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime

from toygres.errors import CauseCode
from toygres.platforms.kubernetes.causes import events
from toygres.platforms.kubernetes.causes.admission import of_words
from toygres.platforms.kubernetes.causes.seen import Object, Seen, is_ending, is_heard, name, seconds_since
from toygres.platforms.kubernetes.causes.verdict import Kind, Verdict, sentence_end

POD_NOT_CREATED = Kind(
    code=CauseCode.POD_NOT_CREATED,
    sentence="Kubernetes can't create the pod: {words}.",
    remedy="Mend what the words name; it is tried again by itself, more and more seldom.",
    sign="an event `FailedCreate` on the StatefulSet with other words than the ones above",
    heals=True,
)
POD_STUCK = Kind(
    code=CauseCode.POD_STUCK,
    sentence="Pod {pod} is being deleted and doesn't end: its time ran out at {since}.",
    remedy="See whether its node {node} still runs; if it is gone for good, delete the pod by force (`kubectl delete "
    "pod {pod} --force`), but only then: two servers on one volume destroy the data.",
    sign="a pod that is still there half a minute after its `deletionTimestamp`",
    heals=True,
)

KINDS = (POD_NOT_CREATED, POD_STUCK)

_CREATIONS = ("FailedCreate", "SuccessfulCreate")
_ERROR = "failed error:"
_STUCK_SECONDS = 30.0


def refused(seen: Seen, now: datetime) -> Verdict | None:
    """Why the StatefulSet has no pod that counts; None while it is about to make one."""
    creations = events.of(seen, seen.stateful_set, _CREATIONS)
    # What was said before the last change is of before it.
    if creations and is_heard(seen.stateful_set) and creations[-1].get("reason") == "FailedCreate":
        return _failed(creations[-1])
    return stuck(seen, now)


def stuck(seen: Seen, now: datetime) -> Verdict | None:
    """Which pod should have ended by now, and doesn't."""
    found = (_stuck(pod, now) for pod in seen.pods if is_ending(pod))
    return next(filter(None, found), None)


def _failed(event: Object) -> Verdict:
    said = str(event.get("message", ""))
    text = said.partition(_ERROR)[2].strip() or said
    found = of_words(text) or POD_NOT_CREATED.found(words=sentence_end(text), heals=" is invalid: " not in text)
    return _with(found, event)


def _with(found: Verdict, event: Object) -> Verdict:
    return replace(found, cause=replace(found.cause, evidence=events.lines(event)))


def _stuck(pod: Object, now: datetime) -> Verdict | None:
    metadata = pod["metadata"]
    late = seconds_since(metadata.get("deletionTimestamp"), now)
    if late < _STUCK_SECONDS:
        return None
    held = [f"Pod {name(pod)}: finalizer {each}" for each in metadata.get("finalizers") or ()]
    return POD_STUCK.found(
        held, pod=name(pod), since=metadata["deletionTimestamp"], node=pod["spec"].get("nodeName", "(none)")
    )
