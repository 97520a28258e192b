"""Which faults come when: drawn from a seed, so that a run can be had again as far as timing allows."""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum


class Kind(StrEnum):
    """What can be done to a part of the control plane."""

    KILL_WORKER = "worker killed"
    FREEZE_WORKER = "worker frozen"
    KILL_WEB = "web killed"
    FREEZE_WEB = "web frozen"
    KILL_BEAT = "beat killed"
    KILL_BROKER = "broker killed"
    WIPE_BROKER = "broker killed and emptied"
    SILENCE_BROKER = "broker silent"
    KILL_DATABASE = "database killed"
    RESTART_DATABASE = "database restarted"
    CUT_CONNECTIONS = "connections cut"


# More than half of the faults meet a worker, and wait for a moment at which it holds a step.
_WEIGHTS = {
    Kind.KILL_WORKER: 26,
    Kind.FREEZE_WORKER: 34,
    Kind.KILL_WEB: 5,
    Kind.FREEZE_WEB: 4,
    Kind.KILL_BEAT: 3,
    Kind.KILL_BROKER: 6,
    Kind.WIPE_BROKER: 5,
    Kind.SILENCE_BROKER: 5,
    Kind.KILL_DATABASE: 3,
    Kind.RESTART_DATABASE: 3,
    Kind.CUT_CONNECTIONS: 6,
}
# At most one worker dies in so many seconds: oftener, nothing is measured but how long workers take to start.
DEATH_EVERY_SECONDS = 3.0


@dataclass(frozen=True, kw_only=True)
class Fault:
    """One fault: `pause` seconds after the one before, on the part `number`, for `seconds` where it lasts."""

    kind: Kind
    pause: float
    number: int
    seconds: float


def faults(seed: int, every_seconds: float) -> Iterator[Fault]:
    """Faults without end, one about every so many seconds."""
    # Nobody's secret hangs on it.
    chance = random.Random(seed)  # noqa: S311
    kinds, weights = list(_WEIGHTS), list(_WEIGHTS.values())
    since_death = DEATH_EVERY_SECONDS
    while True:
        pause = every_seconds * chance.uniform(0.5, 1.5)
        since_death += pause
        kind = chance.choices(kinds, weights)[0]
        if kind is Kind.KILL_WORKER:
            # A death too soon becomes a freeze, so that as many workers are met.
            kind = kind if since_death >= DEATH_EVERY_SECONDS else Kind.FREEZE_WORKER
        if kind is Kind.KILL_WORKER:
            since_death = 0.0
        yield Fault(kind=kind, pause=pause, number=chance.randrange(2), seconds=chance.uniform(0.5, 7.0))
