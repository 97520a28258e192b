"""Volume claims: provisioning and binding, growing, and the finalizer that waits for pods."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from fake_cluster import deleting, seeds
from fake_cluster.controllers.soon import Soon
from fake_cluster.events import VOLUMES
from fake_cluster.store import Change

if TYPE_CHECKING:
    from fake_cluster.cluster import FakeCluster

Json = dict[str, Any]
Key = tuple[str, str]
_PROTECTION = "kubernetes.io/pvc-protection"


class Claims:
    """Binds claims as the recorded host-path provisioner does."""

    def __init__(self, cluster: FakeCluster) -> None:
        self._cluster = cluster
        self._look = Soon(cluster.clock, self._looked)
        self._protect = Soon(cluster.clock, self._protected)

    def noticed(self, change: Change) -> None:
        metadata = change.object["metadata"]
        if change.resource == "persistentvolumeclaims":
            key = (metadata["namespace"], metadata["name"])
            if change.type == "DELETED":
                self._reclaim(change.object)
            elif metadata.get("deletionTimestamp"):
                self._protect.ask(key, 0.02)
            elif change.type == "ADDED":
                self._look.ask(key, 0.004)
            elif _wants_more(change.object):
                self._cluster.clock.later(1.0, lambda: self._grow(key))
        elif change.resource == "pods" and change.type == "DELETED":
            for name in claims_of(change.object):
                self._protect.ask((metadata["namespace"], name), 0.02)

    def bind_for(self, key: Key) -> None:
        """A pod that waits for a claim of a class that binds late is being scheduled."""
        self._provision(key)

    def _get(self, key: Key) -> Json | None:
        return self._cluster.store.get("persistentvolumeclaims", *key)

    def _class(self, claim: Json) -> Json | None:
        return self._cluster.store.get("storageclasses.storage.k8s.io", "", claim["spec"].get("storageClassName", ""))

    def _looked(self, key: Key) -> None:
        claim = self._get(key)
        if claim is None or claim["metadata"].get("deletionTimestamp") or claim["status"]["phase"] == "Bound":
            return
        failing = self._cluster.scenarios.of_claim(claim)
        if not claim["spec"].get("storageClassName"):
            text = "no persistent volumes available for this claim and no storage class is set"
            self._told(claim, "Normal", "FailedBinding", text)
        elif self._class(claim) is None:
            text = f'storageclass.storage.k8s.io "{claim["spec"]["storageClassName"]}" not found'
            self._told(claim, "Warning", "ProvisioningFailed", text)
        elif failing:
            self._told(claim, *failing)
        elif self._class(claim)["volumeBindingMode"] == "WaitForFirstConsumer":  # type: ignore[index]
            text = "waiting for first consumer to be created before binding"
            self._told(claim, "Normal", "WaitForFirstConsumer", text)
            return
        else:
            self._provision(key)
            return
        self._look.ask(key, 15.0)

    def _told(self, claim: Json, kind: str, reason: str, text: str) -> None:
        VOLUMES.tell(self._cluster, claim, kind, reason, text)

    def _provision(self, key: Key) -> None:
        provisioner = {
            "volume.beta.kubernetes.io/storage-provisioner": seeds.PROVISIONER,
            "volume.kubernetes.io/storage-provisioner": seeds.PROVISIONER,
        }
        self._annotate(key, provisioner)
        self._cluster.clock.later(0.045, lambda: self._provisioned(key))

    def _provisioned(self, key: Key) -> None:
        claim = self._get(key)
        if claim is None or claim["metadata"].get("deletionTimestamp") or claim["spec"].get("volumeName"):
            return
        name = f"pvc-{claim['metadata']['uid']}"
        self._told(
            claim,
            "Normal",
            "ProvisioningSucceeded",
            f"Successfully provisioned volume {name} using {seeds.PROVISIONER}",
        )
        found = self._class(claim) or {}
        reference = {"kind": "PersistentVolumeClaim", "namespace": key[0], "name": key[1], "apiVersion": "v1"}
        spec = {
            "capacity": {"storage": claim["spec"]["resources"]["requests"]["storage"]},
            "accessModes": claim["spec"]["accessModes"],
            "claimRef": reference | {"uid": claim["metadata"]["uid"]},
            "persistentVolumeReclaimPolicy": found.get("reclaimPolicy", "Delete"),
            "storageClassName": claim["spec"]["storageClassName"],
        }
        volume = {"metadata": {"name": name}, "spec": spec, "status": {"phase": "Bound"}}
        seeds.make(self._cluster, "persistentvolumes", volume)
        bound = {"pv.kubernetes.io/bind-completed": "yes", "pv.kubernetes.io/bound-by-controller": "yes"}
        self._annotate(key, bound)
        self._cluster.store.edit("persistentvolumeclaims", *key, lambda value: value["spec"].update(volumeName=name))
        self._cluster.clock.later(0.01, lambda: self._bound(key))

    def _annotate(self, key: Key, annotations: Json) -> None:
        def change(value: Json) -> None:
            value["metadata"]["annotations"] = (value["metadata"].get("annotations") or {}) | annotations

        self._cluster.store.edit("persistentvolumeclaims", *key, change)

    def _bound(self, key: Key) -> None:
        def change(value: Json) -> None:
            size = value["spec"]["resources"]["requests"]["storage"]
            modes = value["spec"]["accessModes"]
            value["status"] = {"phase": "Bound", "accessModes": modes, "capacity": {"storage": size}}

        self._cluster.store.edit("persistentvolumeclaims", *key, change)

    def _grow(self, key: Key) -> None:
        claim = self._get(key)
        if claim is not None and _wants_more(claim):
            self._bound(key)

    def _protected(self, key: Key) -> None:
        claim = self._get(key)
        if claim is None or not claim["metadata"].get("deletionTimestamp"):
            return
        if _PROTECTION not in (claim["metadata"].get("finalizers") or []):
            return
        pods = self._cluster.store.list("pods", key[0])
        if not any(key[1] in claims_of(pod) for pod in pods if pod["spec"].get("nodeName")):
            deleting.drop_finalizer(self._cluster, "persistentvolumeclaims", claim, _PROTECTION)

    def _reclaim(self, claim: Json) -> None:
        volume = self._cluster.store.get("persistentvolumes", "", claim["spec"].get("volumeName", ""))
        if volume is None:
            return
        if volume["spec"]["persistentVolumeReclaimPolicy"] == "Delete":
            self._cluster.store.remove("persistentvolumes", volume)
        else:
            self._cluster.store.put("persistentvolumes", volume | {"status": {"phase": "Released"}})


def _wants_more(claim: Json) -> bool:
    capacity = (claim.get("status") or {}).get("capacity", {}).get("storage")
    return capacity is not None and capacity != claim["spec"]["resources"]["requests"]["storage"]


def claims_of(pod: Json) -> list[str]:
    """The names of the claims that a pod mounts."""
    volumes = pod["spec"].get("volumes") or []
    return [volume["persistentVolumeClaim"]["claimName"] for volume in volumes if volume.get("persistentVolumeClaim")]
