"""Keeps late steps out: the instance's anchor holds the highest fence seen, and its UID owns what is applied.

The anchor is a ConfigMap, made first and removed last. A step that writes passes here first, which raises the anchor's
fence to its own; each other object bears the fence of who wrote it last, too, and is written only as it was looked at
(`applying`), so that a step that was frozen in between finds a higher fence, or none of what it looked at.

After the anchor is gone a late apply has an owner that is dead, and Kubernetes removes what it made (measured: within a
second); only the volume claim has no owner. What remains is a late `apply_credentials`, frozen before it made the
anchor and thawed after the end of the instance: it makes an anchor that lives. So whoever has made an anchor, or a
volume claim, asks once more whether the step's claim is its own, and takes that away again when it isn't. One that is
killed in the instant between leaves an object without a living instance, which the audit finds and deletes.

The anchor is remembered as it was seen last, and raised on the condition that it still is so: a look is made only when
it isn't.
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from uuid import UUID

from toygres.config import Settings
from toygres.errors import Cause, CauseCode, Refused, Unavailable
from toygres.platforms.kubernetes import applying, calls, removing, resources
from toygres.platforms.kubernetes.client import Cluster
from toygres.platforms.kubernetes.labels import is_ours
from toygres.platforms.kubernetes.manifests import anchor
from toygres.platforms.kubernetes.names import Names
from toygres.platforms.kubernetes.owner import Owner
from toygres.platforms.kubernetes.resources import Resource
from toygres.platforms.protocol import Target

_LOOKS = 6
_REMEMBERED = 1000


class Fence:
    """The anchors of a cluster's instances, for the steps that one process takes."""

    def __init__(self, cluster: Cluster, settings: Settings | None = None) -> None:
        self._cluster = cluster
        self._settings = settings
        self._lock = threading.Lock()
        self._seen: OrderedDict[UUID, calls.Object] = OrderedDict()

    def ensure_anchor(self, namespace: str, target: Target) -> tuple[Owner, bool]:
        """Make the anchor, or pass the one that is there; and whether it was made just now.

        For `apply_credentials` only, which begins an instance.
        Raises Refused (FencedOff, or when its name is somebody else's), Unavailable.
        """
        made = applying.apply(self._cluster, anchor(target, namespace, self._settings), target)
        self.take_back_if_late(resources.CONFIG_MAPS, namespace, target, made)
        return self._passed(target, made.object), made.created

    def passed(self, namespace: str, target: Target) -> Owner:
        """The anchor, its fence raised to the target's; for every other step that applies something.

        Raises Refused (FencedOff) below its fence, and when it is gone or going; Unavailable.
        """
        owner = self.passed_unless_gone(namespace, target)
        if owner is None:
            raise Refused(_gone(target))
        return owner

    def passed_unless_gone(self, namespace: str, target: Target) -> Owner | None:
        """As `passed`, for steps that remove something: None when no anchor stands, or only somebody else's."""
        found = self._remembered(namespace, target)
        for _ in range(_LOOKS):
            if found is None and (found := self._look(namespace, target)) is None:
                return None
            if raised := self._raised(namespace, target, found):
                return self._passed(target, raised)
            found = None
        told = f"ConfigMap {Names.of(target.instance).anchor} changes all the time; its fence can't be raised."
        remedy = "Wait: it is tried again by itself. See who writes to it if it stays so."
        raise Unavailable(told, remedy, cause=Cause(code=CauseCode.CHANGED_MEANWHILE, message=told, remedy=remedy))

    def take_back_if_late(self, resource: Resource, namespace: str, target: Target, made: calls.Applied) -> None:
        """Remove what was just made when the claim isn't the target's any more; for what has no owner to go with.

        Whoever took over may have taken the object up: then it was written to, and is left. Controllers write to it as
        well, so it is looked at again for as long as nobody's fence but ours is on it.
        Raises Refused (FencedOff), Unavailable.
        """
        if not made.created or target.held():
            return
        found: calls.Object | None = made.object
        for _ in range(_LOOKS):
            if found is None or not _is_as_made(found, made.object):
                break
            removing.delete(self._cluster, resource, namespace, found["metadata"], unchanged=True)
            found = calls.get(self._cluster, resource, namespace, made.object["metadata"]["name"])
        raise Refused(_gone(target))

    def _look(self, namespace: str, target: Target) -> calls.Object | None:
        name = Names.of(target.instance).anchor
        found = calls.get(self._cluster, resources.CONFIG_MAPS, namespace, name)
        if found is None or not is_ours(found["metadata"], target.installation_id, target.instance.id):
            return None
        applying.check_fence(found["metadata"], target)
        return None if found["metadata"].get("deletionTimestamp") else found

    def _raised(self, namespace: str, target: Target, found: calls.Object) -> calls.Object | None:
        """The anchor with the target's fence; None when somebody else changed it meanwhile."""
        if applying.fence_of(found["metadata"]) == target.fence:
            return found
        applied = applying.apply_over(self._cluster, anchor(target, namespace, self._settings), target, found)
        return applied.object if applied else None

    def _remembered(self, namespace: str, target: Target) -> calls.Object | None:
        """The anchor as it was seen last, if it can be raised from there: only then the API server says whether it is.

        What it says then is as good as a look.
        """
        with self._lock:
            seen = self._seen.get(target.instance.id)
        if seen is None or seen["metadata"]["namespace"] != namespace:
            return None
        return seen if applying.fence_of(seen["metadata"]) < target.fence else None

    def _passed(self, target: Target, anchor: calls.Object) -> Owner:
        metadata = {key: value for key, value in anchor["metadata"].items() if key != "managedFields"}
        with self._lock:
            self._seen[target.instance.id] = {"metadata": metadata}
            self._seen.move_to_end(target.instance.id)
            while len(self._seen) > _REMEMBERED:
                self._seen.popitem(last=False)
        return Owner(name=metadata["name"], uid=metadata["uid"])


def _is_as_made(found: calls.Object, made: calls.Object) -> bool:
    """Whether the object is there still, with the fence of who made it, and isn't going already."""
    metadata, first = found["metadata"], made["metadata"]
    same = metadata["uid"] == first["uid"] and applying.fence_of(metadata) == applying.fence_of(first)
    return same and not metadata.get("deletionTimestamp")


def _gone(target: Target) -> Cause:
    return Cause(
        code=CauseCode.FENCED_OFF,
        message=f"Instance {target.instance.name} has no anchor any more: it was deleted, or somebody removed that.",
        remedy="If nobody deleted the instance: its data may still be on its volume claim, which deleting the instance "
        "erases. Take them out first, then delete it and order it again.",
    )
