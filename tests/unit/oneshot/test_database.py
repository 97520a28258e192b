"""While the home's own metadata DB passes from one process to another, whoever asks it asks again."""

from __future__ import annotations

from typing import cast

import pytest

from toygres.config import Settings
from toygres.errors import Unavailable
from toygres.oneshot.database import Database, Embedded

AWAY = "The metadata database doesn't answer."


class Mended:
    """Stands for one that is run again when it is told that it doesn't answer."""

    def __init__(self) -> None:
        self.times = 0

    def mend(self) -> None:
        self.times += 1


def _failing(times: int, message: str) -> list[Unavailable]:
    return [Unavailable(message) for _ in range(times)]


def test_it_is_mended_and_asked_again(settings: Settings) -> None:
    mended, troubles = Mended(), _failing(2, AWAY)

    def ask() -> str:
        if troubles:
            raise troubles.pop()
        return "answered"

    assert Database(settings, cast("Embedded", mended)).patiently(ask) == "answered"
    assert mended.times == 2


@pytest.mark.parametrize("message", ["The Kubernetes API doesn't answer.", AWAY])
def test_what_is_not_ours_to_mend_is_told_at_once(settings: Settings, message: str) -> None:
    embedded = cast("Embedded", Mended()) if message != AWAY else None
    troubles = _failing(1, message)
    with pytest.raises(Unavailable):
        Database(settings, embedded).patiently(lambda: (_ for _ in ()).throw(troubles.pop()))
    assert troubles == []
