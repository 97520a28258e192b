"""Whatever happens, in whatever order: every operation ends once, and nothing is left that no row tells of."""

from __future__ import annotations

import pytest
from hypothesis import settings
from hypothesis.stateful import run_state_machine_as_test
from stateful.machine import Machine, Tally
from worlds import World


def test_everything_ends_and_nothing_is_left_behind(
    world: World, profile: settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    tally = Tally()
    monkeypatch.setattr(Machine, "world", world, raising=False)
    monkeypatch.setattr(Machine, "tally", tally, raising=False)
    run_state_machine_as_test(Machine, settings=profile)
    print(tally)  # noqa: T201
    assert tally.counts["effects"] > 5 * tally.runs
    assert tally.counts["zombies"] > tally.runs / 2
