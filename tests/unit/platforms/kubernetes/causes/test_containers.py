"""What is judged of a pod's containers in situations that no recording has: image, begin, end, readiness."""

from __future__ import annotations

import functools
from typing import Any

import pytest
from kube_objects import (
    NOW,
    POD_UID,
    ago,
    container,
    event,
    expect,
    pod,
    running,
    seen,
    terminated,
    unscheduled,
    waiting,
)

from toygres.errors import CauseCode
from toygres.platforms.kubernetes.causes.judge import judge, refine
from toygres.platforms.kubernetes.causes.seen import Exit
from toygres.platforms.local.scrub import scrubbed
from toygres.platforms.protocol import ServerPhase, ServerStatus

STARTING, UP, BROKEN, STOPPING = ServerPhase.STARTING, ServerPhase.UP, ServerPhase.BROKEN, ServerPhase.STOPPING
ORDINARY = CauseCode.STARTING
FATAL = '2026-11-23 11:59:58.123 UTC [1] FATAL:  unrecognized configuration parameter "wurk_mem"'


# The image

PULL = 'failed to pull and unpack image "r/denied/p:16": failed to resolve reference "r/denied/p:16": '


@pytest.mark.parametrize(
    ("words", "phase", "code"),
    [
        (f"{PULL}docker.io/library/postgres:99: not found", BROKEN, "ImageMissing"),
        ("reading manifest nope in docker.io/library/postgres: manifest unknown", BROKEN, "ImageMissing"),
        (f"{PULL}pull access denied, repository does not exist or may require authorization", BROKEN, "ImageDenied"),
        (f"{PULL}unexpected status from HEAD request to https://r/v2: 403 Forbidden", BROKEN, "ImageDenied"),
        (f"{PULL}failed to authorize: 401 Unauthorized", BROKEN, "ImageDenied"),
        (f"{PULL}429 Too Many Requests - Server message: toomanyrequests: rate limit", STARTING, "RegistryUnreachable"),
        (f"{PULL}dial tcp 10.0.0.1:443: i/o timeout", STARTING, "RegistryUnreachable"),
        (f"{PULL}unexpected status from HEAD request: 503 Service Unavailable", STARTING, "RegistryUnreachable"),
        (f"{PULL}dial tcp: lookup r: no such host", STARTING, "RegistryUnreachable"),
        (f"{PULL}no match for platform in manifest: not found", BROKEN, "WrongArchitecture"),
        (f"{PULL}content digest sha256:0f: not found", STARTING, "ImageNotPulled"),
        (
            'short-name "postgres:16" did not resolve to an alias and no unqualified-search registries are defined',
            BROKEN,
            "ImageNameInvalid",
        ),
        (f"{PULL}something that nobody has said yet", STARTING, "ImageNotPulled"),
    ],
)
def test_an_image_is_judged_by_what_its_registry_says(words: str, phase: ServerPhase, code: str) -> None:
    expect(
        seen(pods=[pod(container(waiting("ErrImagePull", words)))]), phase, CauseCode(code), words.rpartition(": ")[2]
    )
    later = waiting("ImagePullBackOff", f'Back-off pulling image "r/p:16": ErrImagePull: {words}')
    expect(seen(pods=[pod(container(later))]), phase, CauseCode(code))


def test_what_an_older_kubelet_leaves_out_of_the_status_is_taken_from_the_event() -> None:
    backing_off = pod(container(waiting("ImagePullBackOff", 'Back-off pulling image "r/p:16"')))
    failed = event(POD_UID, "Failed", 'Failed to pull image "r/p:16": manifest unknown', seconds_ago=9)
    error = event(POD_UID, "Failed", "Error: ErrImagePull", seconds_ago=8)
    expect(seen(failed, error, pods=[backing_off]), BROKEN, CauseCode.IMAGE_MISSING, "manifest unknown")


def test_an_event_alone_is_no_cause() -> None:
    creating = pod(container(waiting("ContainerCreating")))
    failed = event(POD_UID, "Failed", 'Failed to pull image "r/p:16": manifest unknown')
    expect(seen(failed, pods=[creating]), STARTING, ORDINARY)


