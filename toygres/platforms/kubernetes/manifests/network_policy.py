"""The NetworkPolicy: who may reach the instance's port; what comes from the pod's own node always may."""

from __future__ import annotations

from typing import Any

from toygres.config import Settings
from toygres.platforms.kubernetes.labels import INSTANCE_ID
from toygres.platforms.kubernetes.manifests.metadata import Manifest, metadata
from toygres.platforms.kubernetes.names import PORT, Names
from toygres.platforms.kubernetes.owner import Owner
from toygres.platforms.protocol import Target

# Set by Kubernetes itself, on every namespace.
_NAME = "kubernetes.io/metadata.name"


def network_policy(target: Target, namespace: str, owner: Owner, settings: Settings) -> Manifest:
    """The NetworkPolicy `NAME`: the project's namespace, the control plane's, and what request and settings add."""
    return {
        "apiVersion": "networking.k8s.io/v1",
        "kind": "NetworkPolicy",
        "metadata": metadata(target, namespace, Names.of(target.instance).policy, settings, owner),
        "spec": {
            "podSelector": {"matchLabels": {INSTANCE_ID: str(target.instance.id)}},
            "policyTypes": ["Ingress"],
            "ingress": [{"from": _sources(target, namespace, settings), "ports": [{"protocol": "TCP", "port": PORT}]}],
        },
    }


def _sources(target: Target, namespace: str, settings: Settings) -> list[dict[str, Any]]:
    spec, control = target.instance.spec, settings.kube_control_namespace or settings.kube_namespace
    others = dict.fromkeys((control, *settings.kube_allowed_namespaces, *spec.allowed_namespaces))
    addresses = dict.fromkeys((*settings.kube_allowed_cidrs, *spec.allowed_cidrs))
    return [
        {"podSelector": {}},
        *({"namespaceSelector": {"matchLabels": {_NAME: other}}} for other in others if other != namespace),
        *({"ipBlock": {"cidr": cidr}} for cidr in addresses),
    ]
