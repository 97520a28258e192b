from __future__ import annotations

import threading

import pytest

from toygres.processes.timed import finished_within


def test_what_is_quick_enough_gives_its_answer_and_its_error():
    assert finished_within(30, lambda: 42) == 42
    with pytest.raises(LookupError, match="on purpose"):
        finished_within(30, _fail)


def test_what_takes_longer_is_left_to_itself():
    go_on, ended = threading.Event(), threading.Event()

    def wait() -> int:
        go_on.wait(30)
        ended.set()
        return 42

    assert finished_within(0.05, wait) is None
    go_on.set()
    assert ended.wait(30)


def _fail() -> int:
    raise LookupError("on purpose")
