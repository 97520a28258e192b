"""What `toygres create` sends, where its password comes from, and what it says of how it ended."""

from __future__ import annotations

import io
import sys
from pathlib import Path
from typing import Any

import pytest

INSTANCES = "/v1/instances"
BY_ID = "/v1/instances/ins_01h455vb4pex5vsknk084sn02q"
OPERATION = "/v1/operations/op_01h455vb4pex5vsknk084sn02q"


def test_create_sends_only_what_was_asked(wire: Any, run: Any, instance: Any, operation: Any) -> None:
    wire.answer("POST", INSTANCES, {"instance": instance("requested"), "operation": operation()}, status=202)
    arguments = ("--cpu", "500m", "-p", "shared_buffers=16MB", "-p", "work_mem=4MB")
    assert run("create", "demo", *arguments, "--no-wait").code == 0
    parameters = {"shared_buffers": "16MB", "work_mem": "4MB"}
    assert wire.seen[0].body == {"name": "demo", "cpu": "500m", "parameters": parameters}


def test_create_waits_and_says_where_the_instance_is(wire: Any, run: Any, instance: Any, operation: Any) -> None:
    wire.answer("POST", INSTANCES, {"instance": instance("requested"), "operation": operation()}, status=202)
    wire.answer("GET", OPERATION, operation("succeeded", 2))
    wire.answer("GET", BY_ID, instance())
    ran = run("create", "demo")
    assert (ran.code, ran.out) == (0, "demo is ready at 127.0.0.1:20000\n")
    assert "verify_login: done" in ran.err
    assert "doesn't enforce its limits of: storage" in ran.err


def test_create_as_json_answers_the_instance_and_the_operation_as_they_ended(
    wire: Any, run: Any, instance: Any, operation: Any
) -> None:
    wire.answer("POST", INSTANCES, {"instance": instance("requested"), "operation": operation()}, status=202)
    wire.answer("GET", OPERATION, operation("succeeded", 2))
    wire.answer("GET", BY_ID, instance())
    assert run("create", "demo", "-o", "json").json == {"instance": instance(), "operation": operation("succeeded", 2)}


def test_a_create_that_fails_tells_cause_remedy_and_the_last_of_the_evidence(
    wire: Any, run: Any, instance: Any, operation: Any, cause: Any
) -> None:
    wire.answer("POST", INSTANCES, {"instance": instance("requested"), "operation": operation()}, status=202)
    wire.answer("GET", OPERATION, operation("failed", 2, cause=cause, leftovers=["folder demo-1"]))
    wire.answer("GET", BY_ID, instance("failed"))
    ran = run("create", "demo")
    assert ran.code == 1
    assert ran.out == ""
    assert "ParametersRejected: The server refused its parameters.\nDelete it and order it with others." in ran.err
    assert "| line 3\n" in ran.err
    assert "line 2\n" not in ran.err
    assert "| line 12\n" in ran.err
    assert "folder demo-1" in ran.err


@pytest.mark.parametrize(("content", "sent"), [("secret\n", "secret"), ("se cret", "se cret"), ("a\r\n", "a")])
def test_the_password_comes_from_a_files_first_line(
    wire: Any, run: Any, instance: Any, operation: Any, tmp_path: Path, content: str, sent: str
) -> None:
    (tmp_path / "password").write_text(content, newline="")
    wire.answer("POST", INSTANCES, {"instance": instance("requested"), "operation": operation()}, status=202)
    run("create", "demo", "--no-wait", "--password-file", str(tmp_path / "password"))
    assert wire.seen[0].body["password"] == sent


def test_the_password_comes_from_stdin(
    wire: Any, run: Any, instance: Any, operation: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "stdin", io.StringIO("from-stdin\n"))
    wire.answer("POST", INSTANCES, {"instance": instance("requested"), "operation": operation()}, status=202)
    run("create", "demo", "--no-wait", "--password-file", "-")
    assert wire.seen[0].body["password"] == "from-stdin"


@pytest.mark.parametrize("content", ["", "\n", "one\ntwo\n"])
def test_a_password_file_that_holds_no_single_line_is_refused(
    wire: Any, run: Any, tmp_path: Path, content: str
) -> None:
    (tmp_path / "password").write_text(content)
    assert run("create", "demo", "--password-file", str(tmp_path / "password")).code == 2
    assert wire.seen == []


@pytest.mark.parametrize("given", [("-p", "work_mem"), ("-p", "=4MB"), ("-p", "a=1", "-p", "a=2")])
def test_a_parameter_that_is_not_name_and_value_is_refused(wire: Any, run: Any, given: tuple[str, ...]) -> None:
    assert run("create", "demo", *given).code == 2
    assert wire.seen == []


def test_ctrl_c_ends_the_watching_and_not_the_operation(wire: Any, run: Any, instance: Any, operation: Any) -> None:
    wire.interrupts = True
    wire.answer("POST", INSTANCES, {"instance": instance("requested"), "operation": operation()}, status=202)
    ran = run("create", "demo")
    assert ran.code == 130
    assert "goes on" in ran.err
    assert "toygres operations op_01h455vb4pex5vsknk084sn02q" in ran.err
    assert [seen.method for seen in wire.seen] == ["POST", "GET"]
