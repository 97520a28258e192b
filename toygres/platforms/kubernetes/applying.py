"""Applying an instance's objects, so that nothing is ever written to that isn't the instance's own.

An apply merges into whatever has the name already, so it is never sent without a precondition. An object that should
be new is applied with a `resourceVersion` that no object has: the API server makes it when it is absent, and answers
409 when it isn't (`Store.Update` of the server creates an absent object whatever version is given, and compares the
versions of one that is there). One that is there is looked at first: labels of this installation and this instance,
no fence above ours, not being deleted; and is then applied with the `uid` and `resourceVersion` of that look. Whatever
comes between the two, a foreign object or a later step's write, is met by a 409, after which it is looked at again.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from toygres.errors import Cause, CauseCode, Refused, Unavailable
from toygres.platforms.kubernetes import resources, trouble
from toygres.platforms.kubernetes.calls import Applied, Object, applied, held_by, secrets_of
from toygres.platforms.kubernetes.causes.answers import NAME_TAKEN
from toygres.platforms.kubernetes.client import APPLY, Cluster, Request
from toygres.platforms.kubernetes.labels import FENCE, is_ours
from toygres.platforms.kubernetes.names import field_manager
from toygres.platforms.kubernetes.resources import Resource
from toygres.platforms.kubernetes.trouble import Answer
from toygres.platforms.protocol import Target

# Controllers write, too: a StatefulSet or a volume claim that is starting may change between look and apply.
_LOOKS = 6
# A version that an object never has.
_NEVER = "1"
_CONDITIONS = ("metadata.uid", "metadata.resourceVersion")
_ABSENT, _CONFLICT, _INVALID = 404, 409, 422


def apply(cluster: Cluster, body: Mapping[str, Any], target: Target, *, dry_run: bool = False) -> Applied:
    """Make the object, or bring the instance's own up to `body`; applying the same again changes nothing.

    Raises Refused for an object of that name that isn't this instance's, for one on which a later step was before
    (FencedOff), and for fields that somebody else's field manager owns; Unavailable while it is being deleted.
    """
    asked = _Apply(cluster, body, target, dry_run)
    answer = asked.over(None)
    for look in range(_LOOKS):
        if answer.fine:
            return applied(answer)
        found = asked.look()
        if found is not None and look and trouble.conflicting(answer):
            raise trouble.refusal(answer, asked.doing)
        # A server that takes no such version for an absent object gets none, once it was seen to be absent twice.
        answer = asked.over(found, bare=found is None and look > 0)
    if answer.fine:
        return applied(answer)
    raise trouble.refusal(answer, asked.doing)


def apply_over(cluster: Cluster, body: Mapping[str, Any], target: Target, found: Object) -> Applied | None:
    """Apply only if the object is still the one that was `found`; None when it has changed since. Raises as `apply`."""
    asked = _Apply(cluster, body, target, dry_run=False)
    asked.check(found)
    answer = asked.over(found)
    if answer.fine:
        return applied(answer)
    if trouble.conflicting(answer):
        raise trouble.refusal(answer, asked.doing)
    return None


def fence_of(metadata: Mapping[str, Any]) -> int:
    """The fence of the step that wrote an object last; -1 when it has none."""
    text = str((metadata.get("annotations") or {}).get(FENCE, ""))
    return int(text) if text.isdecimal() else -1


def check_fence(metadata: Mapping[str, Any], target: Target) -> None:
    """Return unless a later step was here. Raises Refused (FencedOff)."""
    seen = fence_of(metadata)
    if target.fence < seen:
        raise Refused(
            Cause(
                code=CauseCode.FENCED_OFF,
                message=f"This step came too late: its fence is {target.fence}, and {seen} has been here.",
                remedy="Nothing is to be done: what came after it holds.",
            )
        )


def owned_by_another(resource: Resource, metadata: Mapping[str, Any]) -> Cause:
    """Why a step that needs this name can't go on: somebody else's object has it."""
    named, namespace = resource.named(metadata), metadata.get("namespace")
    return NAME_TAKEN.found(named=named, namespace=namespace, kind=resource.kind).cause


class _Apply:
    """One body on its way to the API server."""

    def __init__(self, cluster: Cluster, body: Mapping[str, Any], target: Target, dry_run: bool) -> None:
        self._cluster, self._body, self._target = cluster, body, target
        self._resource = resources.of(body)
        self._path = self._resource.path(body["metadata"].get("namespace"), body["metadata"]["name"])
        self._query = [("fieldManager", field_manager(target.instance.id))]
        if dry_run:
            self._query.append(("dryRun", "All"))
        self.doing = f"apply {self._resource.named(body['metadata'])}"

    def over(self, found: Object | None, *, bare: bool = False) -> Answer:
        """Send it on condition that nothing is there (None), or what was found; the answer may be a 409."""
        conditions = {} if bare else {"resourceVersion": _NEVER}
        if found is not None:
            conditions = {name: found["metadata"][name] for name in ("uid", "resourceVersion")}
        body = {**self._body, "metadata": {**self._body["metadata"], **conditions}}
        request = Request(self.doing, "PATCH", self._path, self._query, body, APPLY)
        secrets = secrets_of(self._body)
        answer = self._cluster.send(request, also=(_CONFLICT, _INVALID), secrets=secrets)
        # A condition that isn't met may be told as an impossible change, too.
        if answer.status == _INVALID and not trouble.complains_of(answer, *_CONDITIONS):
            raise trouble.refusal(answer, self.doing, secrets)
        return answer

    def look(self) -> Object | None:
        """What is there by that name, when we may apply over it. Raises Refused, Unavailable."""
        answer = self._cluster.send(Request(f"get{self.doing[5:]}", "GET", self._path), also=(_ABSENT,))
        if not answer.fine:
            return None
        found = answer.json()
        self.check(found)
        return found

    def check(self, found: Object) -> None:
        """Return when `found` is this instance's, and no later step's. Raises Refused, Unavailable."""
        metadata = found["metadata"]
        if not is_ours(metadata, self._target.installation_id, self._target.instance.id):
            raise Refused(owned_by_another(self._resource, metadata))
        check_fence(metadata, self._target)
        if metadata.get("deletionTimestamp"):
            cause = _ending(f"{self._resource.named(metadata)} is still being deleted{held_by(metadata)}.")
            raise Unavailable(cause.message, cause.remedy, cause=cause)


def _ending(told: str) -> Cause:
    remedy = "Wait: it is tried again by itself. A finalizer is taken away by whoever put it there."
    return Cause(code=CauseCode.STOPPING, message=told, remedy=remedy)
