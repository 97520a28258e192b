"""Applying an instance's objects, against a fake cluster into which others meddle."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from fake_cluster.answers import Refusal
from manifest_subject import AUTHORITY, LOGINS, NAMESPACE, OWNER, plain, target
from meddling import World, of_somebody

from toygres.errors import CauseCode, Refused, Unavailable
from toygres.platforms.kubernetes import applying, manifests
from toygres.platforms.kubernetes.client import APPLY, Request
from toygres.platforms.kubernetes.owner import Owner
from toygres.platforms.kubernetes.resources import STATEFUL_SETS
from toygres.platforms.protocol import Target

SERVICES = "services"
SETS = "statefulsets.apps"


@pytest.fixture
def mine(world: World) -> Target:
    """An instance with an anchor that stands for others, too, since what has none is removed by the cluster."""
    world.put("configmaps", "anchor-of-all")
    return target()


def _owner(world: World) -> Owner:
    return Owner("anchor-of-all", world.uid("configmaps", "anchor-of-all"))


def _service(world: World, mine: Target) -> dict[str, Any]:
    return manifests.service(mine, NAMESPACE, _owner(world), plain())


def _set(world: World, mine: Target, replicas: int = 1) -> dict[str, Any]:
    return manifests.stateful_set(mine, NAMESPACE, _owner(world), plain(), replicas=replicas)


def test_what_isnt_there_is_made_with_one_call(world: World, mine: Target) -> None:
    applied = applying.apply(world.cluster, _service(world, mine), mine)
    assert applied.created
    assert applied.object["metadata"]["uid"] == world.uid(SERVICES, "demo")
    assert world.cluster.calls() == ["PATCH services/demo"]
    assert dict(world.cluster.sent[0].query)["fieldManager"] == f"toygres-{mine.instance.id.hex}"


def test_applying_the_same_again_changes_nothing(world: World, mine: Target) -> None:
    first = applying.apply(world.cluster, _set(world, mine), mine).object
    again = applying.apply(world.cluster, _set(world, mine), mine)
    assert not again.created
    assert again.object["metadata"]["generation"] == first["metadata"]["generation"]
    assert again.object["metadata"]["uid"] == first["metadata"]["uid"]


def test_ours_is_brought_up_to_what_is_asked(world: World, mine: Target) -> None:
    applying.apply(world.cluster, _set(world, mine), mine)
    applied = applying.apply(world.cluster, _set(world, mine, replicas=0), replace(mine, fence=mine.fence + 1))
    assert applied.object["spec"]["replicas"] == 0


def test_somebody_elses_object_is_left_as_it_is_and_named(world: World, mine: Target) -> None:
    theirs = world.put(SERVICES, "demo", spec={"ports": [{"port": 80}], "selector": {"app": "theirs"}})
    with pytest.raises(Refused, match=r"Service demo in namespace toygres isn't this instance's") as refused:
        applying.apply(world.cluster, _service(world, mine), mine)
    assert refused.value.cause.code is CauseCode.NAME_TAKEN
    assert world.get(SERVICES, "demo") == theirs


@pytest.mark.parametrize("who", ["predecessor", "installation"])
def test_an_object_of_the_same_name_of_another_instance_or_installation_is_left_as_it_is(
    world: World, mine: Target, who: str
) -> None:
    other = of_somebody(mine) if who == "predecessor" else replace(mine, installation_id=of_somebody(mine).instance.id)
    applying.apply(world.cluster, _service(world, other), other)
    theirs = world.get(SERVICES, "demo")
    with pytest.raises(Refused) as refused:
        applying.apply(world.cluster, _service(world, mine), mine)
    assert refused.value.cause.code is CauseCode.NAME_TAKEN
    assert world.get(SERVICES, "demo") == theirs


def test_an_object_that_somebody_makes_before_our_first_call_is_left_as_it_is(world: World, mine: Target) -> None:
    made: list[dict[str, Any]] = []
    world.cluster.before("PATCH", "services/demo", lambda: made.append(world.put(SERVICES, "demo", spec={"ports": []})))
    with pytest.raises(Refused) as refused:
        applying.apply(world.cluster, _service(world, mine), mine)
    assert refused.value.cause.code is CauseCode.NAME_TAKEN
    assert world.get(SERVICES, "demo") == made[0]


def test_one_that_is_replaced_by_somebody_elses_between_look_and_apply_is_left_as_it_is(
    world: World, mine: Target
) -> None:
    applying.apply(world.cluster, _service(world, mine), mine)
    made: list[dict[str, Any]] = []

    def replace_it() -> None:
        world.drop(SERVICES, "demo")
        made.append(world.put(SERVICES, "demo", spec={"ports": [], "selector": {"app": "theirs"}}))

    world.cluster.before("GET", "services/demo", lambda: None)
    world.cluster.before("PATCH", "services/demo", replace_it)
    with pytest.raises(Refused) as refused:
        applying.apply(world.cluster, _service(world, mine), mine)
    assert refused.value.cause.code is CauseCode.NAME_TAKEN
    assert world.get(SERVICES, "demo") == made[0]


def test_one_that_vanishes_between_look_and_apply_is_made_anew(world: World, mine: Target) -> None:
    applying.apply(world.cluster, _service(world, mine), mine)
    world.cluster.before("GET", "services/demo", lambda: None)
    world.cluster.before("PATCH", "services/demo", lambda: world.drop(SERVICES, "demo"))
    assert applying.apply(world.cluster, _service(world, mine), mine).created


def test_one_that_changes_between_look_and_apply_is_looked_at_again(world: World, mine: Target) -> None:
    applying.apply(world.cluster, _set(world, mine), mine)
    for number in range(3):
        world.cluster.before("GET", "statefulsets/demo", lambda: None)
        world.cluster.before("PATCH", "statefulsets/demo", lambda n=number: world.edit(SETS, "demo", generation=50 + n))
    applied = applying.apply(world.cluster, _set(world, mine, replicas=0), mine)
    assert applied.object["spec"]["replicas"] == 0


def test_one_that_changes_all_the_time_is_given_up_for_now(world: World, mine: Target) -> None:
    applying.apply(world.cluster, _set(world, mine), mine)
    for number in range(20):
        world.cluster.before("PATCH", "statefulsets/demo", lambda n=number: world.edit(SETS, "demo", generation=50 + n))
    with pytest.raises(Unavailable) as away:
        applying.apply(world.cluster, _set(world, mine, replicas=0), mine)
    assert away.value.cause is not None
    assert away.value.cause.code is CauseCode.CHANGED_MEANWHILE
    assert len(world.cluster.sent) < 20


def test_a_late_step_writes_nothing(world: World, mine: Target) -> None:
    later = replace(mine, fence=mine.fence + 1)
    applying.apply(world.cluster, _set(world, later), later)
    with pytest.raises(Refused) as refused:
        applying.apply(world.cluster, _set(world, mine, replicas=0), mine)
    assert refused.value.cause.code is CauseCode.FENCED_OFF
    found = world.get(SETS, "demo")
    assert found is not None
    assert found["spec"]["replicas"] == 1


def test_a_step_frozen_between_look_and_apply_writes_nothing_when_a_later_one_was_there(
    world: World, mine: Target
) -> None:
    applying.apply(world.cluster, _set(world, mine), mine)
    later = replace(mine, fence=mine.fence + 1)

    def later_step() -> None:
        applying.apply(world.cluster, _set(world, later), later)

    world.cluster.before("GET", "statefulsets/demo", lambda: None)
    world.cluster.before("PATCH", "statefulsets/demo", later_step)
    with pytest.raises(Refused) as refused:
        applying.apply(world.cluster, _set(world, mine, replicas=0), mine)
    assert refused.value.cause.code is CauseCode.FENCED_OFF
    found = world.get(SETS, "demo")
    assert found is not None
    assert found["spec"]["replicas"] == 1


def test_a_field_that_another_manager_owns_is_a_refusal_that_names_both(world: World, mine: Target) -> None:
    applying.apply(world.cluster, _set(world, mine), mine)
    theirs = {"apiVersion": "apps/v1", "kind": "StatefulSet", "metadata": {"name": "demo"}, "spec": {"replicas": 3}}
    path, force = STATEFUL_SETS.path(NAMESPACE, "demo"), (("fieldManager", "kubectl"), ("force", "true"))
    world.cluster.send(Request("apply StatefulSet demo", "PATCH", path, force, theirs, APPLY))
    with pytest.raises(Refused) as refused:
        applying.apply(world.cluster, _set(world, mine), mine)
    assert refused.value.cause.code is CauseCode.FIELD_CONFLICT
    assert "kubectl" in refused.value.cause.message
    assert ".spec.replicas" in refused.value.cause.message
    found = world.get(SETS, "demo")
    assert found is not None
    assert found["spec"]["replicas"] == 3


def test_one_that_is_being_deleted_is_waited_for(world: World, mine: Target) -> None:
    applying.apply(world.cluster, _service(world, mine), mine)
    world.edit(SERVICES, "demo", deletionTimestamp="2026-11-23T12:00:00Z", finalizers=["example.com/keeps"])
    with pytest.raises(Unavailable, match=r"still being deleted \(kept by its finalizer example.com/keeps\)") as away:
        applying.apply(world.cluster, _service(world, mine), mine)
    # The API server answers: what is told is what is waited for.
    assert away.value.cause is not None
    assert away.value.cause.code is CauseCode.STOPPING
    assert "finalizer" in away.value.cause.message


def test_what_an_owner_that_is_gone_owns_is_gone_too(world: World, mine: Target) -> None:
    applying.apply(world.cluster, manifests.service(mine, NAMESPACE, OWNER, plain()), mine)
    world.fake.wait(lambda: world.get(SERVICES, "demo") is None)


def test_a_namespace_that_isnt_there_is_refused(world: World, mine: Target) -> None:
    body = manifests.service(mine, "absent", OWNER, plain())
    with pytest.raises(Refused) as refused:
        applying.apply(world.cluster, body, mine)
    assert refused.value.cause.code is CauseCode.NAMESPACE_MISSING


def test_a_secrets_values_are_in_no_message(world: World, mine: Target) -> None:
    body = manifests.credentials(mine, NAMESPACE, OWNER, plain(), LOGINS, AUTHORITY)
    told = f"the password {LOGINS.user.password} and {body['data']['password']} of demo"
    world.fake.policies.append(lambda kind, value: Refusal(422, "Invalid", told) if kind == "Secret" else None)
    with pytest.raises(Refused) as refused:
        applying.apply(world.cluster, body, mine)
    assert LOGINS.user.password not in str(refused.value.cause)
    assert body["data"]["password"] not in str(refused.value.cause)
    assert "of demo" in refused.value.cause.message


def test_a_dry_run_makes_nothing_and_hands_on_the_warnings(world: World, mine: Target) -> None:
    applied = applying.apply(world.cluster, _service(world, mine), mine, dry_run=True)
    assert applied.created
    assert world.get(SERVICES, "demo") is None


def test_a_write_whose_answer_was_lost_is_simply_made_again(world: World, mine: Target) -> None:
    world.fake.faults.fail("lost", times=1, verbs=("patch", "create"))
    applying.apply(world.cluster, _service(world, mine), mine)
    assert world.fake.faults.rules[0].times == 0
    assert not applying.apply(world.cluster, _service(world, mine), mine).created
