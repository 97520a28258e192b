"""On a cluster: what belongs to somebody else is never touched, be it a person's or another installation's."""

from __future__ import annotations

from typing import Any

import pytest
from driving import CALLER, Driver
from fake_cluster import seeds
from making_plane import KINDS, NAMESPACE, Plane, driven

from toygres.domain.operation import OperationState
from toygres.errors import CauseCode
from toygres.platforms.kubernetes.labels import INSTALLATION
from toygres.provisioning import request_delete
from toygres.services import Services
from worker.audit import Audit

_SPECS: dict[str, dict[str, Any]] = {
    "configmaps": {"data": {"theirs": "1"}},
    "secrets": {"data": {"theirs": "MQ=="}},
    "services": {"spec": {"ports": [{"port": 80}]}},
    "networkpolicies.networking.k8s.io": {"spec": {"podSelector": {}}},
    "statefulsets.apps": {
        "spec": {
            "replicas": 0,
            "selector": {"matchLabels": {"theirs": "1"}},
            "serviceName": "theirs",
            "template": {
                "metadata": {"labels": {"theirs": "1"}},
                "spec": {"containers": [{"name": "theirs", "image": "theirs:1"}]},
            },
        }
    },
}
NAMES = [
    ("configmaps", "{}-anchor"),
    ("secrets", "{}-credentials"),
    ("secrets", "{}-monitor"),
    ("secrets", "{}-tls"),
    ("configmaps", "{}-config"),
    ("networkpolicies.networking.k8s.io", "{}"),
    ("statefulsets.apps", "{}"),
    ("services", "{}"),
]


@pytest.mark.parametrize(("kind", "pattern"), NAMES)
def test_a_strangers_object_of_the_same_name_is_named_and_left_as_it_is(plane: Plane, kind: str, pattern: str) -> None:
    name = f"taken{NAMES.index((kind, pattern))}"
    metadata = {"name": pattern.format(name), "namespace": NAMESPACE}
    theirs = seeds.make(plane.cluster, kind, {"metadata": metadata} | _SPECS[kind])
    cause = plane.fails(plane.ask(name), CauseCode.NAME_TAKEN)
    assert metadata["name"] in cause.message
    left = plane.cluster.get(kind, NAMESPACE, metadata["name"])
    assert left is not None
    assert without_status(left) == without_status(theirs)


def test_two_installations_in_one_namespace_never_touch_each_others_objects(plane: Plane, other: Services) -> None:
    assert plane.services.installation_id != other.installation_id
    ours = plane.ready("ours")
    before = objects(plane, plane.services)
    assert before

    refused = driven(other, Driver.arrive(other).order("ours").operation)
    assert (refused.state, refused.cause and refused.cause.code) == (OperationState.FAILED, CauseCode.NAME_TAKEN)
    made = driven(other, Driver.arrive(other).order("theirs").operation)
    assert made.state is OperationState.SUCCEEDED, made
    between = objects(plane, other)
    assert between
    for services in (plane.services, other):
        Audit(services).act()
    assert objects(plane, other) == between
    assert objects(plane, plane.services) == before

    plane.gone("ours")
    assert objects(plane, other) == between
    assert plane.objects(ours.id) == []
    again = plane.ready("ours")
    before = objects(plane, plane.services)
    assert driven(other, request_delete(other, CALLER, "theirs").operation).state is OperationState.SUCCEEDED
    assert objects(plane, other) == {}
    assert objects(plane, plane.services) == before
    assert plane.now(again).available.value


def objects(plane: Plane, services: Services) -> dict[str, str]:
    """The UID of each object that an installation has in the namespace."""
    return {
        f"{kind} {each['metadata']['name']}": each["metadata"]["uid"]
        for kind in KINDS
        for each in plane.cluster.list(kind, NAMESPACE)
        if (each["metadata"].get("labels") or {}).get(INSTALLATION) == str(services.installation_id)
    }


def without_status(found: dict[str, Any]) -> dict[str, Any]:
    """The object as its owner wrote it: controllers may add a status."""
    metadata = {key: value for key, value in found["metadata"].items() if key != "resourceVersion"}
    return {key: value for key, value in found.items() if key != "status"} | {"metadata": metadata}
