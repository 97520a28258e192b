"""An operation is followed to its end, on a terminal and off it, and through a restart of the API."""

from __future__ import annotations

import io
from typing import Any

import pytest
from rich.console import Console

from toygres.cli import steps
from toygres.cli.client import Client
from toygres.cli.displays import LiveDisplay, detail, drawing
from toygres.cli.steps import follow
from toygres.errors import Unavailable

PATH = "/v1/operations/op_01h455vb4pex5vsknk084sn02q"


def test_following_asks_only_for_what_is_newer_than_what_is_known(wire: Any, operation: Any) -> None:
    wire.answer("GET", PATH, operation("running", 2), operation("succeeded", 3))
    ended = follow(Client.find(), operation("queued", 1), live=False)
    assert ended["state"] == "succeeded"
    assert ["after_revision=1" in wire.seen[0].path, "after_revision=2" in wire.seen[1].path] == [True, True]
    assert "wait_seconds=25" in wire.seen[0].path


def test_an_operation_that_has_ended_is_not_asked_for(wire: Any, operation: Any) -> None:
    assert follow(Client.find(), operation("failed", 4), live=False)["state"] == "failed"
    assert wire.seen == []


def test_off_a_terminal_each_change_is_one_line(
    wire: Any, operation: Any, step: Any, cause: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    waiting = step("verify_login", "waiting", 1, cause=cause)
    wire.answer(
        "GET",
        PATH,
        operation("waiting", 2, steps=[step("apply_server", "done", 0), waiting]),
        operation("waiting", 3, steps=[step("apply_server", "done", 0), waiting]),
        # Another look at it.
        operation("running", 4, steps=[step("apply_server", "done", 0), {**waiting, "state": "running"}]),
        operation("waiting", 5, steps=[step("apply_server", "done", 0), waiting]),
        operation("succeeded", 6),
    )
    follow(Client.find(), operation("queued", 1))
    lines = capsys.readouterr().err.splitlines()
    assert lines == [
        "Create an instance: demo, op_01h455vb4pex5vsknk084sn02q, 2 steps",
        "  apply_server: done, 250 ms",
        "  verify_login: waiting, The server refused its parameters. Delete it and order it with others.",
        "  verify_login: done, 250 ms",
    ]


def test_undo_rows_are_shown_as_they_appear(
    wire: Any, operation: Any, step: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    undo = step("remove_server", "done", 2, undoes="apply_server")
    rows = [step("apply_server", "undone", 0), step("verify_login", "skipped", 1), undo]
    wire.answer("GET", PATH, operation("failed", 2, steps=rows))
    follow(Client.find(), operation("queued", 1))
    assert "  remove_server (undoes apply_server): done, 250 ms" in capsys.readouterr().err


def test_a_restart_of_the_api_does_not_end_the_following(wire: Any, operation: Any) -> None:
    wire.answer("GET", PATH, None)
    wire.answer("GET", PATH, {"title": "t", "detail": "Not ready."}, status=503)
    wire.answer("GET", PATH, operation("succeeded", 2))
    assert follow(Client.find(), operation("running", 1), live=False)["state"] == "succeeded"
    assert len(wire.seen) == 3


def test_an_api_that_stays_away_ends_the_following(
    serve: Any, wire: Any, operation: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(steps, "PATIENCE_SECONDS", 0.15)
    server = serve(type(wire)())
    url = f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()
    with pytest.raises(Unavailable, match="No Toygres answers"):
        follow(Client(url, "t"), operation("running", 1), live=False)


def test_the_live_list_shows_the_steps_that_are_still_to_come(operation: Any, step: Any) -> None:
    screen = io.StringIO()
    rows = [step("apply_server", "done", 0, attempts=2), step("verify_login", "pending", 1)]
    Console(file=screen, width=100).print(drawing(operation("running", 2, steps=rows), 3.0, ascii_only=False))
    text = screen.getvalue()
    assert "✓" in text
    assert "verify_login" in text
    assert "pending" in text
    assert "attempt 2" in text
    assert "running, 3.0 s" in text


def test_the_live_list_is_ascii_where_the_terminal_is(operation: Any) -> None:
    screen = io.StringIO()
    Console(file=screen, width=100).print(drawing(operation("succeeded", 2), 1.0, ascii_only=True))
    assert screen.getvalue().isascii()


def test_square_brackets_in_a_cause_are_shown_as_they_are(operation: Any, step: Any, cause: Any) -> None:
    screen = io.StringIO()
    rows = [step("apply_server", "failed", 0, cause={**cause, "message": "see [bold]this[/bold]"})]
    Console(file=screen, width=100).print(drawing(operation("failed", 2, steps=rows), 1.0, ascii_only=True))
    assert "[bold]this[/bold]" in screen.getvalue()


def test_the_live_list_is_redrawn_over_itself(operation: Any) -> None:
    screen = io.StringIO()
    with LiveDisplay(Console(file=screen, width=100, force_terminal=True)) as display:
        display.show(operation("running", 1))
        display.show(operation("succeeded", 2))
    assert "\x1b[1A" in screen.getvalue()
    assert "succeeded" in screen.getvalue()


def test_a_step_that_waited_tells_how_long(step: Any) -> None:
    assert detail(step("await_server", "done", waited_seconds=12.4)) == "250 ms, waited 12 s"


def test_while_something_is_wrong_that_may_heal_what_to_do_is_told_too(step: Any, cause: Any) -> None:
    trouble = {**cause, "code": "Unschedulable", "message": "No node can take it.", "remedy": "Add one."}
    assert detail(step("await_server", "waiting", cause=trouble)).endswith("No node can take it. Add one.")
    ordinary = {**trouble, "code": "Starting", "message": "It is starting.", "remedy": "Wait."}
    assert detail(step("await_server", "waiting", cause=ordinary)).endswith("It is starting.")
