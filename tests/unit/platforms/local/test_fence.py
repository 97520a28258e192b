"""The fence that keeps late steps out."""

from __future__ import annotations

import os
import time

import pytest

from toygres.domain import ids
from toygres.errors import CauseCode, Refused
from toygres.platforms.local import fence
from toygres.platforms.local.layout import Layout
from toygres.platforms.local.place import Place


@pytest.fixture
def layout(new_place: Place) -> Layout:
    return Layout(new_place, ids.new())


def test_it_only_grows(layout: Layout) -> None:
    for number in (0, 1, 1, 5, 10**15):
        with fence.passed(layout, number):
            pass
    with pytest.raises(Refused, match=r"its fence is 9") as refused, fence.passed(layout, 9):
        pass
    assert refused.value.cause.code is CauseCode.FENCED_OFF


def test_what_failed_inside_has_raised_it_all_the_same(layout: Layout) -> None:
    with pytest.raises(ZeroDivisionError), fence.passed(layout, 5):
        raise ZeroDivisionError
    with pytest.raises(Refused), fence.passed(layout, 4):
        pass


def test_it_outlives_its_instance_by_a_day(layout: Layout) -> None:
    with fence.passed(layout, 5):
        pass
    fence.prune(layout.place)
    assert layout.fence.exists()
    _age(layout, hours=25)
    fence.prune(layout.place)
    assert not layout.fence.exists()


def test_it_stays_while_its_instance_does(layout: Layout) -> None:
    with fence.passed(layout, 5):
        pass
    layout.anchor.mkdir(parents=True)
    _age(layout, hours=25)
    fence.prune(layout.place)
    assert layout.fence.exists()


def test_one_that_is_held_is_left_alone(layout: Layout) -> None:
    with fence.passed(layout, 5):
        _age(layout, hours=25)
        fence.prune(layout.place)
        assert layout.fence.exists()


def test_a_file_of_others_among_them_is_left_alone(layout: Layout) -> None:
    with fence.passed(layout, 5):
        pass
    stray = layout.fence.with_name("stray")
    stray.touch()
    fence.prune(layout.place)
    assert stray.exists()


@pytest.mark.parametrize("hours", [-1000, 1000])
def test_a_clock_that_jumps_takes_it_no_sooner(layout: Layout, monkeypatch: pytest.MonkeyPatch, hours: float) -> None:
    with fence.passed(layout, 5):
        pass
    now = time.time()
    monkeypatch.setattr(time, "time", lambda: now + hours * 3600)
    os.utime(layout.fence, (now - hours * 3600,) * 2)
    fence.prune(layout.place)
    assert layout.fence.exists()


def test_a_restart_of_the_machine_ends_all_that_could_come_late(layout: Layout) -> None:
    with fence.passed(layout, 5):
        pass
    number, _, stamped = layout.fence.read_text().partition(" ")
    layout.fence.write_text(f"{number} 11111111-{stamped}")
    fence.prune(layout.place)
    assert not layout.fence.exists()


def _age(layout: Layout, hours: float) -> None:
    number, _, stamped = layout.fence.read_text().partition(" ")
    boot, _, seconds = stamped.strip().rpartition(":")
    layout.fence.write_text(f"{number} {boot}:{int(seconds) - hours * 3600:.0f}")