@pytest.mark.parametrize(
    ("reason", "code"), [("InvalidImageName", "ImageNameInvalid"), ("ErrImageNeverPull", "ImageNeverPulled")]
)
def test_an_image_that_is_never_asked_for_is_final(reason: str, code: str) -> None:
    expect(seen(pods=[pod(container(waiting(reason, "because")))]), BROKEN, CauseCode(code), "because")


# The container


@pytest.mark.parametrize(
    ("state", "phase", "code"),
    [
        (waiting("CreateContainerConfigError", "couldn't find key password in Secret t/x"), BROKEN, "ContainerConfig"),
        (
            waiting("CreateContainerConfigError", "container has runAsNonRoot and image will run as root"),
            BROKEN,
            "ContainerConfig",
        ),
        (
            waiting("CreateContainerConfigError", "failed to sync secret cache: timed out waiting for the condition"),
            STARTING,
            "ContainerConfig",
        ),
        (
            waiting("RunContainerError", 'exec: "nope": executable file not found in $PATH'),
            BROKEN,
            "ContainerCantStart",
        ),
        (
            waiting(
                "CreateContainerConfigError", "services have not yet been read at least once, cannot construct envvars"
            ),
            STARTING,
            "ContainerConfig",
        ),
        (waiting("CreateContainerConfigError", 'cannot find volume "data" to mount'), STARTING, "ContainerConfig"),
        (waiting("CreateContainerError", "context deadline exceeded"), STARTING, "ContainerCantStart"),
        (
            waiting("RunContainerError", "failed to create containerd task: ttrpc: closed"),
            STARTING,
            "ContainerCantStart",
        ),
        (
            waiting("CreateContainerError", "sandbox container task: no running task found: task 0f not found"),
            STARTING,
            "ContainerCantStart",
        ),
        (
            terminated(128, 'runc: error: exec: "/bin/nope": stat /bin/nope: no such file or directory', "StartError"),
            BROKEN,
            "ContainerCantStart",
        ),
        (
            terminated(128, "write /sys/fs/cgroup/x: no such file or directory", "StartError"),
            STARTING,
            "ContainerCantStart",
        ),
        (terminated(128, 'exec: "nope": not found in $PATH', "StartError"), BROKEN, "ContainerCantStart"),
        (
            waiting("RunContainerError", "container init was OOM-killed (memory limit too low?)"),
            BROKEN,
            "OutOfMemory",
        ),
    ],
)
def test_a_container_that_cannot_begin(state: Any, phase: ServerPhase, code: str) -> None:
    expect(seen(pods=[pod(container(state))]), phase, CauseCode(code))


def test_a_command_that_could_not_be_executed_is_told_between_two_tries() -> None:
    words = 'exec: "nope": executable file not found in $PATH'
    again = container(waiting("CrashLoopBackOff", "back-off 10s"), terminated(128, words, "StartError"))
    expect(seen(pods=[pod(again)]), BROKEN, CauseCode.CONTAINER_CANT_START, words)


def test_a_runtime_that_fails_is_given_three_tries() -> None:
    failed = terminated(128, "failed to create shim task: ttrpc: closed", "StartError")
    for restarts, phase in ((0, STARTING), (1, STARTING), (2, BROKEN)):
        again = container(waiting("CrashLoopBackOff", "back-off 10s"), failed, restartCount=restarts)
        expect(seen(pods=[pod(again)]), phase, CauseCode.CONTAINER_CANT_START, "ttrpc")


def test_a_mount_that_fails_is_a_cause_once_it_lasts() -> None:
    creating = pod(container(waiting("ContainerCreating")))
    words = 'MountVolume.SetUp failed for volume "tls": secret "demo-tls" not found'
    expect(seen(event(POD_UID, "FailedMount", words), pods=[creating]), STARTING, ORDINARY)
    often = event(POD_UID, "FailedMount", words, count=3)
    expect(seen(often, pods=[creating]), STARTING, CauseCode.VOLUME_NOT_MOUNTED, "demo-tls")
    scheduled = {"PodScheduled": {"status": "True", "lastTransitionTime": ago(10)}}
    long = pod(container(waiting("ContainerCreating")), conditions=scheduled)
    once = event(POD_UID, "FailedAttachVolume", "Multi-Attach error for volume pvc-1")
    expect(seen(once, pods=[long]), STARTING, CauseCode.VOLUME_NOT_MOUNTED, "Multi-Attach")


