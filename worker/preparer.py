"""Lets a platform make ahead what creates will need, on a thread of its own."""

from __future__ import annotations

import threading

import structlog

from toygres.platforms.protocol import Platform

log = structlog.get_logger(__name__)

_PAUSE_SECONDS = 10.0


class Preparer:
    """A thread of the worker's for one platform; nothing depends on it but how long a create takes."""

    def __init__(self, platform: Platform) -> None:
        self._platform = platform
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name=f"preparer-{platform.name}", daemon=True)

    def start(self) -> None:
        """Begin."""
        self._thread.start()

    def stop(self) -> None:
        """End; doesn't wait for it."""
        self._stop.set()

    def join(self, seconds: float) -> None:
        """Wait until it has ended, for so long at most."""
        self._thread.join(timeout=seconds)

    def _run(self) -> None:
        while not self._stop.is_set():
            try:
                self._platform.make_ahead(self._stop)
            except Exception as error:
                log.warning("preparer_interrupted", platform=self._platform.name, exc_info=error)
            self._stop.wait(_PAUSE_SECONDS)
