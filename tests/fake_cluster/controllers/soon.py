"""Things to look at again soon: each once, however often it was asked for."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from fake_cluster.clock import Clock

Key = tuple[str, str]


class Soon:
    """Calls `look` with a key some time after it was asked for."""

    def __init__(self, clock: Clock, look: Callable[[Key], None]) -> None:
        self._clock = clock
        self._look = look
        self._due: dict[Key, float] = {}

    def ask(self, key: Key, seconds: float) -> None:
        """Look at `key` in so many seconds, unless it is to be looked at before that."""
        due = self._clock.seconds() + seconds
        if key not in self._due or due < self._due[key]:
            self._due[key] = due
            self._clock.later(seconds, lambda: self._do(key, due))

    def _do(self, key: Key, due: float) -> None:
        if self._due.get(key) == due:
            del self._due[key]
            self._look(key)
