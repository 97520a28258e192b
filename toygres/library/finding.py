"""Instances without a metadata DB: what one is, is read from the labels and annotations of its objects."""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from functools import cached_property
from typing import Any
from uuid import UUID

from toygres.config import Settings, load
from toygres.domain.instance import Availability, Endpoint, Instance, InstanceSpec, InstanceState, ServiceType
from toygres.errors import Conflict
from toygres.library.quiet import hand_over
from toygres.planning import DEFAULT_PROJECT
from toygres.platforms.kubernetes import calls, resources
from toygres.platforms.kubernetes.applying import fence_of
from toygres.platforms.kubernetes.causes import service
from toygres.platforms.kubernetes.client import Cluster
from toygres.platforms.kubernetes.labels import INSTALLATION, SPEC, instance_id_of
from toygres.platforms.kubernetes.names import PORT, Names, hosts
from toygres.platforms.kubernetes.platform import KubernetesPlatform

# What the library makes belongs to no metadata DB; it knows its own by this, whichever process made it.
LIBRARY = UUID("7b1f6d5e-4a1c-5e0b-9c55-6c6962726172")


@dataclass(frozen=True, kw_only=True)
class Found:
    """An instance as its objects tell; `fence` is the highest that was seen of it."""

    instance: Instance
    installation: str
    fence: int

    def require_ours(self) -> Found:
        """Return when the library made it. Raises Conflict for a control plane's."""
        if self.installation != str(LIBRARY):
            raise Conflict(
                f"{self.instance.name} belongs to a Toygres control plane (installation {self.installation}).",
                "Use its API or `toygres`, which keep account of it.",
            )
        return self


class Place:
    """One namespace of the cluster that the settings name."""

    def __init__(self, namespace: str | None = None) -> None:
        hand_over()
        self.settings: Settings = load(**({"kube_namespace": namespace} if namespace else {}))
        self.namespace = self.settings.kube_namespace
        self.cluster = Cluster(self.settings.kube_context)

    @cached_property
    def platform(self) -> KubernetesPlatform:
        """The platform on it."""
        return KubernetesPlatform("kubernetes", self.settings, self.cluster)

    def find(self, name: str) -> Found | None:
        """The instance of that name. Raises Refused, Unavailable, Misconfigured."""
        anchor = calls.get(self.cluster, resources.CONFIG_MAPS, self.namespace, f"{name}-anchor")
        named = f"app.kubernetes.io/instance={name},{INSTALLATION}={LIBRARY}"
        # The volume claim outlives an anchor that somebody removed.
        claims = [] if anchor else calls.list_labelled(self.cluster, resources.VOLUME_CLAIMS, self.namespace, named)
        for each in (anchor, *claims):
            identity = instance_id_of(each["metadata"]) if each else None
            if each and identity is not None:
                return self._found(name, identity, each["metadata"])
        return None

    def endpoint(self, name: str) -> Endpoint:
        """Where clients in the cluster connect."""
        return Endpoint(host=hosts(name, self.namespace, self.settings.kube_cluster_domain)[-1], port=PORT)

    def instance(self, name: str, identity: UUID, spec: InstanceSpec) -> Instance:
        """An instance as a row would say while it is made."""
        now = datetime.now(UTC)
        return Instance(
            id=identity,
            project=DEFAULT_PROJECT,
            name=name,
            platform="kubernetes",
            spec=spec,
            generation=1,
            observed_generation=1,
            state=InstanceState.CREATING,
            port=None,
            endpoint=self.endpoint(name),
            available=Availability(value=False, since=None, cause=None),
            operation_id=None,
            created_at=now,
            updated_at=now,
        )

    def balanced(self, found: Instance) -> Endpoint | None:
        """The load balancer's address; None where there is none, or none yet."""
        there = calls.get(self.cluster, resources.SERVICES, self.namespace, Names.of(found).service)
        address = service.address({"status": {}, **there}) if there else None
        return Endpoint(host=address, port=PORT) if address else None

    def _found(self, name: str, identity: UUID, metadata: dict[str, Any]) -> Found:
        stored = json.loads((metadata.get("annotations") or {}).get(SPEC, "{}"))
        spec = InstanceSpec(**{**_UNKNOWN, **stored})
        spec = replace(
            spec,
            service_type=ServiceType(spec.service_type),
            allowed_cidrs=tuple(spec.allowed_cidrs),
            allowed_namespaces=tuple(spec.allowed_namespaces),
        )
        installation = str((metadata.get("labels") or {}).get(INSTALLATION, ""))
        instance = self.instance(name, identity, spec)
        return Found(instance=instance, installation=installation, fence=fence_of(metadata))


# For an object whose annotation somebody took away: nothing is made from it.
_UNKNOWN: dict[str, Any] = {"version": "16", "storage_bytes": 0, "cpu_millicores": 0, "memory_bytes": 0}
