"""Deleting an instance's objects: found by label, each deleted by its UID, somebody else's never touched."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from toygres.platforms.kubernetes import calls, resources
from toygres.platforms.kubernetes.client import Cluster, Request
from toygres.platforms.kubernetes.labels import is_ours, selector
from toygres.platforms.kubernetes.resources import Resource
from toygres.platforms.protocol import Target

# The set then stays until its pod is gone, so that one look at it tells all.
_FOREGROUND = frozenset({resources.STATEFUL_SETS})
_NOT_FOUND, _OTHER_UID = 404, 409


@dataclass(frozen=True)
class Removal:
    """What came of it: the objects that were told to go, and those that bear the name or label but aren't ours."""

    asked: tuple[str, ...] = ()
    foreign: tuple[str, ...] = ()


def delete(
    cluster: Cluster, resource: Resource, namespace: str, metadata: Mapping[str, Any], *, unchanged: bool = False
) -> None:
    """Tell exactly this object to go; absent, or another one by now, is fine. Raises Refused, Unavailable.

    With `unchanged` one that was written to since it was looked at is left, too: somebody may count on it.

    Doesn't wait: an object with finalizers, or with a pod, goes later.
    """
    body = {
        "apiVersion": "v1",
        "kind": "DeleteOptions",
        "propagationPolicy": "Foreground" if resource in _FOREGROUND else "Background",
        "preconditions": {name: metadata[name] for name in ("uid", *(("resourceVersion",) if unchanged else ()))},
    }
    path = resource.path(namespace, metadata["name"])
    request = Request(f"delete {resource.named(metadata)}", "DELETE", path, body=body)
    cluster.send(request, also=(_NOT_FOUND, _OTHER_UID))


def remove(
    cluster: Cluster, resource: Resource, namespace: str, target: Target, *, names: Sequence[str] | None = None
) -> Removal:
    """Tell the instance's objects of that kind to go, or those of `names` only; safe at any time.

    `names` are also looked for without a label: what has such a name and isn't the instance's is told as foreign.
    Raises Refused, Unavailable.
    """
    asked: list[str] = []
    foreign: list[str] = []
    found = _labelled(cluster, resource, namespace, target, names)
    for metadata in found:
        if not is_ours(metadata, target.installation_id, target.instance.id):
            foreign.append(resource.named(metadata))
            continue
        if not metadata.get("deletionTimestamp"):
            delete(cluster, resource, namespace, metadata)
        asked.append(resource.named(metadata))
    labelled = {metadata["name"] for metadata in found}
    foreign += _without_label(cluster, resource, namespace, [name for name in names or () if name not in labelled])
    return Removal(tuple(asked), tuple(foreign))


def bearing(
    cluster: Cluster, resource: Resource, namespace: str, target: Target, names: Sequence[str]
) -> Sequence[str]:
    """Objects that have one of `names` and aren't the instance's, as a person would name them."""
    found = [calls.get(cluster, resource, namespace, name) for name in names]
    metadata = [each["metadata"] for each in found if each is not None]
    others = [each for each in metadata if not is_ours(each, target.installation_id, target.instance.id)]
    return [resource.named(each) for each in others]


def remaining(cluster: Cluster, namespace: str, instance_id: UUID) -> list[str]:
    """Whatever is still there of the instance, its pod too, as a person would name it, with what keeps it from going.

    A list is read anew from the API server. Raises Refused, Unavailable.
    """
    return [
        _left(resource, found["metadata"])
        for resource in (resources.PODS, *resources.OF_AN_INSTANCE)
        for found in calls.list_labelled(cluster, resource, namespace, selector(instance_id))
    ]


def awaited(
    cluster: Cluster,
    kinds: Sequence[Resource],
    namespace: str,
    target: Target,
    *,
    names: Sequence[str] | None = None,
) -> list[str]:
    """As `remaining`, of these kinds (and `names`) only, and nothing that is another installation's: that won't go."""
    return [
        _left(resource, metadata)
        for resource in kinds
        for metadata in _labelled(cluster, resource, namespace, target, names)
        if is_ours(metadata, target.installation_id, target.instance.id)
    ]


def _labelled(
    cluster: Cluster, resource: Resource, namespace: str, target: Target, names: Sequence[str] | None
) -> list[Mapping[str, Any]]:
    found = calls.list_labelled(cluster, resource, namespace, selector(target.instance.id))
    return [each["metadata"] for each in found if names is None or each["metadata"]["name"] in names]


def _without_label(cluster: Cluster, resource: Resource, namespace: str, names: Sequence[str]) -> list[str]:
    found = [calls.get(cluster, resource, namespace, name) for name in names]
    return [resource.named(each["metadata"]) for each in found if each is not None]


def _left(resource: Resource, metadata: Mapping[str, Any]) -> str:
    going = f", being deleted{calls.held_by(metadata)}" if metadata.get("deletionTimestamp") else ""
    return f"{resource.named(metadata)}{going}"
