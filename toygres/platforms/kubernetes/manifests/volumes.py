"""The pod's volumes, and where its container has them."""

from __future__ import annotations

from typing import Any

from toygres.domain.quantity import format_bytes
from toygres.platforms.kubernetes.configuration import FILES, SOCKETS, TLS
from toygres.platforms.kubernetes.manifests.monitor import SCRIPT
from toygres.platforms.kubernetes.names import Names
from toygres.platforms.kubernetes.versions import Version
from toygres.platforms.protocol import Target

PASSWORD = "/etc/toygres/credentials"  # noqa: S105 (a folder)
_SCRIPTS = "/docker-entrypoint-initdb.d"
# With fsGroup the server's group reads what root owns, and PostgreSQL takes a key that no others read.
_GROUP_READS = 0o440
_SHARED_MEMORY_STEP = 2**20


def volumes(target: Target) -> list[dict[str, Any]]:
    """What the pod has; all but the data end with it."""
    names = Names.of(target.instance)
    return [
        {"name": "data", "persistentVolumeClaim": {"claimName": names.data}},
        {"name": "conf", "configMap": {"name": names.config}},
        {"name": "tls", "secret": {"secretName": names.tls, "defaultMode": _GROUP_READS}},
        {"name": "credentials", "secret": _only_the_password(names)},
        {"name": "scripts", "projected": _scripts(names)},
        {"name": "run", "emptyDir": {"sizeLimit": "16Mi"}},
        {"name": "tmp", "emptyDir": {"sizeLimit": "1Gi"}},
        # What the container runtime has there is 64 MiB, too little for parallel queries.
        {"name": "shm", "emptyDir": {"medium": "Memory", "sizeLimit": _shared_memory(target)}},
    ]


def mounts(version: Version) -> list[dict[str, Any]]:
    """Where they are in the container."""
    return [
        {"name": "data", "mountPath": version.mount},
        {"name": "conf", "mountPath": FILES, "readOnly": True},
        {"name": "tls", "mountPath": TLS, "readOnly": True},
        {"name": "credentials", "mountPath": PASSWORD, "readOnly": True},
        {"name": "scripts", "mountPath": _SCRIPTS, "readOnly": True},
        {"name": "run", "mountPath": SOCKETS},
        {"name": "tmp", "mountPath": "/tmp"},  # noqa: S108 (the pod's own)
        {"name": "shm", "mountPath": "/dev/shm"},  # noqa: S108 (the pod's own)
    ]


def _only_the_password(names: Names) -> dict[str, Any]:
    return {
        "secretName": names.credentials,
        "defaultMode": _GROUP_READS,
        "items": [{"key": "password", "path": "password"}],
    }


def _scripts(names: Names) -> dict[str, Any]:
    """The image's entrypoint runs these in the order of their names, when it makes the data directory."""
    role = {"name": names.monitor, "items": [{"key": SCRIPT, "path": "10-monitor.sql"}]}
    finish = {"name": names.config, "items": [{"key": "finish.sh", "path": "99-finish.sh"}]}
    return {"defaultMode": _GROUP_READS, "sources": [{"secret": role}, {"configMap": finish}]}


def _shared_memory(target: Target) -> str:
    half = target.instance.spec.memory_bytes // 2
    return format_bytes(max(1, half // _SHARED_MEMORY_STEP) * _SHARED_MEMORY_STEP)
