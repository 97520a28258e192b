"""`toygres doctor`: what it writes, and how it ends."""

from __future__ import annotations

from typing import Any

import pytest

from toygres.domain.findings import Finding, fine, noted, unchecked, wrong
from toygres.processes import checkup

WELL = [
    fine("home", "It is there."),
    noted("keys", "There are many."),
    unchecked("broker", "It hides.", "Look for it."),
]


@pytest.fixture
def finds(monkeypatch: pytest.MonkeyPatch) -> Any:
    """Have the examination find these; what was asked for is in `asked`."""

    def make(*findings: Finding) -> None:
        def examine(_settings: object, *, web: bool) -> list[Finding]:
            make.asked.append(web)  # type: ignore[attr-defined]
            return list(findings)

        monkeypatch.setattr(checkup, "examine", examine)

    make.asked = []  # type: ignore[attr-defined]
    return make


def test_each_finding_is_a_line_and_its_remedy_another(run: Any, finds: Any) -> None:
    finds(*WELL)
    ran = run("doctor")
    assert (ran.code, ran.err) == (0, "")
    assert ran.out.splitlines() == [
        "ok     home: It is there.",
        "note   keys: There are many.",
        "?      broker: It hides.",
        "       Look for it.",
    ]


def test_something_wrong_ends_it_with_1(run: Any, finds: Any) -> None:
    finds(*WELL, wrong("sky", "It is falling.", "Run."))
    ran = run("doctor")
    assert ran.code == 1
    assert ran.out.endswith("WRONG  sky: It is falling.\n       Run.\n")


def test_programs_get_the_same_as_json(run: Any, finds: Any) -> None:
    finds(*WELL, wrong("sky", "It is falling.", "Run."))
    ran = run("doctor", "--output", "json")
    assert ran.code == 1
    assert ran.json["well"] is False
    assert [found["standing"] for found in ran.json["findings"]] == ["fine", "noted", "unchecked", "wrong"]
    assert ran.json["findings"][-1] == {
        "about": "sky",
        "standing": "wrong",
        "message": "It is falling.",
        "remedy": "Run.",
    }


def test_what_a_server_says_can_not_reach_the_terminal_as_an_escape(run: Any, finds: Any) -> None:
    finds(wrong("cluster", "It says \x1b[2J.", "Don't \x07listen."))
    assert not set("\x1b\x07") & set(run("doctor").out)


def test_the_web_process_rights_are_looked_at_when_asked_for(run: Any, finds: Any) -> None:
    finds()
    run("doctor")
    run("doctor", "--web")
    assert finds.asked == [False, True]


def test_on_a_new_machine_it_says_what_there_is_not_and_ends_well(run: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("DATABASE_URL", "REDIS_URL"):
        monkeypatch.delenv(name, raising=False)
    ran = run("doctor")
    assert ran.code == 0
    assert "metadata DB: It doesn't run." in ran.out
    assert "toygres up" in ran.out


def test_a_setting_that_is_wrong_is_told_as_ever(run: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TOYGRES_WORKER_SLOTS", "none")
    ran = run("doctor")
    assert ran.code == 78
    assert "TOYGRES_WORKER_SLOTS" in ran.err
