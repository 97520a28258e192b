"""What went wrong in a call, in our own words."""

from __future__ import annotations

import json
from typing import Any

import pytest

from toygres.errors import CauseCode, Refused, Unavailable
from toygres.platforms.kubernetes import trouble
from toygres.platforms.kubernetes.trouble import Answer


def _status(code: int, **said: Any) -> Answer:
    headers = said.pop("headers", {})
    return Answer(code, headers, json.dumps({"kind": "Status", "code": code, **said}).encode())


@pytest.mark.parametrize(("text", "seconds"), [("7", 7.0), (" 0 ", 0.0), ("", None), ("soon", None), ("-1", None)])
def test_the_seconds_to_be_left_alone_for_are_read(text: str, seconds: float | None) -> None:
    assert trouble.retry_after(Answer(429, {"retry-after": text})) == seconds


def test_a_date_to_be_left_alone_until_is_read() -> None:
    seconds = trouble.retry_after(Answer(503, {"retry-after": "Fri, 31 Dec 9999 23:59:59 GMT"}))
    assert seconds is not None
    assert seconds > 1e9
    assert trouble.retry_after(Answer(503, {"retry-after": "Fri, 31 Dec 1999 23:59:59 GMT"})) == 0.0


def test_only_a_conflict_of_managers_is_one() -> None:
    causes = [{"reason": "FieldManagerConflict", "field": ".spec.replicas", "message": 'conflict with "other"'}]
    assert trouble.conflicting(_status(409, details={"causes": causes}))
    assert not trouble.conflicting(_status(409, message="the object has been modified"))
    assert not trouble.conflicting(Answer(409, {}, b"<html>"))


def test_a_success_is_no_trouble() -> None:
    answer = Answer(201, {}, b"{}")
    assert trouble.check(answer, "apply Secret demo") is answer


def test_what_is_also_fine_is_no_trouble() -> None:
    assert trouble.check(_status(404), "get Secret demo", also=(404,)).status == 404


def test_what_can_heal_is_unavailable_and_what_cannot_is_refused() -> None:
    quota = _status(
        403,
        reason="Forbidden",
        message='persistentvolumeclaims "demo" is forbidden: exceeded quota: q, requested: requests.storage=10Gi, '
        "used: requests.storage=0, limited: requests.storage=1Gi",
    )
    away = trouble.refusal(quota, "apply PersistentVolumeClaim demo")
    assert isinstance(away, Unavailable)
    assert away.cause is not None
    assert away.cause.code is CauseCode.QUOTA_EXCEEDED
    schema = _status(500, message="failed to create typed patch object: .spec.nonsense: field not declared in schema")
    final = trouble.refusal(schema, "apply Service demo")
    assert isinstance(final, Refused)
    assert final.cause.code is CauseCode.MANIFEST_REJECTED


def test_the_evidence_names_the_call_and_its_answer() -> None:
    final = trouble.refusal(_status(422, reason="Invalid", message="no"), "apply Service demo")
    assert isinstance(final, Refused)
    assert final.cause.evidence[-1] == "apply Service demo: HTTP 422: no"


def test_a_very_long_message_is_shortened() -> None:
    final = trouble.refusal(_status(422, message="x" * 100_000), "apply Service demo")
    assert isinstance(final, Refused)
    assert len(final.cause.message) < 5000
