"""The anchor and its fence, against a fake cluster with workers that come late."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import pytest
from manifest_subject import NAMESPACE, plain, target
from meddling import World, of_somebody

from toygres.errors import CauseCode, Refused, Unavailable
from toygres.platforms.kubernetes import applying, manifests, removing, resources
from toygres.platforms.kubernetes.fence import Fence
from toygres.platforms.kubernetes.owner import Owner
from toygres.platforms.protocol import Target

ANCHOR = "demo-anchor"


@pytest.fixture
def mine() -> Target:
    return target()


def _with(mine: Target, number: int) -> Target:
    return replace(mine, fence=number)


def _ensure_anchor(world: World, mine: Target) -> Owner:
    """In another process than the steps before."""
    return Fence(world.cluster).ensure_anchor(NAMESPACE, mine)[0]


def _fence(world: World) -> int:
    found = world.get("configmaps", ANCHOR)
    assert found is not None
    return applying.fence_of(found["metadata"])


def test_the_anchor_is_made_once_and_tells_its_uid(world: World, mine: Target) -> None:
    made = _ensure_anchor(world, mine)
    assert (made.name, made.uid) == (ANCHOR, world.uid("configmaps", ANCHOR))
    assert _ensure_anchor(world, _with(mine, 8)) == made
    assert _fence(world) == 8


def test_it_only_grows(world: World, mine: Target) -> None:
    owner = _ensure_anchor(world, mine)
    for number in (7, 8, 8, 10**15):
        assert Fence(world.cluster).passed(NAMESPACE, _with(mine, number)) == owner
        assert _fence(world) == number
    another = Fence(world.cluster)
    for late in (another.passed, another.passed_unless_gone, another.ensure_anchor):
        with pytest.raises(Refused, match=r"its fence is 9, and 1000000000000000 has been here") as refused:
            late(NAMESPACE, _with(mine, 9))
        assert refused.value.cause.code is CauseCode.FENCED_OFF


def test_the_same_fence_costs_one_read(world: World, mine: Target) -> None:
    _ensure_anchor(world, mine)
    world.cluster.sent.clear()
    Fence(world.cluster).passed(NAMESPACE, mine)
    assert world.cluster.calls() == [f"GET configmaps/{ANCHOR}"]


def test_who_saw_the_anchor_raises_it_without_another_look(world: World, mine: Target) -> None:
    seen = Fence(world.cluster)
    owner, made = seen.ensure_anchor(NAMESPACE, mine)
    world.cluster.sent.clear()
    assert made
    assert seen.passed(NAMESPACE, _with(mine, 8)) == owner
    assert world.cluster.calls() == [f"PATCH configmaps/{ANCHOR}"]
    assert _fence(world) == 8


def test_an_anchor_that_another_process_raised_is_looked_at(world: World, mine: Target) -> None:
    seen, another = Fence(world.cluster), Fence(world.cluster)
    owner, _ = seen.ensure_anchor(NAMESPACE, mine)
    another.passed(NAMESPACE, _with(mine, 8))
    assert seen.passed(NAMESPACE, _with(mine, 9)) == owner
    another.passed(NAMESPACE, _with(mine, 11))
    with pytest.raises(Refused, match=r"its fence is 10, and 11 has been here"):
        seen.passed(NAMESPACE, _with(mine, 10))
    assert _fence(world) == 11


def test_a_remembered_anchor_that_is_gone_is_not_made_again(world: World, mine: Target) -> None:
    seen = Fence(world.cluster)
    seen.ensure_anchor(NAMESPACE, mine)
    removing.remove(world.cluster, resources.CONFIG_MAPS, NAMESPACE, mine)
    with pytest.raises(Refused, match="has no anchor any more"):
        seen.passed(NAMESPACE, _with(mine, 8))
    assert seen.passed_unless_gone(NAMESPACE, _with(mine, 8)) is None
    assert world.get("configmaps", ANCHOR) is None


def test_a_race_that_is_lost_is_seen(world: World, mine: Target) -> None:
    _ensure_anchor(world, mine)
    later = _with(mine, 9)
    world.cluster.before("PATCH", ANCHOR, lambda: Fence(world.cluster).passed(NAMESPACE, later))
    with pytest.raises(Refused) as refused:
        Fence(world.cluster).passed(NAMESPACE, _with(mine, 8))
    assert refused.value.cause.code is CauseCode.FENCED_OFF
    assert _fence(world) == 9


def test_of_many_at_once_none_puts_it_back(world: World, mine: Target) -> None:
    _ensure_anchor(world, mine)

    def passes(number: int) -> bool:
        try:
            Fence(world.cluster).passed(NAMESPACE, _with(mine, number))
        except (Refused, Unavailable):
            return False
        return True

    with ThreadPoolExecutor(8) as pool:
        passed = list(pool.map(passes, range(8, 24)))
    highest = max(number for number, through in zip(range(8, 24), passed, strict=True) if through)
    assert _fence(world) == highest


def test_an_anchor_that_is_gone_ends_every_step_that_would_write(world: World, mine: Target) -> None:
    with pytest.raises(Refused, match="has no anchor any more") as refused:
        Fence(world.cluster).passed(NAMESPACE, mine)
    assert refused.value.cause.code is CauseCode.FENCED_OFF
    assert world.get("configmaps", ANCHOR) is None


def test_an_anchor_that_is_going_ends_every_step_that_would_write(world: World, mine: Target) -> None:
    _ensure_anchor(world, mine)
    world.edit("configmaps", ANCHOR, deletionTimestamp="2026-11-23T12:00:00Z", finalizers=["example.com/keeps"])
    with pytest.raises(Refused, match="has no anchor any more"):
        Fence(world.cluster).passed(NAMESPACE, mine)
    assert Fence(world.cluster).passed_unless_gone(NAMESPACE, mine) is None


def test_what_removes_goes_on_without_an_anchor(world: World, mine: Target) -> None:
    assert Fence(world.cluster).passed_unless_gone(NAMESPACE, mine) is None


def test_an_anchor_of_the_same_name_that_is_somebody_elses_is_left_alone(world: World, mine: Target) -> None:
    _ensure_anchor(world, of_somebody(mine))
    theirs = world.get("configmaps", ANCHOR)
    with pytest.raises(Refused) as refused:
        _ensure_anchor(world, mine)
    assert refused.value.cause.code is CauseCode.NAME_TAKEN
    with pytest.raises(Refused):
        Fence(world.cluster).passed(NAMESPACE, mine)
    assert Fence(world.cluster).passed_unless_gone(NAMESPACE, mine) is None
    assert world.get("configmaps", ANCHOR) == theirs


def test_what_a_frozen_step_applies_after_the_anchor_is_gone_is_removed_by_the_cluster(
    world: World, mine: Target
) -> None:
    owner = _ensure_anchor(world, mine)
    service = manifests.service(mine, NAMESPACE, owner, plain())

    def ended() -> None:
        removing.remove(world.cluster, resources.CONFIG_MAPS, NAMESPACE, mine)

    world.cluster.before("PATCH", "services/demo", ended)
    applying.apply(world.cluster, service, mine)
    world.fake.wait(lambda: world.get("configmaps", ANCHOR) is None and world.get("services", "demo") is None)


def test_a_late_apply_credentials_is_found_by_its_labels_and_taken_away_with_all_it_made(
    world: World, mine: Target
) -> None:
    owner = _ensure_anchor(world, mine)
    applying.apply(world.cluster, manifests.service(mine, NAMESPACE, owner, plain()), mine)
    assert removing.remaining(world.cluster, NAMESPACE, mine.instance.id)
    removing.remove(world.cluster, resources.CONFIG_MAPS, NAMESPACE, mine)
    world.await_end(mine.instance.id)
    assert removing.remaining(world.cluster, NAMESPACE, mine.instance.id) == []
