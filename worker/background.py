"""What the worker's own threads have in common: each is begun once, and waited for only so long."""

from __future__ import annotations

import threading


class Background:
    """A thread that runs `_run`, which says when it ends."""

    def __init__(self, name: str) -> None:
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)

    def start(self) -> None:
        """Begin."""
        self._thread.start()

    def join(self, seconds: float) -> None:
        """Wait until it has ended, for so long at most."""
        # A process may have to end before it has begun.
        if self._thread.ident is not None:
            self._thread.join(timeout=seconds)

    def _run(self) -> None:
        raise NotImplementedError
