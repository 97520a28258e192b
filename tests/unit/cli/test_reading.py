"""What the commands that only read write, for people and as JSON."""

from __future__ import annotations

import re
from typing import Any

INSTANCES = "/v1/instances"
DEMO = "/v1/instances/demo"


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


def test_get_says_how_long_the_login_took_where_that_is_known(wire: Any, run: Any, instance: Any) -> None:
    older = instance()
    del older["status"]["login_seconds"]
    wire.answer("GET", DEMO, instance(), instance("creating"), older)
    assert re.search(r"login took +41 ms", run("get", "demo").out)
    assert "login took" not in run("get", "demo").out
    assert "login took" not in run("get", "demo").out


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


def test_get_as_json_is_the_apis_answer(wire: Any, run: Any, instance: Any) -> None:
    wire.answer("GET", DEMO, instance())
    assert run("get", "demo", "-o", "json").json == instance()


def test_uri_writes_the_uri_alone(wire: Any, run: Any) -> None:
    wire.answer("GET", f"{DEMO}/credentials", {"uri": "postgresql://postgres:pw@127.0.0.1:20000/postgres"})
    ran = run("uri", "demo")
    assert (ran.out, ran.err) == ("postgresql://postgres:pw@127.0.0.1:20000/postgres\n", "")


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
