"""Each defence is needed: with all of them a scenario ends well, and without the one that it is about it doesn't."""

from __future__ import annotations

import pytest
from stateful.defences import DEFENCES, Defence
from stateful.machine import Machine, Tally
from worlds import World

each_defence = pytest.mark.parametrize("defence", DEFENCES, ids=lambda defence: defence.name.replace(" ", "_"))


@pytest.fixture(autouse=True)
def _machine(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Machine, "world", world, raising=False)
    monkeypatch.setattr(Machine, "tally", Tally(), raising=False)


@each_defence
def test_a_defence_that_is_there_holds_and_without_it_something_breaks(
    world: World, monkeypatch: pytest.MonkeyPatch, defence: Defence
) -> None:
    Machine().play(defence.run)
    with defence.without(world, monkeypatch), pytest.raises(defence.breaks):
        Machine().play(defence.run)
