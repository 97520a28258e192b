"""On a cluster, with a worker that waits for nothing long: calls that hang, and what is told only by time passing."""

from __future__ import annotations

import base64
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any

import pytest
from cryptography import x509
from fake_cluster.pods import is_ready
from making_plane import NAMESPACE, Plane, running_plane
from waiting_until import until

from toygres import postgres
from toygres.domain.instance import Instance, InstanceState, ServiceType
from toygres.domain.operation import OperationState, StepState
from toygres.domain.records import OperationRecord
from toygres.engine import authority
from toygres.errors import CauseCode
from toygres.platforms.kubernetes import certificates
from toygres.platforms.kubernetes.names import hosts
from toygres.provisioning import request_delete, request_restart
from toygres.store import operations

BALANCED: dict[str, Any] = {"service_type": ServiceType.LOAD_BALANCER, "allowed_cidrs": ("10.0.0.0/8",)}
# What the cluster plays, what is shown of it while it waits, and words that its user reads.
SHOWN = {
    "not-ready-in-time": (CauseCode.NOT_READY_IN_TIME, "Startup probe failed"),
    "never-ready": (CauseCode.NOT_READY_IN_TIME, "probe failed"),
    "claim-pending": (CauseCode.PROVISIONER_SILENT, "external provisioner"),
}
ASKED = ("get", "list", "patch", "delete")


@pytest.fixture(scope="module")
def shared_plane(module_database: str) -> Iterator[Plane]:
    """One whose worker gives up soon."""
    with running_plane(module_database, TOYGRES_KUBE_LOAD_BALANCERS="true") as made:
        made.start_worker(ODD_IMPATIENT="1")
        yield made


@pytest.mark.parametrize("kind", SHOWN)
def test_what_takes_too_long_is_shown_until_it_doesnt(plane: Plane, kind: str) -> None:
    code, words = SHOWN[kind]
    plane.cluster.scenarios.play(kind, kind)
    operation = plane.ask(kind)
    cause = plane.waits(operation, code)
    assert words in "\n".join((cause.message, *cause.evidence)), cause
    plane.cluster.scenarios.end()
    if kind == "not-ready-in-time":
        # Its startup probe has an hour.
        plane.delete_by_hand(f"/api/v1/namespaces/{NAMESPACE}/pods/{kind}-0")
    assert plane.ended(operation.id).state is OperationState.SUCCEEDED


def test_a_server_that_stops_answering_is_told_by_whoever_killed_it(plane: Plane) -> None:
    found = plane.ready("silenced")
    plane.cluster.scenarios.play("liveness-killed", found.name)
    plane.cluster.controllers.kubelet.kill(NAMESPACE, f"{found.name}-0")
    platform = plane.services.platform("kubernetes")

    def is_told() -> bool:
        cause = platform.observe(found).cause
        return cause is not None and cause.code is CauseCode.KILLED_BY_LIVENESS_PROBE

    until(is_told)
    plane.heard_available(found, value=False)
    plane.cluster.scenarios.end()
    plane.heard_available(found, value=True)


def test_while_calls_hang_all_operations_succeed(plane: Plane) -> None:
    plane.all_ready("hangs-restarted", "hangs-deleted")
    plane.cluster.faults.hang = 600.0
    before = plane.cluster.faults.met["hang"]
    # A step makes a dozen calls, and one that hangs ends it.
    for verb in ASKED:
        plane.cluster.faults.fail("hang", verbs=(verb,), times=1)
    ordered = [
        plane.ask("hangs-new"),
        plane.requested(request_restart, "hangs-restarted"),
        plane.requested(request_delete, "hangs-deleted"),
    ]
    for operation in ordered:
        assert plane.ended(operation.id).state is OperationState.SUCCEEDED
    assert plane.cluster.faults.met["hang"] == before + len(ASKED)
    plane.cluster.faults.stop()
    assert plane.made_twice() == []


def test_a_load_balancer_without_an_address_in_time_ends_the_create(plane: Plane) -> None:
    services = plane.cluster.controllers.services
    before, services.balancer_seconds = services.balancer_seconds, None
    try:
        operation = plane.ask("addressless", **BALANCED)
        cause = plane.waits(operation, CauseCode.LOAD_BALANCER_PENDING)
        assert "addressless" in cause.message
        plane.let_pass(plane.services.settings.address_seconds + 1)
        cause = plane.fails(operation, CauseCode.LOAD_BALANCER_PENDING)
        assert cause.message.startswith("Waited too long: ")
    finally:
        services.balancer_seconds = before


def test_a_certificate_that_is_about_to_end_is_renewed_unasked(plane: Plane) -> None:
    found = plane.ready("renewed")
    pod, shown = plane.pod(found.name)["metadata"]["uid"], certificate(plane, found)
    plane.cluster.store.edit("secrets", NAMESPACE, f"{found.name}-tls", partial(age, plane, found))
    old = certificate(plane, found)
    assert old != shown
    # By then it is looked at again.
    plane.let_pass(31)
    plane.heard(lambda: plane.kinds_of_operations(found) == ["renew", "create"])
    renew = operations.list_page(plane.services.store, "default", 1, None, instance=found.id).items[0]
    # Nothing tells when the new files have come to the server: it looks every five seconds.
    while not plane.once(renew.id, ended_or_waits).ended_at:
        plane.let_pass(6)
        plane.once(renew.id, lambda now: not ended_or_waits(now) or now.ended_at)
    assert plane.ended(renew.id).state is OperationState.SUCCEEDED
    assert plane.now(found).state is InstanceState.READY
    new = certificate(plane, found)
    assert new not in (old, shown)
    ends = [x509.load_pem_x509_certificate(each.encode()).not_valid_after_utc for each in (old, new)]
    assert ends[0] < ends[1]
    with plane.services.platform("kubernetes").reach(found, inside=True) as way:
        assert way is not None
        assert postgres.shows(way, new)
        assert not postgres.shows(way, shown)
    assert plane.pod(found.name)["metadata"]["uid"] == pod
    assert is_ready(plane.pod(found.name))


def ended_or_waits(operation: OperationRecord) -> bool:
    """Whether it has ended, or a step of it waits."""
    return bool(operation.ended_at) or any(step.state is StepState.WAITING for step in operation.steps)


def certificate(plane: Plane, found: Instance) -> str:
    """What the server's Secret holds."""
    kept = plane.services.platform("kubernetes").certificate(found)
    assert kept is not None
    return kept


def age(plane: Plane, found: Instance, secret: dict[str, Any]) -> None:
    """Put a certificate of the same authority there that has ten days left of ninety."""
    then = datetime.now(UTC) - timedelta(days=80)
    signer = authority(plane.services, "default", lambda: pytest.fail("there is none"))
    issued = certificates.issue(signer, hosts(found.name, NAMESPACE), [], now=then, days=90)
    secret["data"] |= {
        "tls.crt": base64.b64encode(issued.certificate.encode()).decode(),
        "tls.key": base64.b64encode(issued.key.encode()).decode(),
    }
