"""The pod's container: PostgreSQL's official image, its probes, its limits."""

from __future__ import annotations

import math
from typing import Any

from toygres.config import Settings
from toygres.domain.quantity import format_bytes, format_millicores
from toygres.platforms.kubernetes import versions
from toygres.platforms.kubernetes.configuration import FILES, arguments
from toygres.platforms.kubernetes.manifests.service import PORT_NAME
from toygres.platforms.kubernetes.manifests.volumes import PASSWORD, mounts
from toygres.platforms.kubernetes.names import CONTAINER, PORT
from toygres.platforms.protocol import Target

# How long a server may recover after a crash before it is killed, which would make it begin again. (How long a first
# start may take, its step decides.)
_RECOVERY_SECONDS = 3600
_PROBE_SECONDS = 3
_GRACE_PART = 0.75
# For the pod's own end, once the server has stopped.
_AFTER_STOP_SECONDS = 3


def container(target: Target, settings: Settings) -> dict[str, Any]:
    """The container `postgres`. Raises Refused for a version that isn't offered."""
    version = versions.find(settings, target.instance.spec.version)
    return {
        "name": CONTAINER,
        "image": version.image,
        "command": ["sh", f"{FILES}/start.sh"],
        "args": ["postgres", *arguments()],
        "env": _variables(target, version),
        "ports": [{"name": PORT_NAME, "containerPort": PORT, "protocol": "TCP"}],
        "resources": _resources(target),
        **_probes(target, settings),
        "lifecycle": {"preStop": {"exec": {"command": _stop(settings)}}},
        # PostgreSQL's last words then come with the pod's status.
        "terminationMessagePolicy": "FallbackToLogsOnError",
        "securityContext": {
            "allowPrivilegeEscalation": False,
            "readOnlyRootFilesystem": True,
            "capabilities": {"drop": ["ALL"]},
        },
        "volumeMounts": mounts(version),
    }


def _variables(target: Target, version: versions.Version) -> list[dict[str, str]]:
    spec = target.instance.spec
    values = {
        "POSTGRES_USER": spec.user,
        "POSTGRES_DB": spec.database,
        "POSTGRES_PASSWORD_FILE": f"{PASSWORD}/password",
        "POSTGRES_INITDB_ARGS": " ".join(version.initdb),
        "PGDATA": version.data,
    }
    return [{"name": name, "value": _literal(value)} for name, value in values.items()]


def _resources(target: Target) -> dict[str, Any]:
    spec = target.instance.spec
    wanted = {"cpu": format_millicores(spec.cpu_millicores), "memory": format_bytes(spec.memory_bytes)}
    # The same as request and limit: a server on memory that others use as well is the first to be killed.
    return {"requests": wanted, "limits": dict(wanted)}


def _probes(target: Target, settings: Settings) -> dict[str, Any]:
    # By address: on the socket the entrypoint's own server answers, while it makes the data directory.
    user = _literal(target.instance.spec.user)
    ask = ["pg_isready", "-h", "127.0.0.1", "-p", str(PORT), "-U", user, "-t", str(_PROBE_SECONDS - 1)]
    accepts = {"exec": {"command": ask}, "timeoutSeconds": _PROBE_SECONDS}
    patience = max(math.ceil(settings.server_start_seconds), _RECOVERY_SECONDS)
    return {
        "startupProbe": {**accepts, "periodSeconds": 1, "failureThreshold": patience},
        "readinessProbe": {**accepts, "periodSeconds": 5, "failureThreshold": 3},
        # Only whether it listens: a starved or a full server isn't cured by killing it.
        "livenessProbe": {
            "tcpSocket": {"port": PORT_NAME},
            "timeoutSeconds": _PROBE_SECONDS,
            "periodSeconds": 10,
            "failureThreshold": 6,
        },
    }


def grace_seconds(settings: Settings) -> int:
    """How long the pod may take to end: less than the step waits for it, which then sees that it has ended."""
    return max(2, math.floor(settings.server_stop_seconds * _GRACE_PART))


def _stop(settings: Settings) -> list[str]:
    return ["sh", f"{FILES}/stop.sh", str(max(1, grace_seconds(settings) - _AFTER_STOP_SECONDS))]


def _literal(text: str) -> str:
    """As Kubernetes leaves it, which else puts variables in the place of `$(NAME)`."""
    return text.replace("$", "$$")
