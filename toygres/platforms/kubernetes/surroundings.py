"""What a cluster must have beside its API: a storage class, and something that enforces NetworkPolicies."""

from __future__ import annotations

from typing import Any

from toygres.config import Settings, variable
from toygres.domain.findings import Finding, fine, noted, unchecked, wrong
from toygres.errors import CauseCode, Refused
from toygres.platforms.kubernetes import calls
from toygres.platforms.kubernetes.client import Cluster, Request
from toygres.platforms.kubernetes.resources import STORAGE_CLASSES

_IS_DEFAULT = ("storageclass.kubernetes.io/is-default-class", "storageclass.beta.kubernetes.io/is-default-class")
# Measured: its volumes belong to root alone, whatever the pod's fsGroup is.
_OF_ROOT = frozenset({"kubernetes.io/host-path"})
# API groups that come with a network plugin which enforces policies; asking which groups there are needs no rights.
_ENFORCERS = {
    "crd.projectcalico.org": "Calico",
    "projectcalico.org": "Calico",
    "cilium.io": "Cilium",
    "crd.antrea.io": "Antrea",
    "k8s.ovn.org": "OVN-Kubernetes",
    "kubeovn.io": "Kube-OVN",
    "network.openshift.io": "OpenShift SDN",
}

Object = dict[str, Any]


def storage_class(cluster: Cluster, settings: Settings) -> Finding:
    """Whether there is one for requests that name none. Raises Refused, Unavailable."""
    try:
        if settings.kube_storage_class:
            return _named(cluster, settings.kube_storage_class)
        return _default(calls.list_labelled(cluster, STORAGE_CLASSES, None))
    except Refused as refused:
        if refused.cause.code is not CauseCode.FORBIDDEN:
            raise
        return unchecked(
            "storage class",
            "Couldn't check: storage classes belong to the whole cluster, and this account may not look at them.",
            f"See that `kubectl get storageclass` shows {settings.kube_storage_class or 'one marked (default)'}.",
        )


def network_policies(cluster: Cluster, settings: Settings) -> Finding:
    """Whether something enforces them, as far as the API tells. Raises Refused, Unavailable."""
    about = "network policies"
    if not settings.kube_network_policy:
        told = "They are off, so whatever reaches the cluster's pods reaches the instances' port."
        return noted(about, told, f"Unset {variable('kube_network_policy')} to have one for each instance.")
    groups = cluster.send(Request("list the API's groups", "GET", "/apis")).json().get("groups") or ()
    found = {_ENFORCERS[group["name"]] for group in groups if group.get("name") in _ENFORCERS}
    if found:
        return fine(about, f"{' and '.join(sorted(found))} is installed, which enforces them.")
    return unchecked(
        about,
        "Couldn't check: the API doesn't tell whether this cluster's network plugin enforces NetworkPolicies.",
        "Ask who keeps the cluster. Where it doesn't, each pod can reach each instance, and needs its password.",
    )


def _named(cluster: Cluster, name: str) -> Finding:
    found = calls.get(cluster, STORAGE_CLASSES, None, name)
    if found is None:
        return wrong(
            "storage class",
            f"There is no storage class {name}.",
            f"Set {variable('kube_storage_class')} to one that `kubectl get storageclass` shows.",
        )
    return _usable(found, "is there")


def _default(classes: list[Object]) -> Finding:
    defaults = [each for each in classes if _is_default(each)]
    if defaults:
        # Where there are several, Kubernetes takes the newest.
        return _usable(max(defaults, key=_made_at), "is the cluster's default")
    names = ", ".join(sorted(_name(each) for each in classes))
    return wrong(
        "storage class",
        f"The cluster has no default storage class{f', only {names}' if names else ' and no other either'}.",
        f"Set {variable('kube_storage_class')}, or mark one as the default; a request may also name one."
        if names
        else "Install a provisioner with a storage class.",
    )


def _usable(found: Object, told: str) -> Finding:
    """What to say of a class that is there."""
    provisioner = found.get("provisioner")
    if provisioner in _OF_ROOT:
        return noted(
            "storage class",
            f"{_name(found)} {told}; volumes of {provisioner} may be root's, and servers run as user 999.",
            "If an instance fails with VolumeNotWritable, take a class that honours fsGroup.",
        )
    return fine("storage class", f"{_name(found)} {told} (by {provisioner}).")


def _is_default(found: Object) -> bool:
    annotations = found["metadata"].get("annotations") or {}
    return any(annotations.get(key) == "true" for key in _IS_DEFAULT)


def _made_at(found: Object) -> str:
    return str(found["metadata"].get("creationTimestamp") or "")


def _name(found: Object) -> str:
    return str(found["metadata"]["name"])
