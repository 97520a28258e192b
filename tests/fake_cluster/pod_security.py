"""The Pod Security Standard `restricted`: what a pod violates, in the admission's words."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

Json = dict[str, Any]

_LABEL = "pod-security.kubernetes.io/"
_ALLOWED_VOLUMES = {
    *("configMap", "csi", "downwardAPI", "emptyDir", "ephemeral", "image", "persistentVolumeClaim"),
    *("projected", "secret"),
}


def level(namespace: Json | None, mode: str) -> str:
    """The level that a namespace's labels ask for in a mode (`enforce`, `warn`); empty for none."""
    labels = (namespace or {}).get("metadata", {}).get("labels") or {}
    found = labels.get(f"{_LABEL}{mode}", "")
    return "" if found == "privileged" else found


def violations(spec: Json, level_name: str) -> str:
    """What a pod's spec violates, or an empty text."""
    if level_name != "restricted":
        return ", ".join(_host(spec))
    return ", ".join(_host(spec) + _containers(spec) + _volumes(spec))


def _host(spec: Json) -> list[str]:
    used = [f"{name}=true" for name in ("hostNetwork", "hostPID", "hostIPC") if spec.get(name)]
    paths = [f'"{volume["name"]}"' for volume in spec.get("volumes") or [] if "hostPath" in volume]
    found = [f"host namespaces ({', '.join(used)})"] if used else []
    return found + ([f"hostPath volumes (volume {', '.join(paths)})"] if paths else [])


def _containers(spec: Json) -> list[str]:
    containers = [*(spec.get("initContainers") or []), *(spec.get("containers") or [])]
    pod = spec.get("securityContext") or {}

    def those(bad: Callable[[Json], bool]) -> str:
        names = [f'"{item["name"]}"' for item in containers if bad(item.get("securityContext") or {})]
        return f"container{'s' if len(names) > 1 else ''} {', '.join(names)}" if names else ""

    def seccomp(context: Json) -> str:
        profile = context.get("seccompProfile") or pod.get("seccompProfile") or {}
        return str(profile.get("type", ""))

    found = []
    if names := those(lambda context: context.get("allowPrivilegeEscalation") is not False):
        found.append(
            f"allowPrivilegeEscalation != false ({names} must set securityContext.allowPrivilegeEscalation=false)"
        )
    if names := those(lambda context: "ALL" not in ((context.get("capabilities") or {}).get("drop") or [])):
        found.append(f'unrestricted capabilities ({names} must set securityContext.capabilities.drop=["ALL"])')
    if names := those(lambda context: context.get("runAsNonRoot", pod.get("runAsNonRoot")) is not True):
        found.append(f"runAsNonRoot != true (pod or {names} must set securityContext.runAsNonRoot=true)")
    if names := those(lambda context: context.get("runAsUser", pod.get("runAsUser")) == 0):
        found.append(f"runAsUser=0 (pod or {names} must not set runAsUser=0)")
    if names := those(lambda context: seccomp(context) not in {"RuntimeDefault", "Localhost"}):
        found.append(
            f'seccompProfile (pod or {names} must set securityContext.seccompProfile.type to "RuntimeDefault" or '
            '"Localhost")'
        )
    return found


def _volumes(spec: Json) -> list[str]:
    bad = [
        f'"{volume["name"]}"'
        for volume in spec.get("volumes") or []
        if not (set(volume) - {"name"}) <= _ALLOWED_VOLUMES and "hostPath" not in volume
    ]
    return [f"restricted volume types (volume {', '.join(bad)} uses restricted volume type)"] if bad else []
