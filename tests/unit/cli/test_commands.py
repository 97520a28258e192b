"""Each command's answer, its JSON, and its exit code."""

from __future__ import annotations

import io
import re
import sys
from pathlib import Path
from typing import Any

import pytest

INSTANCES = "/v1/instances"
DEMO = "/v1/instances/demo"
BY_ID = "/v1/instances/ins_01h455vb4pex5vsknk084sn02q"
OPERATION = "/v1/operations/op_01h455vb4pex5vsknk084sn02q"


class Terminal(io.StringIO):
    """A person who types."""

    def isatty(self) -> bool:
        return True


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


@pytest.mark.parametrize(("status", "code"), [(422, 2), (404, 3), (409, 4), (503, 5), (401, 78), (500, 1)])
def test_each_kind_of_refusal_has_an_exit_code(wire: Any, run: Any, status: int, code: int) -> None:
    errors = [{"field": "version", "value": "9", "message": "isn't offered", "allowed": "one of 18, 16"}]
    problem = {"title": "t", "status": status, "detail": "What is wrong.", "remedy": "What to do.", "errors": errors}
    wire.answer("POST", INSTANCES, problem, status=status)
    ran = run("create", "demo")
    assert ran.code == code
    assert ran.err.startswith("toygres: ")
    expected = "version '9' isn't offered: one of 18, 16" if status == 422 else "What is wrong."
    assert expected in ran.err


def test_without_a_toygres_the_exit_code_is_5(run: Any) -> None:
    ran = run("list")
    assert ran.code == 5
    assert "toygres up" in ran.err


def test_list_writes_columns_that_are_never_cut(wire: Any, run: Any, instance: Any) -> None:
    long_name = "a" * 40
    items = [instance(), instance("creating", name=long_name)]
    wire.answer("GET", INSTANCES, {"items": items, "next_cursor": None})
    lines = run("list").out.splitlines()
    assert lines[0].split() == ["NAME", "STATE", "AVAILABLE", "VERSION", "ENDPOINT", "PLATFORM", "CREATED"]
    assert lines[1].split()[:5] == ["demo", "ready", "yes", "18", "127.0.0.1:20000"]
    assert lines[2].split()[:5] == [long_name, "creating", "no", "18", "-"]


def test_list_of_nothing_writes_its_titles(wire: Any, run: Any) -> None:
    wire.answer("GET", INSTANCES, {"items": [], "next_cursor": None})
    assert run("list").out.splitlines()[0].startswith("NAME")


def test_list_as_json_is_the_apis_answer(wire: Any, run: Any, instance: Any) -> None:
    wire.answer("GET", INSTANCES, {"items": [instance()], "next_cursor": None})
    assert run("list", "--state", "ready", "-o", "json").json == {"items": [instance()], "next_cursor": None}
    assert "state=ready" in wire.seen[0].path


def test_get_says_why_an_instance_is_not_available(wire: Any, run: Any, instance: Any, cause: Any) -> None:
    wire.answer("GET", DEMO, instance("ready", available={"value": False, "since": None, "cause": cause}))
    out = run("get", "demo").out
    assert "no: The server refused its parameters. Delete it and order it with others." in out
    assert "1Gi (not enforced)" in out
    assert "shared_buffers=16MB" in out


def test_a_cause_without_a_full_stop_is_told_apart_from_its_remedy(
    wire: Any, run: Any, instance: Any, cause: Any
) -> None:
    unended = {**cause, "message": "FATAL: Cannot allocate memory"}
    wire.answer("GET", DEMO, instance("failed", available={"value": False, "since": None, "cause": unended}))
    assert "no: FATAL: Cannot allocate memory. Delete it and order it" in run("get", "demo").out


def test_a_state_that_does_not_exist_is_refused_with_the_choices_once(wire: Any, run: Any) -> None:
    ran = run("list", "--state", "bogus")
    assert (ran.code, ran.err.count("stopped")) == (2, 1)
    assert wire.seen == []


def test_what_a_message_lists_is_not_listed_again(wire: Any, run: Any) -> None:
    errors = [{"field": "state", "value": "x", "message": "should be 'a' or 'b'", "allowed": "'a' or 'b'"}]
    wire.answer("GET", INSTANCES, {"title": "t", "status": 422, "detail": "d", "errors": errors}, status=422)
    assert run("list").err == "toygres: state 'x' should be 'a' or 'b'\n"


def test_get_as_json_is_the_apis_answer(wire: Any, run: Any, instance: Any) -> None:
    wire.answer("GET", DEMO, instance())
    assert run("get", "demo", "-o", "json").json == instance()


def test_a_name_that_looks_like_a_path_stays_one_segment(wire: Any, run: Any) -> None:
    assert run("get", "../operations?x=1").code == 3
    assert wire.seen[0].path == "/v1/instances/..%2Foperations%3Fx%3D1"


def test_uri_writes_the_uri_alone(wire: Any, run: Any) -> None:
    wire.answer("GET", f"{DEMO}/credentials", {"uri": "postgresql://postgres:pw@127.0.0.1:20000/postgres"})
    ran = run("uri", "demo")
    assert (ran.out, ran.err) == ("postgresql://postgres:pw@127.0.0.1:20000/postgres\n", "")


def test_delete_without_a_terminal_and_without_yes_is_refused(
    wire: Any, run: Any, instance: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "stdin", io.StringIO("demo\n"))
    wire.answer("GET", DEMO, instance())
    ran = run("delete", "demo")
    assert ran.code == 2
    assert "--yes" in ran.err
    assert {seen.method for seen in wire.seen} == {"GET"}


