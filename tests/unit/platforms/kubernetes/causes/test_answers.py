"""What answers of the API mean: recorded ones by their bodies, others by the words that Kubernetes' sources have."""

from __future__ import annotations

import gzip
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from toygres.errors import CauseCode
from toygres.platforms.kubernetes.causes.answers import verdict

RECORDINGS = Path(__file__).parents[4] / "conformance" / "recordings"


def recorded(name: str) -> Iterator[tuple[str, dict[str, Any]]]:
    """Method and path, and the body, of each answer that wasn't a success."""
    with gzip.open(RECORDINGS / f"{name}.jsonl.gz", "rt", encoding="utf-8") as lines:
        for line in map(json.loads, lines):
            if "response" in line and line["response"]["status"] >= 400:
                yield f"{line['request']['method']} {line['request']['path']}", line["response"]["body"]


def judged(body: dict[str, Any]) -> tuple[CauseCode, bool, str]:
    found = verdict(body["code"], body.get("reason", ""), body.get("message", ""), body.get("details") or {})
    return found.cause.code, found.heals, found.cause.message


# Method and path (its last part), code, whether it heals, a word of the message; in the order of the recording.
REFUSALS = [
    ("GET", "statefulsets/absent", CauseCode.CHANGED_MEANWHILE, True, "absent"),
    ("DELETE", "services/absent", CauseCode.CHANGED_MEANWHILE, True, "absent"),
    ("POST", "services", CauseCode.CHANGED_MEANWHILE, True, "already exists"),
    ("POST", "statefulsets", CauseCode.MANIFEST_REJECTED, False, "does not match template"),
    ("POST", "persistentvolumeclaims", CauseCode.MANIFEST_REJECTED, False, "RFC 1123"),
    ("POST", "persistentvolumeclaims", CauseCode.MANIFEST_REJECTED, False, "quantities must match"),
    ("PATCH", "demo-data?fieldManager=toygres", CauseCode.VOLUME_CANT_GROW, False, "immutable after creation"),
    ("PATCH", "demo?fieldManager=someone-else", CauseCode.FIELD_CONFLICT, False, "toygres has .spec.replicas"),
    ("PATCH", "demo?fieldManager=toygres", CauseCode.CHANGE_IMPOSSIBLE, False, "updates to statefulset spec"),
    ("GET", "statefulsets", CauseCode.FORBIDDEN, False, "list statefulsets.apps"),
    ("GET", "statefulsets", CauseCode.PLATFORM_LOGIN_REFUSED, True, "Unauthorized"),
    ("GET", "statefulsets", CauseCode.FORBIDDEN, False, "powerless"),
    ("POST", "no-such-namespace/services", CauseCode.NAMESPACE_MISSING, False, "no-such-namespace"),
]


def test_each_recorded_refusal_is_what_it_is() -> None:
    found = [(call, judged(body)) for call, body in recorded("refusals")]
    assert len(found) == len(REFUSALS)
    for (call, (code, heals, message)), (method, path, expected, may_heal, word) in zip(found, REFUSALS, strict=True):
        assert call.startswith(method), call
        assert call.endswith(path), call
        assert (code, heals) == (expected, may_heal), call
        assert word in message, call


def test_a_recorded_quota_says_what_was_asked_for_and_heals() -> None:
    (_, body), *_ = recorded("quota-exceeded")
    code, heals, message = judged(body)
    assert (code, heals) == (CauseCode.QUOTA_EXCEEDED, True)
    assert "requested: requests.storage=10Gi" in message


def test_a_forgotten_version_is_looked_at_again() -> None:
    (_, body), *_ = recorded("watch-expired")
    assert judged(body)[:2] == (CauseCode.CHANGED_MEANWHILE, True)


def test_a_diff_of_an_immutable_field_stays_out_of_the_sentence() -> None:
    body = next(body for call, body in recorded("refusals") if "demo-data?" in call)
    assert "@@" not in judged(body)[2]


