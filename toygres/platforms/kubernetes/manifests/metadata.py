"""What all objects of an instance have in common: name, labels, annotations, owner."""

from __future__ import annotations

from typing import Any

from toygres.config import Settings
from toygres.platforms.kubernetes import labels
from toygres.platforms.kubernetes.owner import Owner
from toygres.platforms.protocol import Target

Manifest = dict[str, Any]


def metadata(
    target: Target, namespace: str, name: str, settings: Settings | None, owner: Owner | None = None
) -> dict[str, Any]:
    """An object's metadata; what the settings add never stands in the place of ours."""
    more_labels = settings.kube_labels if settings else {}
    more_annotations = settings.kube_annotations if settings else {}
    made: dict[str, Any] = {
        "name": name,
        "namespace": namespace,
        "labels": {**more_labels, **labels.labels(target)},
        "annotations": {**more_annotations, **labels.annotations(target)},
    }
    if owner is not None:
        made["ownerReferences"] = [owner.reference()]
    return made
