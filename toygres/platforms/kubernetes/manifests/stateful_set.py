"""The StatefulSet: one pod with the server, or none while it is stopped."""

from __future__ import annotations

from typing import Any

from toygres.config import Settings
from toygres.platforms.kubernetes import labels, versions
from toygres.platforms.kubernetes.configuration import digest, files
from toygres.platforms.kubernetes.manifests.container import container, grace_seconds
from toygres.platforms.kubernetes.manifests.metadata import Manifest, metadata
from toygres.platforms.kubernetes.manifests.volumes import volumes
from toygres.platforms.kubernetes.names import SERVICE_ACCOUNT, Names
from toygres.platforms.kubernetes.owner import Owner
from toygres.platforms.protocol import Target

# `postgres` in the official images.
_USER = 999


def stateful_set(target: Target, namespace: str, owner: Owner, settings: Settings, *, replicas: int = 1) -> Manifest:
    """The StatefulSet `NAME`. Raises Refused for a parameter or a version that isn't offered."""
    names = Names.of(target.instance)
    return {
        "apiVersion": "apps/v1",
        "kind": "StatefulSet",
        "metadata": metadata(target, namespace, names.stateful_set, settings, owner),
        "spec": {
            "replicas": replicas,
            "serviceName": names.service,
            "selector": {"matchLabels": {labels.INSTANCE_ID: str(target.instance.id)}},
            # With the default a pod that never gets ready would never be replaced by a corrected one.
            "podManagementPolicy": "Parallel",
            "updateStrategy": {"type": "RollingUpdate"},
            "revisionHistoryLimit": 1,
            "template": {"metadata": _marks(target, settings), "spec": _pod(target, settings)},
        },
    }


def _marks(target: Target, settings: Settings) -> dict[str, Any]:
    """The pod's own labels and annotations: any change of them replaces it, so no fence and no operation."""
    spec = target.instance.spec
    configured = digest(files(spec, versions.find(settings, spec.version)))
    return {
        "labels": {**settings.kube_labels, **labels.labels(target)},
        "annotations": {**settings.kube_annotations, labels.CONFIG: configured},
    }


def _pod(target: Target, settings: Settings) -> dict[str, Any]:
    return {
        "serviceAccountName": SERVICE_ACCOUNT,
        "automountServiceAccountToken": False,
        # Else every Service of the namespace becomes variables.
        "enableServiceLinks": False,
        "terminationGracePeriodSeconds": grace_seconds(settings),
        "securityContext": {
            "runAsNonRoot": True,
            "runAsUser": _USER,
            "runAsGroup": _USER,
            "fsGroup": _USER,
            "fsGroupChangePolicy": "OnRootMismatch",
            "seccompProfile": {"type": "RuntimeDefault"},
        },
        "containers": [container(target, settings)],
        "volumes": volumes(target),
        **_placed(settings),
    }


def _placed(settings: Settings) -> dict[str, Any]:
    """Where the pod may run and what it comes from, by the platform's settings."""
    given = {
        "imagePullSecrets": [{"name": name} for name in settings.kube_pull_secrets],
        "nodeSelector": settings.kube_node_selector,
        "tolerations": list(settings.kube_tolerations),
        "affinity": settings.kube_affinity,
        "priorityClassName": settings.kube_priority_class,
    }
    return {key: value for key, value in given.items() if value}