FORBIDDEN_TO = (
    'pods "demo-0" is forbidden: User "system:serviceaccount:a:b" cannot get resource "pods/log" in API group'
)
TERMINATING = {"causes": [{"reason": "NamespaceTerminating", "message": "namespace toygres is being terminated"}]}
CONFLICTS = {
    "causes": [
        {
            "reason": "FieldManagerConflict",
            "message": 'conflict with "kubectl-edit" using apps/v1',
            "field": f".spec.f{n}",
        }
        for n in range(7)
    ]
}
PLAIN = [
    (403, f'{FORBIDDEN_TO} "" in the namespace "a"', {}, CauseCode.FORBIDDEN, False, "may not get pods/log"),
    (403, 'pods "demo-0" is forbidden: ', {"kind": "pods"}, CauseCode.FORBIDDEN, False, "pods"),
    (
        403,
        'pods "x" is forbidden: maximum memory usage per Container is 128Mi, but limit is 256Mi',
        {},
        CauseCode.LIMIT_RANGE,
        False,
        "128Mi, but limit is 256Mi",
    ),
    (
        403,
        'persistentvolumeclaims "x" is forbidden: minimum storage usage per PersistentVolumeClaim is 2Gi, but request '
        "is 1Gi",
        {},
        CauseCode.LIMIT_RANGE,
        False,
        "2Gi",
    ),
    (
        403,
        'pods "x" is forbidden: [maximum cpu usage per Container is 1, but limit is 2, memory max limit to request '
        "ratio per Container is 1, but provided ratio is 2.000000]",
        {},
        CauseCode.LIMIT_RANGE,
        False,
        "provided ratio is 2.000000.",
    ),
    (
        403,
        'pods "x" is forbidden: failed quota: small: must specify limits.cpu for: postgres',
        {},
        CauseCode.QUOTA_EXCEEDED,
        False,
        "must specify limits.cpu",
    ),
    (
        403,
        'services "demo" is forbidden: unable to create new content in namespace toygres because it is being '
        "terminated",
        TERMINATING,
        CauseCode.NAMESPACE_ENDING,
        False,
        "toygres",
    ),
    (
        403,
        'persistentvolumeclaims "x" is forbidden: status unknown for quota: q, resources: requests.storage',
        {},
        CauseCode.QUOTA_EXCEEDED,
        True,
        "status unknown",
    ),
    (
        403,
        'pods "x" is forbidden: not yet ready to handle request',
        {},
        CauseCode.PLATFORM_UNREACHABLE,
        True,
        "not yet ready",
    ),
    (403, "no reason that anybody knows", TERMINATING, CauseCode.NAMESPACE_ENDING, False, "being deleted"),
    (
        403,
        'persistentvolumeclaims "demo" is forbidden: only dynamically provisioned pvc can be resized and the '
        "storageclass that provisions the pvc must support resize",
        {},
        CauseCode.VOLUME_CANT_GROW,
        False,
        "must support resize",
    ),
    (
        403,
        'pods "x" is forbidden: violates PodSecurity "baseline:v1.30": privileged (container "c" must not)',
        {},
        CauseCode.POD_SECURITY,
        False,
        "Standard baseline",
    ),
    (
        403,
        'pods "x" is forbidden: no PriorityClass with name vip was found',
        {},
        CauseCode.ADMISSION_REFUSED,
        False,
        "vip",
    ),
    (
        422,
        "statefulsets.apps \"demo\" is forbidden: ValidatingAdmissionPolicy 'labels' with binding 'b' denied request: "
        "a cost label, please",
        {},
        CauseCode.ADMISSION_REFUSED,
        False,
        "a cost label, please",
    ),
    (
        400,
        'admission webhook "guard.example" denied the request: exceeded quota: of patience',
        {},
        CauseCode.ADMISSION_REFUSED,
        False,
        "of patience",
    ),
    (
        500,
        'Internal error occurred: failed calling webhook "guard.example": failed to call webhook: Post "https://g": '
        "context deadline exceeded",
        {},
        CauseCode.ADMISSION_UNANSWERED,
        True,
        "guard.example",
    ),
    (
        500,
        "failed to create typed patch object (toygres/demo; apps/v1, Kind=StatefulSet): .spec.replica: field not "
        "declared in schema",
        {},
        CauseCode.MANIFEST_REJECTED,
        False,
        ".spec.replica",
    ),
    (500, "etcdserver: leader changed", {}, CauseCode.PLATFORM_UNREACHABLE, True, "leader changed"),
    (409, "Apply failed with 7 conflicts", CONFLICTS, CauseCode.FIELD_CONFLICT, False, "kubectl-edit has .spec.f0"),
    (
        409,
        "Operation cannot be fulfilled: the object has been modified",
        {},
        CauseCode.CHANGED_MEANWHILE,
        True,
        "modified",
    ),
    (
        409,
        "Precondition failed: UID in precondition: 1, UID in object meta: 2",
        {"causes": [{"reason": "Other", "message": "x"}]},
        CauseCode.CHANGED_MEANWHILE,
        True,
        "UID",
    ),
    (404, "the server could not find the requested resource", {}, CauseCode.KIND_MISSING, False, "1.28"),
    (404, "404 page not found", {}, CauseCode.KIND_MISSING, False, "page not found"),
    (405, "the server does not allow this method", {}, CauseCode.KIND_MISSING, False, "method"),
    (
        422,
        'StatefulSet.apps "demo" is invalid: metadata.uid: Invalid value: "a": field is immutable',
        {},
        CauseCode.CHANGE_IMPOSSIBLE,
        False,
        "immutable",
    ),
    (
        422,
        'PersistentVolumeClaim "d" is invalid: spec.resources.requests.storage: Forbidden: field can not be less than '
        "status.capacity",
        {},
        CauseCode.VOLUME_CANT_GROW,
        False,
        "less than",
    ),
    (413, "Request entity too large", {}, CauseCode.MANIFEST_REJECTED, False, "413"),
    (408, "", {}, CauseCode.PLATFORM_UNREACHABLE, True, "408"),
    (429, "too many requests, please try again later", {}, CauseCode.PLATFORM_UNREACHABLE, True, "429"),
    (502, "bad gateway", {}, CauseCode.PLATFORM_UNREACHABLE, True, "502"),
    (503, "apiserver not ready", {}, CauseCode.PLATFORM_UNREACHABLE, True, "not ready"),
    (504, "Timeout: request did not complete", {}, CauseCode.PLATFORM_UNREACHABLE, True, "504"),
    (0, "", {}, CauseCode.PLATFORM_UNREACHABLE, True, "no answer"),
]


@pytest.mark.parametrize(("status", "message", "details", "code", "heals", "word"), PLAIN)
def test_an_answer_is_told_by_status_and_words(
    status: int, message: str, details: dict[str, Any], code: CauseCode, heals: bool, word: str
) -> None:
    found = verdict(status, "", message, details)
    assert (found.cause.code, found.heals) == (code, heals)
    assert word in f"{found.cause.message} {found.cause.remedy}"
    assert found.cause.message.endswith(".")


def test_many_conflicting_fields_are_counted_not_listed() -> None:
    assert ".spec.f4 and 2 more" in verdict(409, "Conflict", "Apply failed", CONFLICTS).cause.message
    assert ".spec.f5" not in verdict(409, "Conflict", "Apply failed", CONFLICTS).cause.message


def test_an_answer_that_says_nothing_has_its_reason_for_words() -> None:
    assert "ServiceUnavailable" in verdict(503, "ServiceUnavailable", "", {}).cause.message
