"""One instance whose every part is fixed, so that its manifests are the same whenever they are built."""

from __future__ import annotations

import json
import os
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any
from unittest.mock import patch
from uuid import UUID

from toygres.config import Settings, load
from toygres.domain.authority import Authority
from toygres.domain.instance import (
    Availability,
    Credentials,
    Instance,
    InstanceSpec,
    InstanceState,
    Login,
    ServiceType,
)
from toygres.domain.names import MONITOR_USER
from toygres.platforms.kubernetes import manifests
from toygres.platforms.kubernetes.certificates import ServerCertificate
from toygres.platforms.kubernetes.owner import Owner
from toygres.platforms.protocol import Target

NAMESPACE = "toygres"
ID = UUID("0198c0de-0000-7000-8000-0000feedbeef")
INSTALLATION = UUID("0198c0de-1111-7000-8000-000000000001")
OPERATION = UUID("0198c0de-2222-7000-8000-000000000002")
OWNER = Owner(name="demo-anchor", uid="5f9a1f4e-0000-4000-8000-000000000003")
NOW = datetime(2026, 11, 23, 12, 0, 0, tzinfo=UTC)
LOGINS = Credentials(
    user=Login(user="postgres", password="made:up/p@ss"), monitor=Login(user=MONITOR_USER, password="made-up-too")
)
AUTHORITY = Authority(certificate="(the project's certificate)\n", key="(never in a manifest)\n")
ISSUED = ServerCertificate(certificate="(the server's certificate)\n", key="(the server's key)\n")

Manifest = dict[str, Any]
_ZONE_A = {"nodeSelectorTerms": [{"matchExpressions": [{"key": "zone", "operator": "In", "values": ["a"]}]}]}


def target(**spec: Any) -> Target:
    """A step's target; `spec` is what was asked for otherwise."""
    asked = InstanceSpec(version="16", storage_bytes=10 * 2**30, cpu_millicores=500, memory_bytes=512 * 2**20)
    instance = Instance(
        id=ID,
        project="default",
        name="demo",
        platform="kubernetes",
        spec=replace(asked, **spec),
        generation=1,
        observed_generation=0,
        state=InstanceState.CREATING,
        port=None,
        endpoint=None,
        available=Availability(value=False, since=None, cause=None),
        operation_id=OPERATION,
        created_at=NOW,
        updated_at=NOW,
    )
    return Target(instance=instance, fence=7, operation_id=OPERATION, installation_id=INSTALLATION)


def plain() -> Settings:
    """The settings of somebody who set nothing."""
    return chosen()


def fussy() -> Settings:
    """The settings of somebody who set everything, as the environment would have it."""
    return chosen(
        kube_control_namespace="platform",
        kube_cluster_domain="k8s.example",
        kube_image_prefix="registry.example.com/mirror/",
        kube_pull_secrets="registry,other",
        kube_storage_class="fast",
        kube_node_selector='{"disk": "ssd"}',
        kube_tolerations='[{"key": "databases", "operator": "Exists", "effect": "NoSchedule"}]',
        kube_affinity=json.dumps({"nodeAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": _ZONE_A}}),
        kube_priority_class="databases",
        kube_labels='{"team": "data"}',
        kube_annotations='{"example.com/cost": "42"}',
        kube_load_balancers="true",
        kube_load_balancer_class="example.com/internal",
        kube_allowed_namespaces="monitoring",
        kube_allowed_cidrs="10.1.0.0/16",
    )


def chosen(**values: str) -> Settings:
    """Settings with these values, as the environment would have them."""
    # Neither the tester's variables nor an `up` of the tester's own.
    with patch.dict(os.environ, {"TOYGRES_HOME": "/nowhere"}):
        return load(**values)


def fussy_target() -> Target:
    """What the request may choose, chosen."""
    return target(
        version="18",
        parameters={"work_mem": "16MB", "log_statement": "all"},
        user="the owner",
        database='a "b" & $(PGDATA)',
        storage_class="faster",
        service_type=ServiceType.LOAD_BALANCER,
        allowed_cidrs=("192.0.2.0/24",),
        allowed_namespaces=("apps", "monitoring"),
    )


def all_manifests(asked: Target, settings: Settings) -> dict[str, Manifest]:
    """Every object of the instance, and what its namespace needs, by the name of its builder."""
    where = (asked, NAMESPACE, OWNER, settings)
    return {
        "namespace": manifests.namespace(NAMESPACE),
        "service_account": manifests.service_account(NAMESPACE),
        "anchor": manifests.anchor(asked, NAMESPACE, settings),
        "credentials": manifests.credentials(*where, LOGINS, AUTHORITY),
        "monitor": manifests.monitor(*where, LOGINS, AUTHORITY),
        "tls": manifests.tls(*where, ISSUED, AUTHORITY),
        "config": manifests.config(*where),
        "data": manifests.data(asked, NAMESPACE, settings),
        "service": manifests.service(*where),
        "stateful_set": manifests.stateful_set(*where),
        "network_policy": manifests.network_policy(*where),
    }
