"""The anchor: a ConfigMap that owns everything of an instance but its volume claim."""

from __future__ import annotations

from toygres.config import Settings
from toygres.platforms.kubernetes.manifests.metadata import Manifest, metadata
from toygres.platforms.kubernetes.names import Names
from toygres.platforms.protocol import Target

_ABOUT = "Deleting this object deletes all of the instance but its data. Use `toygres delete {name}`."


def anchor(target: Target, namespace: str, settings: Settings | None = None) -> Manifest:
    """The anchor of the instance; its fence is the annotation that all objects have."""
    instance = target.instance
    return {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": metadata(target, namespace, Names.of(instance).anchor, settings),
        "data": {"about": _ABOUT.format(name=instance.name)},
    }
