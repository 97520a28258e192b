"""A create that can't succeed: it ends with its cause, a remedy and the last log lines, and leaves nothing else."""

from __future__ import annotations

import socket
from collections.abc import Iterator

import pytest
from making_stack import Stack

from toygres.errors import CauseCode


@pytest.fixture
def strangers_port(monkeypatch: pytest.MonkeyPatch) -> Iterator[int]:
    """The only port that instances may have, and somebody else listens on it."""
    with socket.create_server(("127.0.0.1", 0)) as stranger:
        port = stranger.getsockname()[1]
        monkeypatch.setenv("TOYGRES_INSTANCE_PORTS", f"{port}-{port}")
        yield port


def test_a_parameter_that_stops_the_server_is_named_with_its_last_log_lines(stack: Stack) -> None:
    stack.start_worker()
    ended = stack.create(parameters={"shared_buffers": "7TB"})
    stack.assert_nothing_left(ended)
    assert ended.cause.code is CauseCode.PARAMETERS_REJECTED
    assert "shared_buffers" in ended.cause.message + ended.cause.remedy
    assert any("FATAL" in line for line in ended.cause.evidence), ended.cause.evidence


def test_a_port_that_a_stranger_holds_is_named_with_the_last_log_lines(strangers_port: int, stack: Stack) -> None:
    stack.start_worker()
    ended = stack.create()
    stack.assert_nothing_left(ended)
    assert ended.cause.code is CauseCode.PORT_TAKEN
    assert str(strangers_port) in ended.cause.message
    assert ended.cause.evidence


def test_a_name_is_free_again_after_a_create_that_failed(strangers_port: int, stack: Stack) -> None:
    stack.start_worker()
    first = stack.create()
    second = stack.create()
    assert first.instance_id != second.instance_id
