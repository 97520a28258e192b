"""Something that a worker does for a platform for as long as it runs, on a thread of its own."""

from __future__ import annotations

import threading
from collections.abc import Callable

import structlog

from worker.background import Background

log = structlog.get_logger(__name__)


class Lasting(Background):
    """Calls `act`, and again `pause` seconds after it has ended; what it raises is logged as `<kind>_interrupted`.

    `act` is given the event at which it is to end.
    """

    def __init__(self, kind: str, platform: str, pause: float, act: Callable[[threading.Event], object]) -> None:
        super().__init__(f"{kind}-{platform}")
        self._kind = kind
        self._platform = platform
        self._pause = pause
        self._act = act
        self._stop = threading.Event()

    def stop(self) -> None:
        """Tell it to end; doesn't wait for it."""
        self._stop.set()

    def _run(self) -> None:
        while not self._stop.is_set():
            try:
                self._act(self._stop)
            except Exception as error:
                log.warning(f"{self._kind}_interrupted", platform=self._platform, exc_info=error)
            self._stop.wait(self._pause)