def test_a_sandbox_that_fails_for_long_is_the_networks() -> None:
    creating = pod(container(waiting("ContainerCreating")))
    often = event(POD_UID, "FailedCreatePodSandBox", "plugin type=cni failed", count=4)
    expect(seen(often, pods=[creating]), STARTING, CauseCode.POD_NETWORK_FAILED, "cni")


def test_a_container_that_somebody_added_is_judged_too() -> None:
    meshed = pod(container(waiting("PodInitializing")), status={"initContainerStatuses": [
        container(waiting("ErrImagePull", "manifest unknown"), name="mesh", image="mesh:1")
    ]})  # fmt: skip
    expect(seen(pods=[meshed]), BROKEN, CauseCode.IMAGE_MISSING, "mesh:1")


# The end of the server


def exits(*codes: int, reason: str = "Error") -> dict[str, list[Exit]]:
    return {POD_UID: [Exit("postgres", f"containerd://c{n}", code, reason) for n, code in enumerate(codes)]}


def test_postgresqls_own_words_are_the_cause_at_once_and_final_the_second_time() -> None:
    first = pod(container(terminated(1, FATAL)))
    status = expect(seen(pods=[first]), STARTING, CauseCode.PARAMETERS_REJECTED, "wurk_mem")
    assert status.cause is not None
    assert FATAL in status.cause.evidence
    again = pod(container(terminated(1, FATAL), terminated(1, FATAL), restartCount=2))
    expect(seen(pods=[again], exits=exits(1, 1)), BROKEN, CauseCode.PARAMETERS_REJECTED, "wurk_mem")


def test_a_different_end_each_time_may_still_be_chance() -> None:
    again = pod(container(terminated(1), terminated(2), restartCount=2))
    expect(seen(pods=[again], exits=exits(2, 1)), STARTING, CauseCode.CRASH_LOOP)


def test_an_end_of_which_nobody_saw_anything_may_be_chance() -> None:
    unseen = terminated(137, reason="ContainerStatusUnknown")
    unseen["terminated"]["startedAt"] = unseen["terminated"]["finishedAt"] = None
    expect(seen(pods=[pod(container(unseen, restartCount=4))]), STARTING, CauseCode.CRASH_LOOP)


def test_an_end_after_a_long_good_run_may_be_chance() -> None:
    again = pod(container(terminated(1, ran=3600), terminated(1), restartCount=7))
    expect(seen(pods=[again], exits=exits(1, 1)), STARTING, CauseCode.CRASH_LOOP)


def test_the_words_of_the_end_before_are_told_while_the_next_run_begins() -> None:
    backing_off = pod(container(waiting("CrashLoopBackOff"), terminated(1, FATAL), restartCount=1))
    expect(seen(pods=[backing_off]), STARTING, CauseCode.PARAMETERS_REJECTED)
    begun = pod(container(running(1), terminated(1, FATAL), restartCount=1))
    expect(seen(pods=[begun]), STARTING, CauseCode.PARAMETERS_REJECTED)


def test_who_has_run_for_long_did_not_meet_what_ended_the_one_before() -> None:
    settled = pod(container(running(130), terminated(1, FATAL), restartCount=2), conditions={"Ready": False})
    expect(seen(pods=[settled]), STARTING, CauseCode.NOT_READY_IN_TIME)


@pytest.mark.parametrize(
    ("code", "words"), [(137, "it was killed"), (143, "told to end"), (139, "signal 11"), (3, "exit code 3;")]
)
def test_an_end_without_words_is_told_by_its_code(code: int, words: str) -> None:
    expect(seen(pods=[pod(container(terminated(code)))]), STARTING, CauseCode.CRASH_LOOP, words)


def test_out_of_memory_counts_with_an_exit_code_only() -> None:
    expect(seen(pods=[pod(container(terminated(137, reason="OOMKilled")))]), STARTING, CauseCode.OUT_OF_MEMORY)
    stopped = pod(container(terminated(0, reason="OOMKilled"), restartCount=1))
    expect(seen(pods=[stopped]), STARTING, CauseCode.SERVER_STOPPED)


