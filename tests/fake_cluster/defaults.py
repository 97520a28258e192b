"""What the API server adds to an object that it stores."""

from __future__ import annotations

import base64
from typing import TYPE_CHECKING, Any

from fake_cluster.store import copied

if TYPE_CHECKING:
    from fake_cluster.cluster import FakeCluster

Json = dict[str, Any]

_DEFAULT_CLASS = "storageclass.kubernetes.io/is-default-class"


def filled(cluster: FakeCluster, kind: str, value: Json) -> Json:
    """A copy of `value` with its defaults."""
    result = copied(value)
    fill = _FILLERS.get(kind)
    if fill:
        fill(cluster, result)
    return result


def default_class(cluster: FakeCluster) -> str | None:
    """The name of the storage class that claims get; None when no class is the default."""
    for value in cluster.store.list("storageclasses.storage.k8s.io"):
        if (value["metadata"].get("annotations") or {}).get(_DEFAULT_CLASS) == "true":
            return str(value["metadata"]["name"])
    return None


def _namespace(cluster: FakeCluster, value: Json) -> None:
    value["metadata"].setdefault("labels", {})["kubernetes.io/metadata.name"] = value["metadata"]["name"]
    value.setdefault("spec", {}).setdefault("finalizers", ["kubernetes"])
    value.setdefault("status", {}).setdefault("phase", "Active")


def _secret(cluster: FakeCluster, value: Json) -> None:
    plain = value.pop("stringData", None) or {}
    coded = {key: base64.b64encode(text.encode()).decode() for key, text in plain.items()}
    if coded:
        value["data"] = (value.get("data") or {}) | coded
    value.setdefault("type", "Opaque")


def _volume_claim(cluster: FakeCluster, value: Json) -> None:
    metadata, spec = value["metadata"], value["spec"]
    finalizers = metadata.setdefault("finalizers", [])
    if "kubernetes.io/pvc-protection" not in finalizers and "uid" not in metadata:
        finalizers.append("kubernetes.io/pvc-protection")
    if "storageClassName" not in spec and (found := default_class(cluster)):
        spec["storageClassName"] = found
    spec.setdefault("volumeMode", "Filesystem")
    value.setdefault("status", {}).setdefault("phase", "Pending")


def _service(cluster: FakeCluster, value: Json) -> None:
    spec = value["spec"]
    spec.setdefault("type", "ClusterIP")
    for port in spec.get("ports") or []:
        port.setdefault("protocol", "TCP")
        port.setdefault("targetPort", port["port"])
        if spec["type"] != "ClusterIP":
            port.setdefault("nodePort", 30000 + cluster.number() % 2768)
    if spec["type"] != "ExternalName" and not spec.get("clusterIP"):
        spec["clusterIP"] = cluster.network.service_address()
    spec.setdefault("clusterIPs", [spec.get("clusterIP")])
    for key, default in (
        ("sessionAffinity", "None"),
        ("ipFamilies", ["IPv4"]),
        ("ipFamilyPolicy", "SingleStack"),
        ("internalTrafficPolicy", "Cluster"),
    ):
        spec.setdefault(key, default)
    if spec["type"] == "LoadBalancer":
        spec.setdefault("externalTrafficPolicy", "Cluster")
        spec.setdefault("allocateLoadBalancerNodePorts", True)
    value.setdefault("status", {}).setdefault("loadBalancer", {})


def _stateful_set(cluster: FakeCluster, value: Json) -> None:
    spec = value["spec"]
    spec.setdefault("replicas", 1)
    spec.setdefault("podManagementPolicy", "OrderedReady")
    spec.setdefault("updateStrategy", {}).setdefault("type", "RollingUpdate")
    if spec["updateStrategy"]["type"] == "RollingUpdate":
        spec["updateStrategy"].setdefault("rollingUpdate", {}).setdefault("partition", 0)
    spec.setdefault("revisionHistoryLimit", 10)
    retention = spec.setdefault("persistentVolumeClaimRetentionPolicy", {})
    retention.setdefault("whenDeleted", "Retain")
    retention.setdefault("whenScaled", "Retain")
    pod_spec(spec["template"].setdefault("spec", {}))
    value.setdefault("status", {"replicas": 0, "availableReplicas": 0})


