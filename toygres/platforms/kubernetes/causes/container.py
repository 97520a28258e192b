"""Why the container doesn't begin: its configuration, its command, or what is mounted into it (rows 19 to 21)."""

from __future__ import annotations

import re
from datetime import datetime

from toygres.errors import CauseCode
from toygres.platforms.kubernetes.causes import events
from toygres.platforms.kubernetes.causes.exits import OUT_OF_MEMORY
from toygres.platforms.kubernetes.causes.seen import Object, Seen, condition, name, seconds_since
from toygres.platforms.kubernetes.causes.verdict import Kind, Verdict, sentence_end

CONTAINER_CONFIG = Kind(
    code=CauseCode.CONTAINER_CONFIG,
    sentence="The container {container} can't be configured: {words}.",
    remedy="If a ConfigMap, or the Secret with the certificate, was deleted: `toygres restart` makes it again. Another "
    "Secret has the passwords: take the data out before you delete the instance. Else mend the settings.",
    sign="container: `CreateContainerConfigError`; may heal unless a Secret, a ConfigMap or a key isn't found, or the "
    "image's user is refused",
)
CONTAINER_CANT_START = Kind(
    code=CauseCode.CONTAINER_CANT_START,
    sentence="The command of container {container} can't be executed: {words}.",
    remedy="Use an image like the official postgres one: TOYGRES_KUBE_IMAGE_PREFIX names where it comes from.",
    sign="container: `CreateContainerError`, `RunContainerError`, or ended with `StartError` or exit code 128; "
    "may heal unless the words say that the command isn't there, or it was tried three times",
)
VOLUME_NOT_MOUNTED = Kind(
    code=CauseCode.VOLUME_NOT_MOUNTED,
    sentence="A volume or Secret can't be mounted into pod {pod}: {words}.",
    remedy="If a ConfigMap, or the Secret with the certificate, is missing: `toygres restart` makes it again; if a "
    "disk is attached elsewhere, wait until that node lets it go. It is tried again by itself.",
    sign="container: `ContainerCreating` for long, with events `FailedMount` or `FailedAttachVolume`",
    heals=True,
)
POD_NETWORK_FAILED = Kind(
    code=CauseCode.POD_NETWORK_FAILED,
    sentence="The node can't set up pod {pod}: {words}.",
    remedy="See whether the network's own pods run on that node; it is tried again by itself.",
    sign="container: `ContainerCreating` for long, with events `FailedCreatePodSandBox`",
    heals=True,
)

KINDS = (CONTAINER_CONFIG, CONTAINER_CANT_START, VOLUME_NOT_MOUNTED, POD_NETWORK_FAILED)

_CANT_START = frozenset({"CreateContainerError", "RunContainerError", "PreCreateHookError", "PreStartHookError"})
_START_ERRORS = frozenset({"StartError", "ContainerCannotRun"})
_CANT_START_EXIT = 128
# What a busy or a new node says will pass, so only what is known to stay is final at once.
_WILL_PASS = re.compile(
    r"deadline exceeded|timed out|failed to sync|failed to reserve|have not yet been read", re.IGNORECASE
)
_MISCONFIGURED = re.compile(
    r"(?:secret|configmap)s? \S+ not found|couldn't find key|runAsNonRoot|non-root|subPath|invalid variable names",
    re.IGNORECASE,
)
_NO_COMMAND = re.compile(
    r"no command specified"
    r"|\bexec(?:utable)?\b.*(?:not found|no such file|permission denied|format error|is a directory)",
    re.IGNORECASE,
)
# So little memory that not even the command could begin.
_KILLED = "OOM-killed"
_CREATING = frozenset({"ContainerCreating", "PodInitializing"})
_MOUNTS = ("FailedMount", "FailedAttachVolume")
_SANDBOX = ("FailedCreatePodSandBox",)
_FINAL_RESTARTS = 2
_LONG_SECONDS = 10.0
_OFTEN = 3


def misconfigured(seen: Seen, pod: Object, container: Object) -> Verdict | None:
    """Why the container can't be made from what the pod says of it."""
    waiting = container["state"].get("waiting") or {}
    if waiting.get("reason") != "CreateContainerConfigError":
        return None
    words = str(waiting.get("message", ""))
    return _with_words(CONTAINER_CONFIG, seen, pod, container, words, final=bool(_MISCONFIGURED.search(words)))


def cant_start(seen: Seen, pod: Object, container: Object) -> Verdict | None:
    """Why the container's command can't be executed."""
    waiting = container["state"].get("waiting") or {}
    if waiting.get("reason") in _CANT_START:
        return _not_started(seen, pod, container, str(waiting.get("message", "")))
    if "running" in container["state"]:
        return None
    for how in ("state", "lastState"):
        ended = container[how].get("terminated") or {}
        if ended.get("reason") in _START_ERRORS or ended.get("exitCode") == _CANT_START_EXIT:
            return _not_started(seen, pod, container, str(ended.get("message", "")))
    return None


def not_mounted(seen: Seen, pod: Object, container: Object, now: datetime) -> Verdict | None:
    """What can't be mounted, or why there is no network, once it isn't the first moments any more."""
    waiting = container["state"].get("waiting") or {}
    if waiting.get("reason") not in _CREATING:
        return None
    said = events.last(seen, pod, (*_MOUNTS, *_SANDBOX))
    if said is None or not _lasts(pod, said, now):
        return None
    kind = VOLUME_NOT_MOUNTED if said.get("reason") in _MOUNTS else POD_NETWORK_FAILED
    words = sentence_end(str(said.get("message", "")))
    return kind.found(events.told(seen, pod), pod=name(pod), words=words)


def _lasts(pod: Object, said: Object, now: datetime) -> bool:
    since = condition(pod, "PodScheduled").get("lastTransitionTime")
    return events.count(said) >= _OFTEN or seconds_since(since, now) >= _LONG_SECONDS


def _not_started(seen: Seen, pod: Object, container: Object, words: str) -> Verdict:
    final = bool(_NO_COMMAND.search(words)) or int(container.get("restartCount", 0)) >= _FINAL_RESTARTS
    return _with_words(CONTAINER_CANT_START, seen, pod, container, words, final=final)


def _with_words(kind: Kind, seen: Seen, pod: Object, container: Object, words: str, *, final: bool) -> Verdict:
    if _KILLED in words:
        return OUT_OF_MEMORY.found(
            events.told(seen, pod), container=container.get("name"), restarts=sentence_end(words)
        )
    return kind.found(
        events.told(seen, pod),
        heals=not final or bool(_WILL_PASS.search(words)),
        container=container.get("name"),
        words=sentence_end(words) or "no reason was given",
    )
