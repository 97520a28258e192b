"""Why no node takes the pod: the scheduler's own count of what is wrong with each (row 16)."""

from __future__ import annotations

import re
from collections.abc import Iterator

from toygres.errors import CauseCode
from toygres.platforms.kubernetes.causes import events
from toygres.platforms.kubernetes.causes.seen import Object, Seen, condition, name
from toygres.platforms.kubernetes.causes.verdict import Kind, Verdict, sentence_end

UNSCHEDULABLE = Kind(
    code=CauseCode.UNSCHEDULABLE,
    sentence="No node of the cluster can take the pod: {what}.",
    remedy="Add a node or make room on one, ask for less cpu or memory, or change the node selector and tolerations "
    "in the settings; it is tried again by itself.",
    sign="pod: `PodScheduled=False`, with `Insufficient …`, `untolerated taint`, `node affinity`, `Too many pods`, …",
    heals=True,
)

KINDS = (UNSCHEDULABLE,)

# The volume claim's part, which is read before this; and the ordinary first second of every start.
_OF_VOLUME_CLAIMS = re.compile(r'unbound immediate PersistentVolumeClaims|persistentvolumeclaim "')
_REASONS = (
    (re.compile(r"Insufficient ([\w./-]+)"), "not enough {}"),
    (re.compile(r"untolerated taint\(?s?\)? ?(\{[^}]*\})?"), "a taint that the pod doesn't tolerate {}"),
    (re.compile(r"volume node affinity conflict()"), "the volume is in another zone or on another node"),
    (
        re.compile(r"(?<!volume )node affinity/selector()|didn't match Pod's node affinity()"),
        "none has the labels asked for",
    ),
    (re.compile(r"Too many pods()"), "too many pods on it"),
    (re.compile(r"were unschedulable()"), "closed for new pods"),
    (re.compile(r"no nodes available()"), "there are none"),
)


def unschedulable(seen: Seen, pod: Object) -> Verdict | None:
    """Why no node takes the pod; None while it was taken, or waits for its volume only."""
    scheduled = condition(pod, "PodScheduled")
    words = str(scheduled.get("message", ""))
    if scheduled.get("status") != "False" or _OF_VOLUME_CLAIMS.search(words):
        return None
    what = "; ".join(dict.fromkeys(_named(words))) or sentence_end(words) or str(scheduled.get("reason", "(no reason)"))
    said = f"Pod {name(pod)}: {scheduled.get('reason')}: {sentence_end(words)}"
    scaling = events.last(seen, pod, ("TriggeredScaleUp", "NotTriggerScaleUp"))
    return UNSCHEDULABLE.found((said, *events.lines(scaling)), what=what)


def _named(words: str) -> Iterator[str]:
    for pattern, told in _REASONS:
        for found in pattern.finditer(words):
            yield told.format(next(filter(None, found.groups()), "").rstrip(".")).strip()
