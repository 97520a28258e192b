"""Objects for tests that only need some: an instance's, as plain as the recorded ones."""

from __future__ import annotations

from typing import Any

Json = dict[str, Any]


def namespace(name: str = "toy", **labels: str) -> Json:
    return {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name, "labels": labels}}


def config_map(name: str = "note", data: Json | None = None, **metadata: Any) -> Json:
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name} | metadata, "data": data or {}}


def secret(name: str = "demo-credentials", **more: Any) -> Json:
    return {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": name}} | more


def volume_claim(name: str = "demo-data", size: str = "10Gi", **spec: Any) -> Json:
    spec = {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": size}}} | spec
    return {"apiVersion": "v1", "kind": "PersistentVolumeClaim", "metadata": {"name": name}, "spec": spec}


def service(name: str = "demo", **spec: Any) -> Json:
    spec = {"selector": {"app": name}, "ports": [{"name": "postgres", "port": 5432}]} | spec
    return {"apiVersion": "v1", "kind": "Service", "metadata": {"name": name}, "spec": spec}


def stateful_set(name: str = "demo", *, container: Json | None = None, pod: Json | None = None, **spec: Any) -> Json:
    """A StatefulSet on the claim `NAME-data`."""
    mounts = [{"name": "data", "mountPath": "/var/lib/postgresql/data"}]
    made = {"name": "postgres", "image": "postgres:16", "volumeMounts": mounts}
    made |= {"terminationMessagePolicy": "FallbackToLogsOnError"} | (container or {})
    volumes = [{"name": "data", "persistentVolumeClaim": {"claimName": f"{name}-data"}}]
    template = {"metadata": {"labels": {"app": name}}, "spec": {"containers": [made], "volumes": volumes} | (pod or {})}
    whole = {
        "serviceName": name,
        "replicas": 1,
        "selector": {"matchLabels": {"app": name}},
        "template": template,
    } | spec
    return {"apiVersion": "apps/v1", "kind": "StatefulSet", "metadata": {"name": name}, "spec": whole}
