"""How a person removes an instance from a cluster without Toygres: the words of one kubectl command."""

from __future__ import annotations

import os
import shlex
from contextlib import suppress

from toygres.config import Settings
from toygres.domain.instance import Instance
from toygres.errors import Misconfigured
from toygres.platforms.kubernetes.client import Cluster
from toygres.platforms.kubernetes.labels import selector
from toygres.platforms.kubernetes.names import namespace
from toygres.platforms.kubernetes.resources import OF_AN_INSTANCE


def removal(settings: Settings, instance: Instance) -> str:
    """The command that deletes all objects of the instance, its data with them; asks nobody."""
    kinds = ",".join(resource.plural for resource in OF_AN_INSTANCE)
    words = ["kubectl", *_way(settings), "--namespace", namespace(settings, instance.project)]
    return _variable() + shlex.join([*words, "delete", kinds, "--selector", selector(instance.id)])


def _way(settings: Settings) -> list[str]:
    with suppress(Misconfigured):
        context = Cluster(settings.kube_context).describe().context
        return ["--context", context] if context else []
    return ["--context", settings.kube_context] if settings.kube_context else []


def _variable() -> str:
    named = os.environ.get("KUBECONFIG")
    return f"KUBECONFIG={shlex.quote(named)} " if named else ""
