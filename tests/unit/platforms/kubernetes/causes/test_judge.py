"""What is judged of an instance in situations that no recording has: its set, its node, its volume, the scheduler."""

from __future__ import annotations

from typing import Any

import pytest
from kube_objects import (
    CLAIM_UID,
    POD_UID,
    SET_UID,
    ago,
    container,
    event,
    expect,
    pod,
    running,
    seen,
    stateful_set,
    terminated,
    unscheduled,
    volume_claim,
)

from toygres.errors import CauseCode
from toygres.platforms.kubernetes.causes.seen import Seen
from toygres.platforms.protocol import ServerPhase

STARTING, UP, BROKEN, STOPPING = ServerPhase.STARTING, ServerPhase.UP, ServerPhase.BROKEN, ServerPhase.STOPPING
ORDINARY = CauseCode.STARTING
READY = {"Ready": True, "ContainersReady": True}


# The StatefulSet and its pod


def test_nothing_is_absent() -> None:
    expect(Seen(), ServerPhase.ABSENT, None)


def test_a_pod_without_its_set_is_stopping() -> None:
    expect(seen(stateful_set=None, pods=[pod()]), STOPPING, CauseCode.STOPPING)


def test_what_keeps_an_ending_set_is_told() -> None:
    ending = stateful_set(deletionTimestamp=ago(1), finalizers=["foregroundDeletion"])
    status = expect(seen(stateful_set=ending), STOPPING, CauseCode.STOPPING)
    assert status.cause is not None
    assert status.cause.evidence == ("StatefulSet demo: being deleted, finalizer foregroundDeletion",)


def test_a_set_of_no_replicas_is_stopped_once_its_pod_is_gone() -> None:
    expect(seen(stateful_set=stateful_set(0), pods=[pod()]), STOPPING, CauseCode.STOPPING)
    expect(seen(stateful_set=stateful_set(0)), ServerPhase.STOPPED, CauseCode.SERVER_STOPPED)


def test_a_ready_pod_is_up() -> None:
    expect(seen(pods=[pod(container(running(), ready=True), conditions=READY)]), UP, None)


def test_an_older_crash_of_a_ready_pod_is_no_cause() -> None:
    crashed = container(running(), terminated(1), ready=True, restartCount=5)
    expect(seen(pods=[pod(crashed, conditions=READY)]), UP, None)


def test_a_ready_pod_of_an_older_template_is_not_up() -> None:
    old = pod(container(running(), ready=True), conditions=READY)
    old["metadata"]["labels"]["controller-revision-hash"] = "demo-1"
    wanted = stateful_set()
    wanted["status"]["updateRevision"] = "demo-2"
    expect(seen(stateful_set=wanted, pods=[old]), STARTING, ORDINARY, "replace")


def test_an_older_failure_to_create_the_pod_is_over_once_one_was_created() -> None:
    failed = event(SET_UID, "FailedCreate", "create Pod failed error: exceeded quota: q", seconds_ago=60)
    created = event(SET_UID, "SuccessfulCreate", "create Pod demo-0 successful", seconds_ago=30, type="Normal")
    expect(seen(failed), STARTING, CauseCode.QUOTA_EXCEEDED)
    expect(seen(created, failed), STARTING, ORDINARY)


def test_a_failure_to_create_the_pod_is_over_once_the_set_was_changed_again() -> None:
    refused = event(SET_UID, "FailedCreate", 'create Pod failed error: violates PodSecurity "restricted:latest": no')
    expect(seen(refused), BROKEN, CauseCode.POD_SECURITY)
    changed = stateful_set()
    changed["metadata"]["generation"] = 2
    expect(seen(refused, stateful_set=changed), STARTING, ORDINARY)


@pytest.mark.parametrize(
    ("words", "phase", "code"),
    [
        ('pods "d" is forbidden: status unknown for quota: q, resources: pods', STARTING, "QuotaExceeded"),
        ("unable to validate against any security context constraint: []", BROKEN, "PodSecurity"),
        ('pods "d" is forbidden: maximum memory usage per Container is 1Gi, but limit is 2Gi', BROKEN, "LimitRange"),
        ("admission webhook \"w\" denied the request: no", BROKEN, "AdmissionRefused"),
        ("ValidatingAdmissionPolicy 'p' with binding 'b' denied request: no", BROKEN, "AdmissionRefused"),
        ('Internal error occurred: failed calling webhook "w": timeout', STARTING, "AdmissionUnanswered"),
        ('error looking up service account t/x: serviceaccount "x" not found', STARTING, "PodNotCreated"),
        ('Pod "d" is invalid: spec.containers[0].resources: Invalid value', BROKEN, "PodNotCreated"),
        ("unable to create new content in namespace t because it is being terminated", BROKEN, "NamespaceEnding"),
    ],
)  # fmt: skip
def test_a_refused_pod_is_judged_by_the_words_of_the_refusal(words: str, phase: ServerPhase, code: str) -> None:
    failed = event(SET_UID, "FailedCreate", f"create Pod demo-0 in StatefulSet demo failed error: {words}")
    status = expect(seen(failed), phase, CauseCode(code))
    assert status.cause is not None
    assert status.cause.evidence


