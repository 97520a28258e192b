"""The Service: what clients connect to, in the cluster or through a load balancer."""

from __future__ import annotations

from typing import Any

from toygres.config import Settings, variable
from toygres.domain.instance import ServiceType
from toygres.errors import Cause, CauseCode, Refused
from toygres.platforms.kubernetes.labels import INSTANCE_ID
from toygres.platforms.kubernetes.manifests.metadata import Manifest, metadata
from toygres.platforms.kubernetes.names import PORT, Names
from toygres.platforms.kubernetes.owner import Owner
from toygres.platforms.protocol import Target

PORT_NAME = "postgresql"


def service(target: Target, namespace: str, owner: Owner, settings: Settings) -> Manifest:
    """The Service `NAME`. Raises Refused for a load balancer that isn't allowed, or would be open to everybody."""
    balanced = target.instance.spec.service_type is ServiceType.LOAD_BALANCER
    made = metadata(target, namespace, Names.of(target.instance).service, settings, owner)
    if balanced:
        made["annotations"] = {**settings.kube_load_balancer_annotations, **made["annotations"]}
    return {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": made,
        "spec": {
            "selector": {INSTANCE_ID: str(target.instance.id)},
            "ports": [{"name": PORT_NAME, "port": PORT, "protocol": "TCP", "targetPort": PORT_NAME}],
            "publishNotReadyAddresses": False,
            **(_load_balancer(target, settings) if balanced else {"type": "ClusterIP"}),
        },
    }


def _load_balancer(target: Target, settings: Settings) -> dict[str, Any]:
    sources = target.instance.spec.allowed_cidrs
    if not settings.kube_load_balancers:
        raise Refused(_not_allowed())
    if not sources:
        raise Refused(_open_to_all())
    made: dict[str, Any] = {
        "type": "LoadBalancer",
        "loadBalancerSourceRanges": list(sources),
        # Else clients come from a node's address, which the NetworkPolicy would have to let in.
        "externalTrafficPolicy": "Local",
    }
    if settings.kube_load_balancer_class:
        made["loadBalancerClass"] = settings.kube_load_balancer_class
    return made


def _not_allowed() -> Cause:
    return Cause(
        code=CauseCode.CHANGE_IMPOSSIBLE,
        message="This platform's settings allow no load balancers.",
        remedy=f"Order the instance without one, or set {variable('kube_load_balancers')}=true.",
    )


def _open_to_all() -> Cause:
    return Cause(
        code=CauseCode.CHANGE_IMPOSSIBLE,
        message="A load balancer without source ranges would let everybody in.",
        remedy="Order the instance with the addresses that may connect, as CIDRs.",
    )