def _pod(cluster: FakeCluster, value: Json) -> None:
    pod_spec(value["spec"])
    value["spec"].setdefault("serviceAccountName", "default")
    value["spec"].setdefault("serviceAccount", value["spec"]["serviceAccountName"])
    value["spec"].setdefault("enableServiceLinks", True)
    value["spec"].setdefault("priority", 0)
    value["spec"].setdefault("preemptionPolicy", "PreemptLowerPriority")
    tolerations = value["spec"].setdefault("tolerations", [])
    for trouble in ("not-ready", "unreachable"):
        key = f"node.kubernetes.io/{trouble}"
        if not any(toleration.get("key") == key for toleration in tolerations):
            tolerations.append({"key": key, "operator": "Exists", "effect": "NoExecute", "tolerationSeconds": 300})
    value.setdefault("status", {"phase": "Pending", "qosClass": "Burstable"})


def pod_spec(spec: Json) -> None:
    """Fill in a pod's spec."""
    for container in [*(spec.get("initContainers") or []), *(spec.get("containers") or [])]:
        _container(container)
    for volume in spec.get("volumes") or []:
        for source in ("secret", "configMap", "projected", "downwardAPI"):
            if isinstance(volume.get(source), dict):
                volume[source].setdefault("defaultMode", 420)
    spec.setdefault("restartPolicy", "Always")
    spec.setdefault("terminationGracePeriodSeconds", 30)
    spec.setdefault("dnsPolicy", "ClusterFirst")
    if spec.get("serviceAccountName"):
        spec.setdefault("serviceAccount", spec["serviceAccountName"])
    spec.setdefault("securityContext", {})
    spec.setdefault("schedulerName", "default-scheduler")


def _container(container: Json) -> None:
    for port in container.get("ports") or []:
        port.setdefault("protocol", "TCP")
    for name in ("startupProbe", "readinessProbe", "livenessProbe"):
        if isinstance(probe := container.get(name), dict):
            for key, default in (("timeoutSeconds", 1), ("periodSeconds", 10)):
                probe.setdefault(key, default)
            for key, default in (("successThreshold", 1), ("failureThreshold", 3)):
                probe.setdefault(key, default)
    container.setdefault("terminationMessagePath", "/dev/termination-log")
    container.setdefault("terminationMessagePolicy", "File")
    latest = container.get("image", "").rpartition("/")[2]
    always = ":" not in latest or latest.endswith(":latest")
    container.setdefault("imagePullPolicy", "Always" if always else "IfNotPresent")
    container.setdefault("resources", {})
    limits = container["resources"].get("limits") or {}
    if limits:
        container["resources"]["requests"] = limits | (container["resources"].get("requests") or {})


def _network_policy(cluster: FakeCluster, value: Json) -> None:
    spec = value.setdefault("spec", {})
    spec.setdefault("podSelector", {})
    spec.setdefault("policyTypes", ["Ingress", *(["Egress"] if spec.get("egress") else [])])
    for rule in (spec.get("ingress") or []) + (spec.get("egress") or []):
        for port in rule.get("ports") or []:
            port.setdefault("protocol", "TCP")


def _quota(cluster: FakeCluster, value: Json) -> None:
    value.setdefault("status", {})


def _limits(cluster: FakeCluster, value: Json) -> None:
    for limit in value.get("spec", {}).get("limits") or []:
        if limit.get("max") and limit.get("type") == "Container":
            limit.setdefault("default", dict(limit["max"]))


_FILLERS = {
    "Namespace": _namespace,
    "Secret": _secret,
    "PersistentVolumeClaim": _volume_claim,
    "Service": _service,
    "StatefulSet": _stateful_set,
    "Pod": _pod,
    "NetworkPolicy": _network_policy,
    "ResourceQuota": _quota,
    "LimitRange": _limits,
}
