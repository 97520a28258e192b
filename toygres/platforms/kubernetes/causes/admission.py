"""Why an object was refused, by the words alone: an answer of the API has them, and so has a pod's failed creation."""

from __future__ import annotations

import re
from collections.abc import Callable

from toygres.errors import CauseCode
from toygres.platforms.kubernetes.causes.verdict import Kind, Verdict, sentence_end

FORBIDDEN = Kind(
    code=CauseCode.FORBIDDEN,
    sentence="Toygres may not {verb} {resource} in this cluster: {words}.",
    remedy="Give Toygres' account this right (`toygres doctor` lists all that it needs), then order again.",
    sign="an answer 403 with `cannot VERB resource`",
)
QUOTA_EXCEEDED = Kind(
    code=CauseCode.QUOTA_EXCEEDED,
    sentence="The namespace's quota doesn't allow it: {words}.",
    remedy="Delete what isn't needed there, ask for less, or have the quota raised; it is tried again by itself.",
    sign="an answer 403, or an event `FailedCreate` on the StatefulSet, with `exceeded quota`",
    heals=True,
)
LIMIT_RANGE = Kind(
    code=CauseCode.LIMIT_RANGE,
    sentence="The namespace's limits don't allow this size: {words}.",
    remedy="Order the instance with sizes within these limits, or have the namespace's LimitRange changed.",
    sign="the same with `maximum … is`, `minimum … is` or `max limit to request ratio`",
)
NAMESPACE_ENDING = Kind(
    code=CauseCode.NAMESPACE_ENDING,
    sentence="The namespace is being deleted, so nothing can be made in it: {words}.",
    remedy="Wait until it is gone, have it made again, or name another in TOYGRES_NAMESPACE; then order again.",
    sign="an answer 403 with the cause `NamespaceTerminating`",
)
POD_SECURITY = Kind(
    code=CauseCode.POD_SECURITY,
    sentence="The namespace's Pod Security Standard {level} doesn't admit the pod: {words}.",
    remedy="Toygres' own pods are admitted by `restricted`: take back what the settings or a webhook added to them.",
    sign="an event `FailedCreate` on the StatefulSet, or an answer 403, with `violates PodSecurity`, or OpenShift's "
    "`unable to validate against any security context constraint`",
)
ADMISSION_REFUSED = Kind(
    code=CauseCode.ADMISSION_REFUSED,
    sentence="A rule of the cluster refuses it: {words}.",
    remedy="Ask who keeps the cluster's admission rules; the rule's own words say what it wants.",
    sign="an answer, or an event `FailedCreate`, with `denied request`, `denied the request`, or a 403 of another kind",
)
ADMISSION_UNANSWERED = Kind(
    code=CauseCode.ADMISSION_UNANSWERED,
    sentence="The admission webhook {webhook} doesn't answer, so the cluster accepts nothing: {words}.",
    remedy="It is tried again by itself; if it stays so, see whether the webhook's own pods run.",
    sign="an answer 500, or an event `FailedCreate`, with `failed calling webhook`",
    heals=True,
)

KINDS = (
    FORBIDDEN,
    QUOTA_EXCEEDED,
    LIMIT_RANGE,
    NAMESPACE_ENDING,
    POD_SECURITY,
    ADMISSION_REFUSED,
    ADMISSION_UNANSWERED,
)

_RIGHT = re.compile(r'cannot (?P<verb>\w+) resource "(?P<resource>[^"]+)" in API group "(?P<group>[^"]*)"')
# The second is said until the quota's controller has counted once.
_QUOTA = re.compile(r"(?:exceeded quota|status unknown for quota): .*", re.DOTALL)
# A quota that wants limits named is there to stay, and so is what the pod doesn't name.
_QUOTA_WANTS = re.compile(r"failed quota: .*", re.DOTALL)
_LIMITS = re.compile(
    r"\[?(?:maximum|minimum) [\w./-]+ usage per \w+ is .*|[\w./-]+ max limit to request ratio per .*", re.DOTALL
)
_SECURITY = re.compile(r'violates PodSecurity "(?P<level>[^":]+)[^"]*": (?P<why>.*)', re.DOTALL)
_ENDING = re.compile(r"because it is being terminated")
_SILENT = re.compile(r'failed calling webhook "(?P<webhook>[^"]+)":?(?P<why>.*)', re.DOTALL)
# OpenShift's form of the same.
_CONSTRAINTS = re.compile(r"unable to validate against any security context constraint.*", re.DOTALL)
_DENIED = re.compile(
    r"ValidatingAdmissionPolicy '[^']+' .*denied request: .*|admission webhook \"[^\"]+\" denied the request.*",
    re.DOTALL,
)


def of_words(text: str) -> Verdict | None:
    """The cause that these words name, whoever says them; None when they name none."""
    return next((found for found in (read(text) for read in _READERS) if found), None)


def _forbidden(text: str) -> Verdict | None:
    found = _RIGHT.search(text)
    if not found:
        return None
    resource = ".".join(filter(None, (found["resource"], found["group"])))
    return FORBIDDEN.found(verb=found["verb"], resource=resource, words=sentence_end(text))


def _quota(text: str) -> Verdict | None:
    if found := _QUOTA.search(text):
        return QUOTA_EXCEEDED.found(words=sentence_end(found[0]))
    if found := _QUOTA_WANTS.search(text):
        return QUOTA_EXCEEDED.found(words=sentence_end(found[0]), heals=False)
    return None


def _limits(text: str) -> Verdict | None:
    found = _LIMITS.search(text)
    return LIMIT_RANGE.found(words=sentence_end(found[0]).strip("[]")) if found else None


def _security(text: str) -> Verdict | None:
    if found := _CONSTRAINTS.search(text):
        return POD_SECURITY.found(level="(security context constraints)", words=sentence_end(found[0]))
    found = _SECURITY.search(text)
    return POD_SECURITY.found(level=found["level"], words=sentence_end(found["why"])) if found else None


def _ending(text: str) -> Verdict | None:
    return NAMESPACE_ENDING.found(words=sentence_end(text)) if _ENDING.search(text) else None


def _silent(text: str) -> Verdict | None:
    found = _SILENT.search(text)
    return ADMISSION_UNANSWERED.found(webhook=found["webhook"], words=sentence_end(found["why"])) if found else None


def _denied(text: str) -> Verdict | None:
    found = _DENIED.search(text)
    return ADMISSION_REFUSED.found(words=sentence_end(found[0])) if found else None


# A rule's own words may quote any of the others', so it comes before them.
_READERS: tuple[Callable[[str], Verdict | None], ...] = (
    _silent,
    _denied,
    _forbidden,
    _quota,
    _security,
    _ending,
    _limits,
)
