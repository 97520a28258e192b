"""Operations: how they are listed, shown, followed, cancelled and tried again."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

BY_ID = "/v1/instances/ins_01h455vb4pex5vsknk084sn02q"
OPERATION = "/v1/operations/op_01h455vb4pex5vsknk084sn02q"


def test_operations_lists_the_newest_of_an_instance(wire: Any, run: Any, operation: Any, cause: Any) -> None:
    wire.answer("GET", "/v1/operations", {"items": [operation("failed", 3, cause=cause)], "next_cursor": "more"})
    ran = run("operations", "demo", "--limit", "1")
    assert ran.out.splitlines()[1].split()[1:4] == ["create", "demo", "failed"]
    assert "ParametersRejected" in ran.out
    assert "--limit" in ran.err
    assert "instance=demo" in wire.seen[0].path


def test_one_operation_is_shown_with_its_steps_and_evidence(wire: Any, run: Any, operation: Any, cause: Any) -> None:
    wire.answer("GET", OPERATION, operation("failed", 3, cause=cause))
    ran = run("operations", "op_01h455vb4pex5vsknk084sn02q")
    assert ran.code == 0
    assert "apply_server" in ran.out
    assert "| line 12" in ran.err


def test_an_operation_can_be_followed_to_its_end(wire: Any, run: Any, operation: Any) -> None:
    wire.answer("GET", OPERATION, operation("running", 1), operation("succeeded", 2))
    ran = run("operations", "op_01h455vb4pex5vsknk084sn02q", "--follow", "-o", "json")
    assert (ran.code, ran.json["state"]) == (0, "succeeded")


def test_only_one_operation_can_be_followed(wire: Any, run: Any) -> None:
    assert run("operations", "demo", "--follow").code == 2
    assert wire.seen == []


@pytest.mark.parametrize(("end", "code"), [("cancelled", 0), ("succeeded", 1)])
def test_cancel_succeeds_when_the_operation_ends_cancelled(
    wire: Any, run: Any, operation: Any, end: str, code: int
) -> None:
    wire.answer("POST", f"{OPERATION}/cancel", operation("running", 1), status=202)
    wire.answer("GET", OPERATION, operation(end, 2))
    assert run("cancel", "op_01h455vb4pex5vsknk084sn02q").code == code


def test_retry_follows_the_new_operation(wire: Any, run: Any, instance: Any, operation: Any) -> None:
    again = operation(id="op_01h455vb4pex5vsknk084sn02r", retry_of="op_01h455vb4pex5vsknk084sn02q")
    wire.answer("POST", f"{OPERATION}/retry", {"instance": instance("requested"), "operation": again}, status=202)
    wire.answer("GET", "/v1/operations/op_01h455vb4pex5vsknk084sn02r", {**again, "state": "succeeded", "revision": 2})
    wire.answer("GET", BY_ID, instance())
    ran = run("retry", "op_01h455vb4pex5vsknk084sn02q")
    assert (ran.code, ran.out) == (0, "demo is ready\n")
    assert wire.seen[0].body is None


def test_retry_sends_the_password_in_a_file(wire: Any, run: Any, instance: Any, operation: Any, tmp_path: Path) -> None:
    (tmp_path / "password").write_text("correct-horse\n")
    accepted = {"instance": instance("requested"), "operation": operation()}
    wire.answer("POST", f"{OPERATION}/retry", accepted, status=202)
    arguments = ("--password-file", str(tmp_path / "password"), "--no-wait", "-o", "json")
    ran = run("retry", "op_01h455vb4pex5vsknk084sn02q", *arguments)
    assert (ran.code, ran.json) == (0, accepted)
    assert wire.seen[0].body == {"password": "correct-horse"}


def test_what_can_not_be_tried_again_is_told_in_a_sentence(wire: Any, run: Any) -> None:
    problem = {
        "title": "Conflict",
        "status": 409,
        "detail": "This stop can't be tried again: it succeeded.",
        "remedy": "",
    }
    wire.answer("POST", f"{OPERATION}/retry", problem, status=409)
    ran = run("retry", "op_01h455vb4pex5vsknk084sn02q")
    assert (ran.code, ran.err) == (4, "toygres: This stop can't be tried again: it succeeded.\n")


@pytest.mark.parametrize(
    ("end", "kind", "told"),
    [
        ("failed", "create", True),
        ("cancelled", "stop", True),
        ("superseded", "create", False),
        ("cancelled", "delete", False),
    ],
)
def test_how_to_try_again_is_told_where_that_can_be_done(
    wire: Any, run: Any, operation: Any, end: str, kind: str, told: bool
) -> None:
    wire.answer("GET", OPERATION, operation(end, 2, kind=kind))
    ran = run("operations", "op_01h455vb4pex5vsknk084sn02q", "--follow")
    assert ("Try again: toygres retry op_01h455vb4pex5vsknk084sn02q" in ran.err) is told


@pytest.mark.parametrize(
    ("end", "told"), [("failed", "failed"), ("cancelled", "was cancelled"), ("superseded", "was superseded")]
)
def test_an_operation_that_did_not_succeed_is_told_in_a_sentence(
    wire: Any, run: Any, operation: Any, end: str, told: str
) -> None:
    wire.answer("GET", OPERATION, operation(end, 2))
    ran = run("operations", "op_01h455vb4pex5vsknk084sn02q", "--follow")
    assert (ran.code, f"create of demo {told}.\n" in ran.err) == (1, True)
