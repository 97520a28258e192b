"""`--with-beat`: Celery's beat on a thread of the worker, for the one worker of a machine.

Celery's own `-B` forks a process, which takes memory and is left alone when the worker is killed.
"""

from __future__ import annotations

from typing import Any

from celery import Celery, bootsteps
from celery.beat import EmbeddedService
from click import Option


class BeatThread(bootsteps.StartStopStep):
    """Starts beat with the worker. What it has called is remembered only by itself: a restart calls anew."""

    label = "Beat thread"
    requires = ("celery.worker.components:Pool",)

    def __init__(self, parent: Any, *, with_beat: bool = False, **options: Any) -> None:
        super().__init__(parent, **options)
        self.enabled = with_beat
        self._beat: Any = None

    def create(self, parent: Any) -> None:
        """Make the thread."""
        self._beat = EmbeddedService(parent.app, thread=True, scheduler_cls="celery.beat:Scheduler")

    def start(self, parent: Any) -> None:
        """Begin to call the sweep."""
        self._beat.start()

    def stop(self, parent: Any) -> None:
        """Call no more. Not by the thread's own `stop`, which waits until the next call is due."""
        self._beat.service.stop(wait=False)


def offer(app: Celery) -> None:
    """Let the workers of `app` have it."""
    help_text = "Run beat on a thread of this worker; for one worker only."
    app.user_options["worker"].add(Option(["--with-beat"], is_flag=True, help=help_text))
    app.steps["worker"].add(BeatThread)
