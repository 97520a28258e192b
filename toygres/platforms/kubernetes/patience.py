"""How often a single call is made again at once when the API server is in trouble; what lasts is for its caller."""

from __future__ import annotations

import random
import time

from toygres.errors import CauseCode, Unavailable

_PAUSES = (0.05, 0.2, 0.5)
# Whoever asks to be left alone for longer, or answers nothing for as long, is in more than passing trouble.
_MOST_SECONDS = 1.5


class Patience:
    """One call's, which may be answered with silence for `read_seconds`."""

    def __init__(self, read_seconds: float) -> None:
        self._left = list(_PAUSES)
        self._until = time.monotonic() + min(_MOST_SECONDS, read_seconds)

    def again(self, met: Unavailable) -> bool:
        """Whether to make it again, after the pause that this takes."""
        passing = met.cause is not None and met.cause.code is CauseCode.PLATFORM_UNREACHABLE
        if not passing or not self._left:
            return False
        pause = max(met.retry_after or 0.0, self._left.pop(0) * random.uniform(0.5, 1.0))  # noqa: S311
        if time.monotonic() + pause > self._until:
            return False
        time.sleep(pause)
        return True
