"""What an answer of the API means that isn't a success: a cause, and whether waiting helps (rows 1 to 8)."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from toygres.errors import CauseCode
from toygres.platforms.kubernetes.causes.admission import ADMISSION_REFUSED, FORBIDDEN, NAMESPACE_ENDING, of_words
from toygres.platforms.kubernetes.causes.verdict import Kind, Verdict, sentence_end

NAMESPACE_MISSING = Kind(
    code=CauseCode.NAMESPACE_MISSING,
    sentence="The namespace {namespace} doesn't exist.",
    remedy="Make it (`kubectl create namespace {namespace}`), or name another in TOYGRES_NAMESPACE.",
    sign="an answer 404 about the namespace",
)
VOLUME_CANT_GROW = Kind(
    code=CauseCode.VOLUME_CANT_GROW,
    sentence="The volume can't be given this size: {words}.",
    remedy="Order an instance of the size that is wanted, or use a storage class with `allowVolumeExpansion: true`.",
    sign="an answer 403 with `can be resized`, 422 with `less than`, or a volume claim's immutable spec",
)
CHANGE_IMPOSSIBLE = Kind(
    code=CauseCode.CHANGE_IMPOSSIBLE,
    sentence="Kubernetes doesn't allow this change of what exists already: {words}.",
    remedy="Order another instance with what is wanted; what has this name and isn't the instance's must go first.",
    sign="an answer 422 about an immutable field",
)
MANIFEST_REJECTED = Kind(
    code=CauseCode.MANIFEST_REJECTED,
    sentence="Kubernetes doesn't understand what Toygres asks it for: {words}.",
    remedy="See whether a setting (TOYGRES_KUBE_…) holds a wrong value; if none does, please report this as a bug.",
    sign="an answer 400 or 422 about a field, or 500 with `field not declared in schema`",
)
FIELD_CONFLICT = Kind(
    code=CauseCode.FIELD_CONFLICT,
    sentence="Somebody else has set fields of this object and keeps them: {words}.",
    remedy="Have the other manager named here give these fields up, or undo its change; then order again.",
    sign="an answer 409 with causes `FieldManagerConflict`",
)
NAME_TAKEN = Kind(
    code=CauseCode.NAME_TAKEN,
    sentence="{named} in namespace {namespace} isn't this instance's, so it was left alone.",
    remedy="Delete that {kind} if nobody needs it, or order the instance under another name.",
    sign="a look before an apply: an object of that name without this installation's and this instance's labels",
)
CHANGED_MEANWHILE = Kind(
    code=CauseCode.CHANGED_MEANWHILE,
    sentence="The object was changed, made or deleted by somebody else at the same moment: {words}.",
    remedy="Wait: it is looked at again and tried again by itself.",
    sign="an answer 409 of another kind, 404 about an object, or 410",
    heals=True,
)
KIND_MISSING = Kind(
    code=CauseCode.KIND_MISSING,
    sentence="The cluster doesn't offer this kind of object: {words}.",
    remedy="Toygres needs Kubernetes 1.28 or later; `toygres doctor` tells which version this is.",
    sign="an answer 404 about the path, 405 or 415",
)
PLATFORM_LOGIN_REFUSED = Kind(
    code=CauseCode.PLATFORM_LOGIN_REFUSED,
    sentence="The cluster doesn't accept Toygres' own credentials: {words}.",
    remedy="They are read again by themselves; if it stays so, log in to the cluster again or renew the kubeconfig.",
    sign="an answer 401",
    heals=True,
)
PLATFORM_UNREACHABLE = Kind(
    code=CauseCode.PLATFORM_UNREACHABLE,
    sentence="The Kubernetes API can't do it now ({status}): {words}.",
    remedy="Wait: it is tried again by itself.",
    sign="an answer 408, 429 or 5xx, a 403 with `not yet ready to handle request`, or none at all",
    heals=True,
)

KINDS = (
    NAMESPACE_MISSING,
    VOLUME_CANT_GROW,
    CHANGE_IMPOSSIBLE,
    MANIFEST_REJECTED,
    FIELD_CONFLICT,
    NAME_TAKEN,
    CHANGED_MEANWHILE,
    KIND_MISSING,
    PLATFORM_LOGIN_REFUSED,
    PLATFORM_UNREACHABLE,
)

_RESIZE = re.compile(r"can be resized|can not be less than")
# Which field of an immutable spec was to be another is told by a diff only.
_STORAGE_DIFFERS = re.compile(r'^[+-]\s+"storage":', re.MULTILINE)
_IMMUTABLE = re.compile(r"is immutable|updates to \w+ spec for fields other than|may not be changed|once set")
_SCHEMA = re.compile(r"field not declared in schema|failed to create typed patch object")
# The API server's own rules say so before they know what is in the cluster.
_NOT_READY = re.compile(r"not yet ready to handle request")
_FORBIDDEN = 403
_DIFF = re.compile(r"\n@@ .*", re.DOTALL)
_OTHER_MANAGER = re.compile(r'conflicts? with "(?P<manager>[^"]+)"')
_MOST_FIELDS = 5

Details = Mapping[str, Any]


def verdict(status: int, reason: str, message: str, details: Details) -> Verdict:
    """What an answer means: HTTP status (0 when there was none), and the parts of the `Status` that came with it.

    `details` is the Status' own, with `kind` and `causes`; empty where there is none.
    """
    words = sentence_end(_DIFF.sub("", message)) or reason or "no reason was given"
    # By the status where that alone tells; admission speaks with nearly any.
    special = _BY_STATUS.get(status)
    if status == _FORBIDDEN and _NOT_READY.search(message):
        return PLATFORM_UNREACHABLE.found(status=f"HTTP {status}", words=words)
    found = _conflict(words, details) if status == 409 else of_words(message)
    return found or (special(words, details) if special else _other(status, words))


def _bad_request(words: str, _details: Details) -> Verdict:
    return MANIFEST_REJECTED.found(words=words)


def _unauthorized(words: str, _details: Details) -> Verdict:
    return PLATFORM_LOGIN_REFUSED.found(words=words)


def _forbidden(words: str, details: Details) -> Verdict:
    if "NamespaceTerminating" in _reasons(details):
        return NAMESPACE_ENDING.found(words=words)
    if _RESIZE.search(words):
        return VOLUME_CANT_GROW.found(words=words)
    if words.endswith("is forbidden"):
        return FORBIDDEN.found(verb="do this with", resource=details.get("kind") or "this object", words=words)
    return ADMISSION_REFUSED.found(words=words)


def _not_found(words: str, details: Details) -> Verdict:
    if details.get("kind") == "namespaces":
        return NAMESPACE_MISSING.found(namespace=details.get("name") or "that was named")
    if "could not find the requested resource" in words or not details.get("kind"):
        return KIND_MISSING.found(words=words)
    return CHANGED_MEANWHILE.found(words=words)


def _kind_missing(words: str, _details: Details) -> Verdict:
    return KIND_MISSING.found(words=words)


def _conflict(words: str, details: Details) -> Verdict:
    conflicts = [each for each in _causes(details) if each.get("reason") == "FieldManagerConflict"]
    if not conflicts:
        return CHANGED_MEANWHILE.found(words=words)
    managers = sorted({_manager(str(each.get("message", ""))) for each in conflicts})
    fields = [str(each.get("field", "")) for each in conflicts]
    more = f" and {len(fields) - _MOST_FIELDS} more" if len(fields) > _MOST_FIELDS else ""
    return FIELD_CONFLICT.found(words=f"{', '.join(managers)} has {', '.join(fields[:_MOST_FIELDS])}{more}")


def _gone(words: str, _details: Details) -> Verdict:
    return CHANGED_MEANWHILE.found(words=words)


def _invalid(words: str, details: Details) -> Verdict:
    differs = any(_STORAGE_DIFFERS.search(str(each.get("message"))) for each in _causes(details))
    if differs or _RESIZE.search(words):
        return VOLUME_CANT_GROW.found(words=words)
    if _IMMUTABLE.search(words):
        return CHANGE_IMPOSSIBLE.found(words=words)
    return MANIFEST_REJECTED.found(words=words)


def _server_error(words: str, _details: Details) -> Verdict:
    # The server calls this its own mistake, and would go on calling it so for ever.
    if _SCHEMA.search(words):
        return MANIFEST_REJECTED.found(words=words)
    return _other(500, words)


def _other(status: int, words: str) -> Verdict:
    final = 400 <= status < 500 and status not in (408, 425, 429)
    if final:
        return MANIFEST_REJECTED.found(words=f"HTTP {status}: {words}")
    return PLATFORM_UNREACHABLE.found(status=f"HTTP {status}" if status else "no answer", words=words)


def _manager(message: str) -> str:
    found = _OTHER_MANAGER.search(message)
    return found["manager"] if found else sentence_end(message)


def _causes(details: Details) -> Sequence[Mapping[str, Any]]:
    return details.get("causes") or ()


def _reasons(details: Details) -> set[str]:
    return {str(each.get("reason")) for each in _causes(details)}


_BY_STATUS: dict[int, Callable[[str, Details], Verdict]] = {
    400: _bad_request,
    401: _unauthorized,
    403: _forbidden,
    404: _not_found,
    405: _kind_missing,
    410: _gone,
    415: _kind_missing,
    422: _invalid,
    500: _server_error,
}
