"""Something that a worker does for a platform for as long as it runs, on a thread of its own."""

from __future__ import annotations

import threading
from collections.abc import Callable

import structlog

log = structlog.get_logger(__name__)


class Lasting:
    """Calls `act`, and again `pause` seconds after it has ended; what it raises is logged as `<kind>_interrupted`.

    `act` is given the event at which it is to end.
    """

    def __init__(self, kind: str, platform: str, pause: float, act: Callable[[threading.Event], object]) -> None:
        self._kind = kind
        self._platform = platform
        self._pause = pause
        self._act = act
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name=f"{kind}-{platform}", daemon=True)

    def start(self) -> None:
        """Begin."""
        self._thread.start()

    def stop(self) -> None:
        """Tell it to end; doesn't wait for it."""
        self._stop.set()

    def join(self, seconds: float) -> None:
        """Wait until it has ended, for so long at most."""
        # A process may have to end before it has begun.
        if self._thread.ident is not None:
            self._thread.join(timeout=seconds)

    def _run(self) -> None:
        while not self._stop.is_set():
            try:
                self._act(self._stop)
            except Exception as error:
                log.warning(f"{self._kind}_interrupted", platform=self._platform, exc_info=error)
            self._stop.wait(self._pause)
