"""Why the image isn't there: whether it doesn't exist, may not be had, or can't be reached (rows 17 and 18)."""

from __future__ import annotations

import re

from toygres.errors import CauseCode
from toygres.platforms.kubernetes.causes import events
from toygres.platforms.kubernetes.causes.seen import Object, Seen
from toygres.platforms.kubernetes.causes.verdict import Kind, Verdict, sentence_end

IMAGE_MISSING = Kind(
    code=CauseCode.IMAGE_MISSING,
    sentence="The image {image} doesn't exist: {words}.",
    remedy="See whether TOYGRES_KUBE_IMAGE_PREFIX (or TOYGRES_KUBE_IMAGES) is right, and the registry has that tag.",
    sign="`ErrImagePull` or `ImagePullBackOff` with `not found`, `manifest unknown`, `name unknown`",
)
IMAGE_DENIED = Kind(
    code=CauseCode.IMAGE_DENIED,
    sentence="The registry doesn't hand out the image {image}: {words}.",
    remedy="Name a pull secret that may in TOYGRES_KUBE_PULL_SECRETS; many registries also answer so for an image that "
    "doesn't exist.",
    sign="the same with `denied`, `unauthorized`, `forbidden`, `authorization failed`",
)
REGISTRY_UNREACHABLE = Kind(
    code=CauseCode.REGISTRY_UNREACHABLE,
    sentence="The node can't reach the registry of the image {image}, or is told to come later: {words}.",
    remedy="See whether the nodes may reach the registry and its name is right; it is tried again by itself.",
    sign="the same with `no such host`, `timeout`, `connection refused`, `too many requests`, an error 5xx",
    heals=True,
)
IMAGE_NOT_PULLED = Kind(
    code=CauseCode.IMAGE_NOT_PULLED,
    sentence="The image {image} can't be pulled: {words}.",
    remedy="Mend what the words name; it is tried again by itself.",
    sign="the same with other words, or `ImageInspectError`",
    heals=True,
)
WRONG_ARCHITECTURE = Kind(
    code=CauseCode.WRONG_ARCHITECTURE,
    sentence="The image is made for another kind of processor than the node has: {words}.",
    remedy="Use an image for the nodes' processors, or select fitting nodes in TOYGRES_KUBE_NODE_SELECTOR.",
    sign="the same with `no match for platform`; or `exec format error` as last words",
)
IMAGE_NAME_INVALID = Kind(
    code=CauseCode.IMAGE_NAME_INVALID,
    sentence="{image} isn't the name of an image: {words}.",
    remedy="Mend TOYGRES_KUBE_IMAGE_PREFIX (some nodes want a registry first: docker.io/library/), and order again.",
    sign="container: `InvalidImageName`; or the same as above with `short-name … did not resolve`",
)
IMAGE_NEVER_PULLED = Kind(
    code=CauseCode.IMAGE_NEVER_PULLED,
    sentence="The image {image} isn't on the node, and may not be pulled: {words}.",
    remedy="Load it onto the nodes, or take away the policy that forbids pulling; then order again.",
    sign="container: `ErrImageNeverPull`",
)

KINDS = (
    IMAGE_MISSING,
    IMAGE_DENIED,
    REGISTRY_UNREACHABLE,
    IMAGE_NOT_PULLED,
    WRONG_ARCHITECTURE,
    IMAGE_NAME_INVALID,
    IMAGE_NEVER_PULLED,
)

_PULLING = frozenset({"ErrImagePull", "ImagePullBackOff"})
_BY_REASON = {
    "InvalidImageName": IMAGE_NAME_INVALID,
    "ErrImageNeverPull": IMAGE_NEVER_PULLED,
    "RegistryUnavailable": REGISTRY_UNREACHABLE,
    "ImageInspectError": IMAGE_NOT_PULLED,
    "SignatureValidationFailed": IMAGE_DENIED,
}
# The first that applies: what will pass comes first, since a refusal may be told with it.
_BY_WORDS = (
    (
        REGISTRY_UNREACHABLE,
        r"no such host|server misbehaving|timeout|timed out|deadline exceeded|connection (?:refused|reset)"
        r"|no route to host|network is unreachable|toomanyrequests|too many requests|: EOF"
        r"|\b5\d\d (?:internal|bad gateway|service|gateway)|unexpected status\D*\b5\d\d\b",
    ),
    # What was pulled got lost on the node, which pulls it again.
    (IMAGE_NOT_PULLED, r"content digest|content store"),
    (IMAGE_NAME_INVALID, r"short-name .*did not resolve|no unqualified-search registries"),
    (WRONG_ARCHITECTURE, r"no match for platform|no image found in .*for architecture|no matching manifest"),
    (
        IMAGE_DENIED,
        r"denied|unauthorized|forbidden|authorization failed|authentication required|no basic auth|insufficient_scope",
    ),
    (IMAGE_MISSING, r"not found|manifest unknown|name unknown|does not exist|no such image"),
)
_COMPILED = tuple((kind, re.compile(pattern, re.IGNORECASE)) for kind, pattern in _BY_WORDS)
# Later words begin with how long it waits now.
_BACK_OFF = re.compile(r'^Back-off pulling image "[^"]*"(?:: ErrImagePull: )?')


def not_there(seen: Seen, pod: Object, container: Object) -> Verdict | None:
    """Why this container has no image; None when that isn't what it waits for."""
    waiting = container["state"].get("waiting") or {}
    reason = str(waiting.get("reason", ""))
    if reason not in _PULLING and reason not in _BY_REASON:
        return None
    pulled = events.last(seen, pod, ("Failed",), "Failed to pull image")
    # Before Kubernetes 1.29 the status forgets the reason when it backs off; the event still has it.
    words = _BACK_OFF.sub("", str(waiting.get("message", ""))) or _of_event(pulled) or reason
    kind = _BY_REASON.get(reason) or _by_words(words)
    return kind.found(events.lines(pulled), image=container.get("image", "(unknown)"), words=sentence_end(words))


def _by_words(words: str) -> Kind:
    # An image's own name may hold any of these words.
    bare = re.sub(r'"[^"]*"', '""', words)
    return next((kind for kind, pattern in _COMPILED if pattern.search(bare)), IMAGE_NOT_PULLED)


def _of_event(event: Object | None) -> str:
    said = str(event.get("message", "")) if event else ""
    return re.sub(r'^Failed to pull image "[^"]*": ', "", said)