def test_an_event_of_another_object_of_the_same_name_is_no_evidence() -> None:
    expect(seen(event("uid-of-its-predecessor", "FailedCreate", "failed error: exceeded quota: q")), STARTING, ORDINARY)


def test_a_pod_that_does_not_end_is_told_half_a_minute_after_its_time() -> None:
    expect(seen(pods=[pod(deletionTimestamp=ago(20))]), STARTING, ORDINARY)
    stuck = pod(deletionTimestamp=ago(40), finalizers=["example.com/hold"])
    status = expect(seen(pods=[stuck]), STARTING, CauseCode.POD_STUCK, "demo-0")
    assert status.cause is not None
    assert "example.com/hold" in status.cause.evidence[0]
    assert "node-7" in status.cause.remedy
    for leaving in (stateful_set(0), stateful_set(deletionTimestamp=ago(50)), None):
        status = expect(seen(stateful_set=leaving, pods=[stuck]), STOPPING, CauseCode.POD_STUCK, "demo-0")
        assert status.cause is not None
        assert "node-7" in status.cause.remedy


# The node


def test_an_evicted_pod_says_for_want_of_what() -> None:
    evicted = pod(status={"phase": "Failed", "reason": "Evicted", "message": "The node was low on resource: memory."})
    expect(seen(pods=[evicted]), STARTING, CauseCode.POD_EVICTED, "low on resource: memory")


def test_a_pod_that_makes_room_is_evicted() -> None:
    why = {"status": "True", "reason": "EvictionByEvictionAPI", "message": "Eviction API: evicting"}
    expect(seen(pods=[pod(conditions={"DisruptionTarget": why})]), STARTING, CauseCode.POD_EVICTED, "evicting")


def test_a_starting_pod_whose_node_was_lost_is_told_by_the_event() -> None:
    starting = pod(container(running()), conditions={"Ready": False, "ContainersReady": False})
    noticed = event(POD_UID, "NodeNotReady", "Node is not ready", seconds_ago=1)
    later = event(POD_UID, "Pulled", "image is there", seconds_ago=0, type="Normal")
    expect(seen(noticed, pods=[starting]), STARTING, CauseCode.NODE_LOST, "node-7")
    expect(seen(noticed, later, pods=[starting]), STARTING, ORDINARY)


def test_a_neighbour_that_is_not_ready_loses_no_node() -> None:
    halved = pod(
        container(running(), ready=True),
        container(running(), name="mesh"),
        conditions={"Ready": False, "ContainersReady": False},
    )
    expect(seen(pods=[halved]), STARTING, ORDINARY)


def test_a_readiness_gate_loses_no_node() -> None:
    gated = {"ContainersReady": True, "Ready": {"status": "False", "reason": "ReadinessGatesNotReady"}}
    expect(seen(pods=[pod(container(running(), ready=True), conditions=gated)]), STARTING, ORDINARY)


# The volume

UNBOUND = "0/1 nodes are available: pod has unbound immediate PersistentVolumeClaims. not found"
NO_VOLUME = "0/2 nodes are available: 1 Insufficient cpu, 1 node(s) didn't find available persistent volumes to bind."


