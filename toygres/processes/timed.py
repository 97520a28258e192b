"""Calls that know no time limit of their own, given one."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import TypeVar

Answer = TypeVar("Answer")


def finished_within(seconds: float, call: Callable[[], Answer]) -> Answer | None:
    """What `call` returns, or None when that takes longer; then it goes on in its thread. Raises what it raises."""
    answers: list[Answer] = []
    failures: list[BaseException] = []

    def run() -> None:
        try:
            answers.append(call())
        except BaseException as failure:
            failures.append(failure)

    thread = threading.Thread(target=run, name="timed", daemon=True)
    thread.start()
    thread.join(seconds)
    if failures:
        raise failures[0]
    return answers[0] if answers else None
