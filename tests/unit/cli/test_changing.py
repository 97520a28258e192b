"""What the commands that change an instance ask, send and wait for."""

from __future__ import annotations

import io
import sys
from typing import Any

import pytest

DEMO = "/v1/instances/demo"
BY_ID = "/v1/instances/ins_01h455vb4pex5vsknk084sn02q"
OPERATION = "/v1/operations/op_01h455vb4pex5vsknk084sn02q"


class Terminal(io.StringIO):
    """A person who types."""

    def isatty(self) -> bool:
        return True


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