@pytest.mark.parametrize(
    ("words", "claim", "events", "phase", "code"),
    [
        (UNBOUND, volume_claim(), [], STARTING, "Starting"),
        ('0/1 nodes are available: persistentvolumeclaim "d" not found.', None, [], BROKEN, "StorageMissing"),
        # The watch of volume claims is only late.
        (UNBOUND, None, [], STARTING, "Starting"),
        ('persistentvolumeclaim "d" not found', volume_claim(), [], STARTING, "Starting"),
        (
            'persistentvolumeclaim "d" is being deleted',
            volume_claim(deletionTimestamp=ago(1)),
            [],
            BROKEN,
            "StorageMissing",
        ),
        (UNBOUND, volume_claim("Lost"), [], BROKEN, "VolumeLost"),
        (
            UNBOUND,
            volume_claim(),
            [event(CLAIM_UID, "ProvisioningFailed", "rpc error: disk quota reached")],
            STARTING,
            "ProvisioningFailed",
        ),
        (
            UNBOUND,
            volume_claim(),
            [
                event(CLAIM_UID, "ProvisioningFailed", "rpc error", seconds_ago=9),
                event(CLAIM_UID, "ProvisioningSucceeded", "made", seconds_ago=1),
            ],
            STARTING,
            "Starting",
        ),
        (
            UNBOUND,
            volume_claim(),
            [event(CLAIM_UID, "FailedBinding", "no persistent volumes available and no storage class is set")],
            BROKEN,
            "StorageClassUnset",
        ),
        (
            NO_VOLUME,
            volume_claim(),
            [event(CLAIM_UID, "WaitForFirstConsumer", "waiting", type="Normal")],
            STARTING,
            "VolumeUnavailable",
        ),
        (
            UNBOUND,
            volume_claim(creationTimestamp=ago(90)),
            [event(CLAIM_UID, "ExternalProvisioning", "Waiting for a volume", type="Normal", count=7)],
            STARTING,
            "ProvisionerSilent",
        ),
        (UNBOUND, volume_claim(creationTimestamp=ago(30)), [], STARTING, "Starting"),
        (
            "0/1 nodes are available: 1 Insufficient cpu.",
            volume_claim(creationTimestamp=ago(90)),
            [event(CLAIM_UID, "WaitForFirstConsumer", "waiting", type="Normal")],
            STARTING,
            "Unschedulable",
        ),
    ],
)
def test_a_pod_without_a_node_is_judged_by_its_volume_first(
    words: str, claim: Any, events: list[Any], phase: ServerPhase, code: str
) -> None:
    expect(seen(*events, pods=[unscheduled(words)], volume_claim=claim), phase, CauseCode(code))


def test_a_volume_that_is_made_late_is_told_while_the_scheduler_waits_for_it() -> None:
    silent = pod(conditions={"PodScheduled": {}})
    silent["status"]["conditions"] = []
    failed = event(CLAIM_UID, "ProvisioningFailed", "rpc error: zone is full")
    expect(seen(failed, pods=[silent], volume_claim=volume_claim()), STARTING, CauseCode.PROVISIONING_FAILED, "zone")
    no_class = event(CLAIM_UID, "ProvisioningFailed", 'storageclass.storage.k8s.io "x" not found')
    expect(seen(no_class, pods=[silent], volume_claim=volume_claim()), STARTING, ORDINARY)


def test_a_provisioner_is_silent_once_it_was_asked() -> None:
    waits = event(CLAIM_UID, "WaitForFirstConsumer", "waiting", seconds_ago=80, type="Normal")
    asked = event(CLAIM_UID, "ExternalProvisioning", "Waiting for a volume", seconds_ago=9, type="Normal")
    known = {"pods": [unscheduled(UNBOUND)], "volume_claim": volume_claim(creationTimestamp=ago(90))}
    expect(seen(waits, **known), STARTING, ORDINARY)
    expect(seen(waits, asked, **known), STARTING, CauseCode.PROVISIONER_SILENT, "nobody says why")
    begun = event(CLAIM_UID, "Provisioning", "External provisioner is provisioning", seconds_ago=8, type="Normal")
    expect(seen(waits, asked, begun, **known), STARTING, CauseCode.PROVISIONER_SILENT, "which has begun")


# The scheduler


@pytest.mark.parametrize(
    ("words", "told"),
    [
        ("0/3 nodes are available: 1 Insufficient cpu, 2 Insufficient memory.", "not enough cpu; not enough memory"),
        (
            "0/2 nodes are available: 2 node(s) had untolerated taint {gpu: true}.",
            "a taint that the pod doesn't tolerate {gpu: true}",
        ),
        ("0/2 nodes are available: 2 node(s) had untolerated taint(s).", "a taint that the pod doesn't tolerate"),
        ("0/2 nodes are available: 2 node(s) didn't match Pod's node affinity/selector.", "none has the labels"),
        ("0/2 nodes are available: 2 node(s) had volume node affinity conflict.", "the volume is in another zone"),
        ("0/2 nodes are available: 2 Too many pods.", "too many pods on it"),
        ("0/2 nodes are available: 2 node(s) were unschedulable.", "closed for new pods"),
        ("no nodes available to schedule pods", "there are none"),
        ("Scheduling is blocked due to non-empty scheduling gates", "scheduling gates"),
    ],
)
def test_what_a_node_is_short_of_is_told(words: str, told: str) -> None:
    expect(seen(pods=[unscheduled(words)]), STARTING, CauseCode.UNSCHEDULABLE, told)
