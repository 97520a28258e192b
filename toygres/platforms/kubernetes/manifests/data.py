"""The volume claim: what the instance's data are on. It has no owner, so that no other object's end deletes data."""

from __future__ import annotations

from typing import Any

from toygres.config import Settings
from toygres.domain.quantity import format_bytes
from toygres.platforms.kubernetes.manifests.metadata import Manifest, metadata
from toygres.platforms.kubernetes.names import Names
from toygres.platforms.protocol import Target


def data(target: Target, namespace: str, settings: Settings) -> Manifest:
    """The volume claim `NAME-data-…`; its class is the request's, else the platform's, else the cluster's default."""
    spec = target.instance.spec
    wanted: dict[str, Any] = {
        "accessModes": ["ReadWriteOnce"],
        "resources": {"requests": {"storage": format_bytes(spec.storage_bytes)}},
    }
    if storage_class := spec.storage_class or settings.kube_storage_class:
        wanted["storageClassName"] = storage_class
    return {
        "apiVersion": "v1",
        "kind": "PersistentVolumeClaim",
        "metadata": metadata(target, namespace, Names.of(target.instance).data, settings),
        "spec": wanted,
    }
