"""The ConfigMap with the server's configuration and the scripts of its first start."""

from __future__ import annotations

from toygres.config import Settings
from toygres.platforms.kubernetes import versions
from toygres.platforms.kubernetes.configuration import files
from toygres.platforms.kubernetes.manifests.metadata import Manifest, metadata
from toygres.platforms.kubernetes.names import Names
from toygres.platforms.kubernetes.owner import Owner
from toygres.platforms.protocol import Target


def config(target: Target, namespace: str, owner: Owner, settings: Settings) -> Manifest:
    """The ConfigMap `NAME-config`. Raises Refused for a parameter or a version that isn't offered."""
    spec = target.instance.spec
    return {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": metadata(target, namespace, Names.of(target.instance).config, settings, owner),
        "data": files(spec, versions.find(settings, spec.version)),
    }
