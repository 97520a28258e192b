"""What holds for every command: its exit codes, its refusals, its help."""

from __future__ import annotations

from typing import Any

import pytest

INSTANCES = "/v1/instances"


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


def test_what_a_message_lists_is_not_listed_again(wire: Any, run: Any) -> None:
    errors = [{"field": "state", "value": "x", "message": "should be 'a' or 'b'", "allowed": "'a' or 'b'"}]
    wire.answer("GET", INSTANCES, {"title": "t", "status": 422, "detail": "d", "errors": errors}, status=422)
    assert run("list").err == "toygres: state 'x' should be 'a' or 'b'\n"


def test_a_name_that_looks_like_a_path_stays_one_segment(wire: Any, run: Any) -> None:
    assert run("get", "../operations?x=1").code == 3
    assert wire.seen[0].path == "/v1/instances/..%2Foperations%3Fx%3D1"


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
