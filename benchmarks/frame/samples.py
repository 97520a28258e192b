"""Measured values: taken in turns with their floor, and boiled down to medians and percentiles."""

from __future__ import annotations

import math
import statistics
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass


def percentile(values: Sequence[float], percent: float) -> float:
    """The smallest of the values that at least `percent` percent of them don't exceed."""
    ordered = sorted(values)
    return ordered[max(0, math.ceil(len(ordered) * percent / 100) - 1)]


@dataclass(frozen=True)
class Pairs:
    """Values of ours, each with a floor that was measured right before or after it."""

    floor: tuple[float, ...]
    ours: tuple[float, ...]

    @property
    def ratio(self) -> float:
        """Our median to the floor's."""
        return statistics.median(self.ours) / statistics.median(self.floor)

    @property
    def median_of_ratios(self) -> float:
        """The median of each pair's own ratio, which a machine that gets slower meanwhile doesn't move."""
        return statistics.median(ours / floor for ours, floor in zip(self.ours, self.floor, strict=True))


def interleaved(pairs: int, floor: Callable[[], float], ours: Callable[[], float], what: str) -> Pairs:
    """Measure both `pairs` times in turns; who is first changes with each pair. `what` is told on stderr."""
    floors: list[float] = []
    measured: list[float] = []
    turns = [(floor, floors), (ours, measured)]
    for number in range(pairs):
        for measure, values in turns if number % 2 == 0 else reversed(turns):
            values.append(measure())
        say(f"{what} {number + 1} of {pairs}: floor {floors[-1]:.3f}, ours {measured[-1]:.3f}")
    return Pairs(tuple(floors), tuple(measured))


def say(line: str) -> None:
    """Tell whoever waits how far it is."""
    sys.stderr.write(f"{line}\n")
    sys.stderr.flush()
