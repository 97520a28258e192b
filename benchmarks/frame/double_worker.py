"""A Toygres worker on the platform double, which counts: `celery -A benchmarks.frame.double_worker worker`.

Beside the steps it knows a task that does nothing, for the floor: bare chains over the same broker and pool.
"""

from __future__ import annotations

import json
import os
import threading
import time
from pathlib import Path
from typing import Any

from celery.signals import task_postrun, task_prerun, worker_ready

from benchmarks.frame import double
from toygres import postgres
from toygres.operations import STEPS

NO_OP = "no_op"
_TELL_SECONDS = 0.25

_double = double.install()
# There is no server to log in to, neither for the step nor for those who look whether one can.
STEPS["verify_login"] = lambda _: None
postgres.check_health = lambda *_: None

from worker.app import celery  # noqa: E402 (it finds the platforms when it is imported)

__all__ = ["celery"]


class _Counts:
    """What came in, how many ran at once, and how much CPU this process took."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._messages = self._busy = self._most_busy = 0

    def begin(self, sender: Any = None, **_: Any) -> None:
        """A task begins; one that does nothing isn't counted."""
        if sender is None or sender.name in (NO_OP, "sweep"):
            return
        with self._lock:
            self._messages += 1
            self._busy += 1
            self._most_busy = max(self._most_busy, self._busy)

    def end(self, sender: Any = None, **_: Any) -> None:
        """A task has ended."""
        if sender is not None and sender.name not in (NO_OP, "sweep"):
            with self._lock:
                self._busy -= 1

    def tell(self, file: Path) -> None:
        """Write all of it down again and again."""
        scratch = file.with_suffix(".new")
        while True:
            told = {
                "messages": self._messages,
                "most_busy": self._most_busy,
                "cpu_seconds": time.process_time(),
                "ready": {str(instance): at for instance, at in list(_double.became_ready.items())},
            }
            scratch.write_text(json.dumps(told))
            scratch.replace(file)
            time.sleep(_TELL_SECONDS)


_counts = _Counts()
task_prerun.connect(_counts.begin, weak=False)
task_postrun.connect(_counts.end, weak=False)


@worker_ready.connect
def _tell(**_: Any) -> None:
    if double.COUNTS in os.environ:
        threading.Thread(target=_counts.tell, args=(Path(os.environ[double.COUNTS]),), daemon=True).start()


@celery.task(name=NO_OP, ignore_result=True)
def no_op(operation: str) -> str:
    """What a bare hop costs: a message of the same form, and nothing done for it."""
    return operation