@pytest.mark.parametrize(("typed", "code", "methods"), [("demo", 0, {"GET", "DELETE"}), ("dem", 2, {"GET"})])
def test_delete_asks_for_the_name_on_a_terminal(
    wire: Any,
    run: Any,
    instance: Any,
    operation: Any,
    monkeypatch: pytest.MonkeyPatch,
    typed: str,
    code: int,
    methods: set[str],
) -> None:
    monkeypatch.setattr(sys, "stdin", Terminal(f"{typed}\n"))
    wire.answer("GET", DEMO, instance())
    wire.answer("DELETE", DEMO, {"instance": instance("deleting"), "operation": operation(kind="delete")}, status=202)
    assert run("delete", "demo", "--no-wait").code == code
    assert {seen.method for seen in wire.seen} == methods


class Interrupted(Terminal):
    """A person who presses Ctrl-C instead."""

    def readline(self, *_: Any) -> str:
        raise KeyboardInterrupt


@pytest.mark.parametrize("terminal", [Terminal(""), Interrupted("")], ids=["ctrl-d", "ctrl-c"])
def test_leaving_the_question_of_delete_deletes_nothing(
    wire: Any, run: Any, instance: Any, monkeypatch: pytest.MonkeyPatch, terminal: Terminal
) -> None:
    monkeypatch.setattr(sys, "stdin", terminal)
    wire.answer("GET", DEMO, instance())
    ran = run("delete", "demo")
    assert (ran.code, "Nothing was deleted." in ran.err) == (130, True)
    assert {seen.method for seen in wire.seen} == {"GET"}


def test_delete_with_yes_waits_until_it_is_gone(wire: Any, run: Any, instance: Any, operation: Any) -> None:
    wire.answer("DELETE", DEMO, {"instance": instance("deleting"), "operation": operation(kind="delete")}, status=202)
    wire.answer("GET", OPERATION, operation("succeeded", 2, kind="delete"))
    ran = run("delete", "demo", "--yes")
    assert (ran.code, ran.out) == (0, "demo is deleted\n")


@pytest.mark.parametrize(("command", "state"), [("start", "ready"), ("stop", "stopped"), ("restart", "ready")])
def test_start_stop_and_restart_wait_for_their_end(
    wire: Any, run: Any, instance: Any, operation: Any, command: str, state: str
) -> None:
    wire.answer("POST", f"{DEMO}/{command}", {"instance": instance(), "operation": operation(kind=command)}, status=202)
    wire.answer("GET", OPERATION, operation("succeeded", 2, kind=command))
    wire.answer("GET", BY_ID, instance(state))
    assert run(command, "demo").out == f"demo is {state}\n"


def test_ctrl_c_ends_the_watching_and_not_the_operation(wire: Any, run: Any, instance: Any, operation: Any) -> None:
    wire.interrupts = True
    wire.answer("POST", INSTANCES, {"instance": instance("requested"), "operation": operation()}, status=202)
    ran = run("create", "demo")
    assert ran.code == 130
    assert "goes on" in ran.err
    assert "toygres operations op_01h455vb4pex5vsknk084sn02q" in ran.err
    assert [seen.method for seen in wire.seen] == ["POST", "GET"]


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


def test_signin_writes_the_link_alone(wire: Any, run: Any) -> None:
    made = {"url": "http://127.0.0.1:8000/signin/code", "expires_at": "2026-11-23T10:05:00.000Z"}
    wire.answer("POST", "/v1/signins", made, status=201)
    ran = run("signin")
    assert (ran.code, ran.out) == (0, "http://127.0.0.1:8000/signin/code\n")
    assert "until 2026-11-23T10:05:00.000Z" in ran.err
    assert run("signin", "-o", "json").json == made


def test_platforms_tell_what_they_offer(wire: Any, run: Any) -> None:
    platform = {
        "name": "local",
        "kind": "local",
        "default": True,
        "versions": ["18", "15"],
        "default_version": "18",
        "tls": False,
        "enforced": [],
        "storage": {"least": "1Gi", "most": "1Ti", "default": "1Gi"},
        "cpu": {"least": "100m", "most": "64", "default": "1"},
        "memory": {"least": "128Mi", "most": "1Ti", "default": "512Mi"},
    }
    wire.answer("GET", "/v1/platforms", {"items": [platform], "next_cursor": None})
    row = run("platforms").out.splitlines()[1]
    assert re.split(r" {2,}", row) == [
        "local",
        "local",
        "yes",
        "18 (default), 15",
        "storage 1Gi, cpu 1, memory 512Mi",
        "no",
        "nothing",
    ]
    assert run("platforms", "-o", "json").json["items"] == [platform]


def test_migrate_without_a_database_says_what_to_set(run: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("DATABASE_URL", raising=False)
    ran = run("migrate")
    assert ran.code == 78
    assert "DATABASE_URL" in ran.err


def test_help_keeps_what_only_operators_need_apart(run: Any) -> None:
    everyday, _, operators = run("--help").out.partition("For operators")
    assert "migrate" not in everyday
    assert "migrate" in operators
    assert "prepare" in operators


def test_an_unknown_command_is_bad_usage(run: Any) -> None:
    assert run("frobnicate").code == 2


def test_the_version_is_told(run: Any) -> None:
    assert run("--version").out.startswith("toygres ")
