"""`toygres parameters`: the table, one of them, and what isn't there."""

from __future__ import annotations

import re
from typing import Any

import pytest

PLATFORMS = "/v1/platforms"
PARAMETERS = "/v1/platforms/local/parameters"


def _item(name: str, **changes: Any) -> dict[str, Any]:
    return {
        "name": name,
        "type": "integer",
        "unit": "kB",
        "minimum": "64",
        "maximum": "2147483647",
        "also": [],
        "multiple_of": "",
        "choices": [],
        "default": "4MB",
        "restart": False,
        "category": "Resource Usage / Memory",
        "description": "Memory for a sort.",
        "note": "",
        "allowed": "64 to 2147483647, in units of kB or with a unit such as 64MB",
        **changes,
    }


LIST = {
    "version": "18",
    "items": [
        _item("maintenance_work_mem", also=["0"]),
        _item("wal_level", type="enum", unit="", choices=["replica", "logical"], default="replica", restart=True),
        _item("work_mem", note="A note."),
    ],
    "next_cursor": None,
}


@pytest.fixture
def told(wire: Any) -> Any:
    """A Toygres with one platform and three parameters."""
    platforms = [{"name": "other", "default": False}, {"name": "local", "default": True}]
    wire.answer("GET", PLATFORMS, {"items": platforms, "next_cursor": None})
    wire.answer("GET", PARAMETERS, LIST)
    return wire


def test_all_are_a_table(told: Any, run: Any) -> None:
    rows = [re.split(r" {2,}", line) for line in run("parameters").out.splitlines()]
    assert rows == [
        ["NAME", "TYPE", "VALUES", "DEFAULT", "RESTART", "DESCRIPTION"],
        ["maintenance_work_mem", "integer, kB", "0 or 64 to 2147483647", "4MB", "no", "Memory for a sort."],
        ["wal_level", "enum", "replica, logical", "replica", "yes", "Memory for a sort."],
        ["work_mem", "integer, kB", "64 to 2147483647", "4MB", "no", "Memory for a sort."],
    ]


def test_a_part_of_names_finds_all_that_have_it(told: Any, run: Any) -> None:
    assert [line.split()[0] for line in run("parameters", "_mem").out.splitlines()[1:]] == [
        "maintenance_work_mem",
        "work_mem",
    ]


def test_a_whole_name_tells_everything_of_that_one(told: Any, run: Any) -> None:
    out = run("parameters", "Work_Mem").out
    assert "64 to 2147483647, in units of kB" in out
    assert re.search(r"^a change needs +no restart$", out, re.MULTILINE)
    assert re.search(r"^note +A note\.$", out, re.MULTILINE)
    assert "maintenance" not in out


def test_json_is_the_apis_answer_with_what_was_asked_for(told: Any, run: Any) -> None:
    assert run("parameters", "-o", "json").json == LIST
    assert run("parameters", "wal", "-o", "json").json == {**LIST, "items": [LIST["items"][1]]}


def test_platform_and_version_go_into_the_question(wire: Any, run: Any) -> None:
    wire.answer("GET", "/v1/platforms/a%2Fb/parameters", LIST)
    assert run("parameters", "--platform", "a/b", "--version", "17").code == 0
    assert [seen.path for seen in wire.seen] == ["/v1/platforms/a%2Fb/parameters?version=17"]


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("wrok_mem", "isn't a parameter of PostgreSQL 18. Take work_mem, or another that"),
        ("archive_command", "can't be set, since it runs commands on the server's machine. Take one that"),
    ],
)
def test_what_is_not_there_is_told_with_what_is(told: Any, run: Any, name: str, said: str) -> None:
    ran = run("parameters", name)
    assert (ran.code, ran.out) == (3, "")
    assert said in ran.err