def test_out_of_memory_twice_is_final() -> None:
    again = pod(container(terminated(137, ident="c1"), terminated(137, ident="c0"), restartCount=2))
    expect(seen(pods=[again], exits=exits(137, 137, reason="OOMKilled")), BROKEN, CauseCode.OUT_OF_MEMORY)


@pytest.mark.parametrize("probe", ["startup", "liveness"])
@pytest.mark.parametrize("code", [0, 137])
def test_a_server_that_its_probe_killed_is_told_so(probe: str, code: int) -> None:
    killing = event(POD_UID, "Killing", f"Container postgres failed {probe} probe, will be restarted", seconds_ago=3)
    killed = pod(container(terminated(code, ran=60), restartCount=3))
    expected = CauseCode(f"KilledBy{probe.title()}Probe")
    expect(seen(killing, pods=[killed], exits=exits(code, code)), STARTING, expected)


def test_a_probe_that_killed_the_run_before_did_not_end_this_one() -> None:
    killing = event(POD_UID, "Killing", "Container postgres failed liveness probe", seconds_ago=300)
    expect(seen(killing, pods=[pod(container(terminated(1), restartCount=1))]), STARTING, CauseCode.CRASH_LOOP)


def test_what_prepares_the_pod_and_ends_well_is_no_server_that_stopped() -> None:
    prepared = container(terminated(0, reason="Completed"), name="prepare")
    starting = pod(container(running()), status={"initContainerStatuses": [prepared]})
    expect(seen(pods=[starting]), STARTING, ORDINARY)
    failed = container(terminated(3), name="prepare")
    expect(
        seen(pods=[pod(container(waiting("PodInitializing")), status={"initContainerStatuses": [failed]})]),
        STARTING,
        CauseCode.CRASH_LOOP,
        "container prepare ended with exit code 3",
    )


def test_a_proper_end_heals() -> None:
    expect(seen(pods=[pod(container(terminated(0), restartCount=4))]), STARTING, CauseCode.SERVER_STOPPED)


# Readiness


def test_the_first_half_minute_of_a_run_is_the_ordinary_case() -> None:
    unhealthy = event(POD_UID, "Unhealthy", "Startup probe failed: no response", count=20)
    noise = event(POD_UID, "Unhealthy", "Readiness probe errored and resulted in unknown state: x", seconds_ago=0)
    starting = {"Ready": False, "ContainersReady": False}
    early, late = (pod(container(running(seconds)), conditions=starting) for seconds in (29, 31))
    expect(seen(unhealthy, noise, pods=[early]), STARTING, ORDINARY)
    expect(seen(unhealthy, noise, pods=[late]), STARTING, CauseCode.NOT_READY_IN_TIME, "no response")


def test_the_log_of_a_server_that_is_not_ready_knows_more() -> None:
    waits = {"Ready": False, "ContainersReady": False}
    status = expect(
        seen(pods=[pod(container(running(99)), conditions=waits)]), STARTING, CauseCode.NOT_READY_IN_TIME, ago(99)
    )
    full = refine(
        status, lambda: "2026-11-23 11:59:58.123 UTC [1] PANIC:  could not write to file: No space left on device"
    )
    assert (full.phase, full.cause and full.cause.code) == (STARTING, CauseCode.DISK_FULL)
    assert refine(status, lambda: "2026-11-23 11:59:58.123 UTC [1] LOG:  all is well") == status
    up = ServerStatus(phase=UP)
    assert refine(up, lambda: "No space left on device") == up


# Secrets


def test_known_secrets_and_what_looks_like_one_stay_out_of_message_and_evidence() -> None:
    text = "Error: setting hunter2 isn't allowed\npostgresql://a:s3cr3t@h/d refused by hunter2"
    crashed = seen(pods=[pod(container(terminated(1, text)))])
    by_looks = judge(crashed, NOW).cause
    known = judge(crashed, NOW, functools.partial(scrubbed, secrets=["hunter2"])).cause
    assert by_looks is not None
    assert known is not None
    assert "s3cr3t" not in str(by_looks)
    assert "hunter2" not in str(known)
    assert "[hidden]" in known.message


def test_a_long_sentence_ends_in_an_ellipsis() -> None:
    cause = judge(seen(pods=[unscheduled("why " * 300)]), NOW).cause
    assert cause is not None
    assert cause.message.endswith("…")
    assert len(cause.message) <= 501
