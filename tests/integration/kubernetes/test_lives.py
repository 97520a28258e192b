"""On a cluster: an instance is made, stopped, started, restarted and deleted, loses its pod, and its node."""

from __future__ import annotations

import pytest
from making_plane import NAMESPACE, Plane

from toygres.domain.operation import OperationState
from toygres.errors import CauseCode
from toygres.provisioning import request_restart, request_start, request_stop


def test_an_instance_is_ready_once_somebody_has_logged_in_over_tls(plane: Plane) -> None:
    ended = plane.ended(plane.ask("first").id)
    assert ended.state is OperationState.SUCCEEDED, ended
    (login,) = (step for step in ended.steps if step.name == "verify_login")
    assert login.told is not None
    assert login.told.startswith("Logged in, wrote and read in ")
    assert login.told.endswith(" ms, at its pod's address, which doesn't prove that its Service leads there.")
    assert login.login_seconds is not None
    assert 0 < login.login_seconds < 30
    assert plane.every_step_once(ended)
    found = plane.now_named("first")
    assert found.login_seconds == login.login_seconds
    assert found.available.value
    with plane.login(found) as connection:
        encrypted = connection.execute("SELECT ssl, version FROM pg_stat_ssl WHERE pid = pg_backend_pid()").fetchone()
    assert encrypted == (True, "TLSv1.3")
    signer = plane.services.store.one(
        "SELECT certificate, encode(key_ciphertext, 'escape') AS key FROM toygres.authorities WHERE project = 'default'"
    )
    assert signer is not None
    known = plane.services.platform("kubernetes").credentials(found)
    assert known is not None
    assert known.authority == signer.certificate
    assert "PRIVATE KEY" not in signer.key


def test_of_a_deleted_instance_nothing_is_left(plane: Plane) -> None:
    found = plane.ready("second")
    kinds = {each.partition(" ")[0] for each in plane.objects(found.id)}
    assert kinds == {
        "services",
        "statefulsets.apps",
        "persistentvolumeclaims",
        "secrets",
        "networkpolicies.networking.k8s.io",
        "configmaps",
        "pods",
    }
    told = " ".join(step.told or "" for step in plane.gone("second").steps)
    for each in ("Service second", "StatefulSet second", "NetworkPolicy second", "ConfigMap second-anchor"):
        assert told.count(each) == 1, told
    assert "PersistentVolumeClaim second-data-" in told


def test_data_outlive_a_stop_a_start_and_a_restart(plane: Plane) -> None:
    found = plane.ready("third")
    with plane.login(found) as connection:
        connection.execute("CREATE TABLE kept AS SELECT 42 AS answer")
    for request in (request_stop, request_start, request_restart):
        operation = plane.requested(request, "third")
        assert plane.ended(operation.id).state is OperationState.SUCCEEDED
        pods = [pod for pod in plane.objects(found.id) if pod.startswith("pods ")]
        assert bool(pods) is (request is not request_stop)
    with plane.login(found) as connection:
        assert connection.execute("SELECT answer FROM kept").fetchone() == (42,)


@pytest.mark.parametrize("end", ["killed", "deleted"])
def test_a_pod_that_ends_comes_back_and_available_follows(plane: Plane, end: str) -> None:
    found = plane.ready(f"pod-{end}")
    before = plane.pod(found.name)["metadata"]["uid"]
    plane.cluster.scenarios.play("never-ready", found.name)
    if end == "killed":
        plane.cluster.controllers.kubelet.kill(NAMESPACE, f"{found.name}-0")
    else:
        plane.delete_by_hand(f"/api/v1/namespaces/{NAMESPACE}/pods/{found.name}-0")
    cause = plane.heard_available(found, value=False)
    assert cause is not None
    assert cause.code is not CauseCode.UNEXPECTED
    plane.cluster.scenarios.end()
    plane.heard_available(found, value=True)
    assert (plane.pod(found.name)["metadata"]["uid"] == before) is (end == "killed")
    # It is Kubernetes that brings it back, not an operation of ours.
    assert plane.kinds_of_operations(found) == ["create"]


def test_without_its_service_an_instance_isnt_available_until_a_start_makes_it_again(plane: Plane) -> None:
    found = plane.ready("fifth")
    pod = plane.pod(found.name)["metadata"]["uid"]
    plane.delete_by_hand(f"/api/v1/namespaces/{NAMESPACE}/services/{found.name}")
    cause = plane.heard_available(found, value=False)
    assert cause is not None
    assert cause.code is CauseCode.SERVICE_MISSING
    assert "toygres start" in cause.remedy
    assert plane.ended(plane.requested(request_start, found.name).id).state is OperationState.SUCCEEDED
    plane.heard_available(found, value=True)
    assert plane.pod(found.name)["metadata"]["uid"] == pod


def test_while_its_node_is_lost_an_instance_isnt_available(plane: Plane) -> None:
    found = plane.ready("sixth")
    plane.cluster.controllers.kubelet.lose_node()
    cause = plane.heard_available(found, value=False)
    assert cause is not None
    assert cause.code is CauseCode.NODE_LOST
    plane.cluster.controllers.kubelet.recover_node()
    plane.heard_available(found, value=True)
    assert plane.now(found).available.cause is None
