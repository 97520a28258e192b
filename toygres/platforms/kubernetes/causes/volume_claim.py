"""Why the volume isn't there: read from the volume claim first, while the pod waits for a node (rows 12 to 15)."""

from __future__ import annotations

import re
from datetime import datetime

from toygres.errors import CauseCode
from toygres.platforms.kubernetes.causes import events
from toygres.platforms.kubernetes.causes.seen import Object, Seen, condition, is_ending, name, seconds_since
from toygres.platforms.kubernetes.causes.verdict import Kind, Verdict, sentence_end

STORAGE_MISSING = Kind(
    code=CauseCode.STORAGE_MISSING,
    sentence="The instance's volume claim is gone or being deleted, and its data with it: {words}.",
    remedy="Restore the data from a backup into a new instance, and delete this one.",
    sign="`persistentvolumeclaim … not found` or `is being deleted` on the pod, and no living volume claim",
)
STORAGE_CLASS_MISSING = Kind(
    code=CauseCode.STORAGE_CLASS_MISSING,
    sentence="The cluster has no storage class {storage_class}, which volume claim {claim} asks for.",
    remedy="Name one that exists (`kubectl get storageclass`) in the order or in TOYGRES_KUBE_STORAGE_CLASS.",
    sign="volume claim: event `ProvisioningFailed` with `storageclass … not found`",
)
STORAGE_CLASS_UNSET = Kind(
    code=CauseCode.STORAGE_CLASS_UNSET,
    sentence="Volume claim {claim} names no storage class, and the cluster has no default one.",
    remedy="Name one in the order or in TOYGRES_KUBE_STORAGE_CLASS, or mark one as the cluster's default.",
    sign="volume claim: event `FailedBinding` with `no storage class is set`",
)
PROVISIONING_FAILED = Kind(
    code=CauseCode.PROVISIONING_FAILED,
    sentence="The storage can't make a volume for {claim}: {words}.",
    remedy="Mend what the words name (often a quota of the cloud, or its zone); it is tried again by itself.",
    sign="volume claim: event `ProvisioningFailed` with other words",
    heals=True,
)
VOLUME_UNAVAILABLE = Kind(
    code=CauseCode.VOLUME_UNAVAILABLE,
    sentence="No volume that suits {claim} can be had on any node: {words}.",
    remedy="Add a volume of that class and size, or a node where its class can make one; it is tried again by itself.",
    sign="pod: `didn't find available persistent volumes to bind`",
    heals=True,
)
PROVISIONER_SILENT = Kind(
    code=CauseCode.PROVISIONER_SILENT,
    sentence="No volume has been made for {claim} since {since}, and {who}.",
    remedy="See whether the pods of the storage class's provisioner run; the volume is made once they do.",
    sign="volume claim `Pending` for a minute, with no other event than `ExternalProvisioning` or `Provisioning`",
    heals=True,
)
VOLUME_LOST = Kind(
    code=CauseCode.VOLUME_LOST,
    sentence="The volume of {claim} was deleted, and its data with it.",
    remedy="Restore the data from a backup into a new instance, and delete this one.",
    sign="volume claim: phase `Lost`",
)

KINDS = (
    STORAGE_MISSING,
    STORAGE_CLASS_MISSING,
    STORAGE_CLASS_UNSET,
    PROVISIONING_FAILED,
    VOLUME_UNAVAILABLE,
    PROVISIONER_SILENT,
    VOLUME_LOST,
)

_GONE = re.compile(r'persistentvolumeclaim "[^"]+" (?:not found|is being deleted)')
_NO_CLASS = re.compile(r'storageclass\S* "(?P<name>[^"]+)" not found')
_NO_VOLUME = "didn't find available persistent volumes to bind"
_UNSET = "no storage class is set"
# The volume is made only once a node is chosen.
_WAITS = ("WaitForFirstConsumer", "WaitForPodScheduled")
_SILENT_SECONDS = 60.0


def unbound(seen: Seen, pod: Object, now: datetime) -> Verdict | None:
    """Why the pod has no volume, while it waits for a node; None in the ordinary first second of every start."""
    scheduled, claim = condition(pod, "PodScheduled"), seen.volume_claim
    words = str(scheduled.get("message", ""))
    if scheduled.get("status") == "True":
        return None
    if claim is None or is_ending(claim):
        return _gone(seen, words)
    phase = claim["status"].get("phase")
    if phase == "Lost":
        return VOLUME_LOST.found(events.told(seen, claim), claim=name(claim))
    if phase == "Bound":
        return None
    found = _failed(seen, claim) or _no_volume(seen, claim, words) or _silent(seen, claim, now)
    # A scheduler that waits for a volume says nothing for minutes; before it does, nothing is final.
    return found if found is None or found.heals or scheduled else None


def _gone(seen: Seen, words: str) -> Verdict | None:
    # The cache may hear of the pod before it hears of the volume claim: the scheduler must say it, too.
    found = _GONE.search(words)
    return STORAGE_MISSING.found(events.told(seen, seen.volume_claim), words=found[0]) if found else None


def _failed(seen: Seen, claim: Object) -> Verdict | None:
    said = events.last(seen, claim, ("ProvisioningFailed", "FailedBinding", "ProvisioningSucceeded"))
    if said is None or said.get("reason") == "ProvisioningSucceeded":
        return None
    words = str(said.get("message", ""))
    if missing := _NO_CLASS.search(words):
        return STORAGE_CLASS_MISSING.found(events.lines(said), claim=name(claim), storage_class=missing["name"])
    if _UNSET in words:
        return STORAGE_CLASS_UNSET.found(events.lines(said), claim=name(claim))
    return PROVISIONING_FAILED.found(events.lines(said), claim=name(claim), words=sentence_end(words))


def _no_volume(seen: Seen, claim: Object, words: str) -> Verdict | None:
    if _NO_VOLUME not in words:
        return None
    waits = events.last(seen, claim, _WAITS)
    return VOLUME_UNAVAILABLE.found(events.lines(waits), claim=name(claim), words=sentence_end(words))


def _silent(seen: Seen, claim: Object, now: datetime) -> Verdict | None:
    since, said = claim["metadata"].get("creationTimestamp"), events.of(seen, claim)
    if seconds_since(since, now) < _SILENT_SECONDS or (said and said[-1].get("reason") in _WAITS):
        return None
    begun = any(each.get("reason") == "Provisioning" for each in said)
    who = "its provisioner, which has begun, says nothing more" if begun else "nobody says why"
    return PROVISIONER_SILENT.found(events.lines(*said[-1:]), claim=name(claim), since=since, who=who)
