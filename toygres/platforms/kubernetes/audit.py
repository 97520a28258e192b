"""All objects of an installation, by instance, each of which can be discarded as it was found."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any
from uuid import UUID

from toygres.platforms.kubernetes import calls, removing, resources
from toygres.platforms.kubernetes.applying import fence_of
from toygres.platforms.kubernetes.client import Cluster
from toygres.platforms.kubernetes.labels import FENCE, INSTALLATION, instance_id_of
from toygres.platforms.kubernetes.resources import Resource
from toygres.platforms.protocol import Trace


def found(cluster: Cluster, namespace: str, installation_id: UUID) -> Mapping[UUID, Trace]:
    """What each instance has there now. Raises Refused, Unavailable."""
    seen: defaultdict[UUID, list[tuple[Resource, Mapping[str, Any]]]] = defaultdict(list)
    for resource in resources.OF_AN_INSTANCE:
        for page in calls.pages(cluster, resource, namespace, f"{INSTALLATION}={installation_id}"):
            for metadata in (each["metadata"] for each in page.get("items") or ()):
                if instance_id := instance_id_of(metadata):
                    seen[instance_id].append((resource, _kept(metadata)))
    return {
        instance_id: Trace(
            fence=max(fence_of(metadata) for _, metadata in objects),
            discard=partial(_discard, cluster, namespace, objects),
        )
        for instance_id, objects in seen.items()
    }


def _kept(metadata: Mapping[str, Any]) -> Mapping[str, Any]:
    """What is needed of it: a thousand instances have nine thousand objects."""
    fence = (metadata.get("annotations") or {}).get(FENCE)
    kept = {name: metadata[name] for name in ("name", "uid", "resourceVersion")}
    return {**kept, "annotations": {FENCE: fence}} if fence is not None else kept


def _discard(cluster: Cluster, namespace: str, objects: Sequence[tuple[Resource, Mapping[str, Any]]]) -> Sequence[str]:
    for resource, metadata in objects:
        removing.delete(cluster, resource, namespace, metadata, unchanged=True)
    return [resource.named(metadata) for resource, metadata in objects]
