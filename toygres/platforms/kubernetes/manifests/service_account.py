"""The service account of all instances' pods in a namespace: it has no rights."""

from __future__ import annotations

from toygres.platforms.kubernetes.labels import COMMON
from toygres.platforms.kubernetes.manifests.metadata import Manifest
from toygres.platforms.kubernetes.names import SERVICE_ACCOUNT


def service_account(namespace: str) -> Manifest:
    """The ServiceAccount `toygres-postgres`."""
    return {
        "apiVersion": "v1",
        "kind": "ServiceAccount",
        "metadata": {"name": SERVICE_ACCOUNT, "namespace": namespace, "labels": dict(COMMON)},
        "automountServiceAccountToken": False,
    }
