"""What can be asked for on Kubernetes."""

from __future__ import annotations

from toygres.config import Settings
from toygres.platforms.kubernetes.configuration import DEFAULTS
from toygres.platforms.parameters import catalogue
from toygres.platforms.protocol import Bounds, Capabilities, OneProject

_MIB = 2**20
_GIB = 2**30
_ALWAYS = frozenset({"storage_class"})
_ONE_PROJECT = OneProject(
    why="what is observed and audited is that one's namespace",
    remedy="Order it in that project, or on another platform; no setting changes this yet.",
)


def capabilities(settings: Settings) -> Capabilities:
    """All of it; the limits are kept by Kubernetes itself."""
    return Capabilities(
        kind="kubernetes",
        versions=settings.kube_versions,
        default_version=settings.kube_versions[0],
        tls=True,
        enforced=frozenset({"storage", "cpu", "memory"}),
        storage_bytes=Bounds(least=_GIB, most=64 * 1024 * _GIB, default=10 * _GIB),
        cpu_millicores=Bounds(least=10, most=256_000, default=500),
        memory_bytes=Bounds(least=128 * _MIB, most=4096 * _GIB, default=512 * _MIB),
        brings_back=True,
        one_project=_ONE_PROJECT,
        choices=_ALWAYS | _reach(settings),
        parameters={version: catalogue.parameters(version, DEFAULTS) for version in settings.kube_versions},
    )


def _reach(settings: Settings) -> frozenset[str]:
    """Who else may connect can be chosen where something keeps all others away."""
    allowed = frozenset({"allowed_cidrs", "allowed_namespaces"}) if settings.kube_network_policy else frozenset()
    return allowed | (frozenset({"service_type", "allowed_cidrs"}) if settings.kube_load_balancers else frozenset())
