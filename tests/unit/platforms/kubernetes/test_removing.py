"""Deleting an instance's objects, and nobody else's."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from manifest_subject import AUTHORITY, LOGINS, NAMESPACE, plain, target
from meddling import World, of_somebody

from toygres.errors import CauseCode, Refused
from toygres.platforms.kubernetes import applying, manifests, removing, resources
from toygres.platforms.kubernetes.client import Cluster
from toygres.platforms.kubernetes.fence import Fence
from toygres.platforms.protocol import Target


@pytest.fixture
def mine(world: World) -> Target:
    """An instance of which everything was made."""
    made = target()
    _make(world, made)
    return made


def _make(world: World, made: Target) -> None:
    owner, settings = Fence(world.cluster).ensure_anchor(NAMESPACE, made)[0], plain()
    bodies = (
        manifests.credentials(made, NAMESPACE, owner, settings, LOGINS, AUTHORITY),
        manifests.monitor(made, NAMESPACE, owner, settings, LOGINS, AUTHORITY),
        manifests.config(made, NAMESPACE, owner, settings),
        manifests.data(made, NAMESPACE, settings),
        manifests.network_policy(made, NAMESPACE, owner, settings),
        manifests.service(made, NAMESPACE, owner, settings),
        manifests.stateful_set(made, NAMESPACE, owner, settings),
    )
    for body in bodies:
        applying.apply(world.cluster, body, made)


def test_all_of_it_goes_and_is_told_while_it_does(world: World, mine: Target) -> None:
    asked = []
    kinds = [(resource, None) for resource in resources.OF_AN_INSTANCE if resource is not resources.CONFIG_MAPS]
    *before, policies = kinds
    for resource, names in (*before, (resources.CONFIG_MAPS, ["demo-config"]), policies, (resources.CONFIG_MAPS, None)):
        removal = removing.remove(world.cluster, resource, NAMESPACE, mine, names=names)
        assert removal.foreign == ()
        asked += removal.asked
    assert asked == [
        "Service demo",
        "StatefulSet demo",
        "PersistentVolumeClaim demo-data-feedbeef",
        "Secret demo-credentials",
        "Secret demo-monitor",
        "ConfigMap demo-config",
        "NetworkPolicy demo",
        "ConfigMap demo-anchor",
    ]
    left = removing.remaining(world.cluster, NAMESPACE, mine.instance.id)
    assert all("being deleted" in each for each in left), left
    world.await_end(mine.instance.id)
    assert removing.remaining(world.cluster, NAMESPACE, mine.instance.id) == []


def test_the_set_goes_in_the_foreground_and_everything_by_its_uid(world: World, mine: Target) -> None:
    uid = world.uid("statefulsets.apps", "demo")
    removing.remove(world.cluster, resources.STATEFUL_SETS, NAMESPACE, mine)
    body = world.cluster.sent[-1].body
    assert body is not None
    assert body["propagationPolicy"] == "Foreground"
    assert body["preconditions"] == {"uid": uid}


def test_what_is_gone_or_going_already_is_fine(world: World, mine: Target) -> None:
    removing.remove(world.cluster, resources.SERVICES, NAMESPACE, mine)
    world.fake.wait(lambda: world.get("services", "demo") is None)
    assert removing.remove(world.cluster, resources.SERVICES, NAMESPACE, mine).asked == ()
    world.edit("secrets", "demo-monitor", deletionTimestamp="2026-11-23T12:00:00Z", finalizers=["example.com/keeps"])
    before = len(world.cluster.sent)
    removal = removing.remove(world.cluster, resources.SECRETS, NAMESPACE, mine, names=["demo-monitor"])
    assert removal.asked == ("Secret demo-monitor",)
    assert [each.method for each in world.cluster.sent[before:]] == ["GET"]


def test_one_that_vanishes_between_list_and_delete_is_fine(world: World, mine: Target) -> None:
    world.cluster.before("DELETE", "services/demo", lambda: world.drop("services", "demo"))
    assert removing.remove(world.cluster, resources.SERVICES, NAMESPACE, mine).asked == ("Service demo",)


def test_one_that_takes_its_place_between_list_and_delete_stays(world: World, mine: Target) -> None:
    world.cluster.before("DELETE", "services/demo", lambda: world.replaced("services", "demo"))
    removing.remove(world.cluster, resources.SERVICES, NAMESPACE, mine)
    assert world.get("services", "demo") is not None


def test_somebody_elses_object_of_the_same_name_stays_and_is_told(world: World) -> None:
    mine = target()
    theirs = world.put("services", "demo", spec={"ports": [{"port": 80}]})
    removal = removing.remove(world.cluster, resources.SERVICES, NAMESPACE, mine, names=["demo"])
    assert removal == removing.Removal(foreign=("Service demo",))
    assert world.get("services", "demo") == theirs


def test_a_successor_of_the_same_name_stays(world: World, mine: Target) -> None:
    late = of_somebody(mine)
    for resource in resources.OF_AN_INSTANCE:
        assert removing.remove(world.cluster, resource, NAMESPACE, late).asked == ()
    assert len(removing.remaining(world.cluster, NAMESPACE, mine.instance.id)) >= 8


def test_one_of_another_installation_stays_though_it_names_the_same_instance(world: World, mine: Target) -> None:
    other = replace(mine, installation_id=of_somebody(mine).instance.id)
    removal = removing.remove(world.cluster, resources.SERVICES, NAMESPACE, other)
    assert removal == removing.Removal(foreign=("Service demo",))
    assert world.get("services", "demo") is not None
    assert removing.awaited(world.cluster, [resources.SERVICES], NAMESPACE, other) == []


def test_only_those_that_are_named_go(world: World, mine: Target) -> None:
    removal = removing.remove(world.cluster, resources.CONFIG_MAPS, NAMESPACE, mine, names=["demo-config"])
    assert removal.asked == ("ConfigMap demo-config",)
    assert world.get("configmaps", "demo-anchor") is not None


def test_what_keeps_an_object_is_named(world: World, mine: Target) -> None:
    world.edit("services", "demo", finalizers=["example.com/keeps"])
    removing.remove(world.cluster, resources.SERVICES, NAMESPACE, mine)
    left = removing.awaited(world.cluster, [resources.SERVICES], NAMESPACE, mine)
    assert left == ["Service demo, being deleted (kept by its finalizer example.com/keeps)"]


def test_one_who_may_not_delete_is_told_so(world: World, mine: Target) -> None:
    rule = {"apiGroups": [""], "resources": ["services"], "verbs": ["get", "list"]}
    token = world.fake.user("system:serviceaccount:toygres:weak", {NAMESPACE: [rule]})
    path = Path(world.cluster.describe().source).with_name("weak")
    weak = Cluster(kubeconfig=str(world.fake.kubeconfig(path, token=token)))
    with pytest.raises(Refused, match="delete") as refused:
        removing.remove(weak, resources.SERVICES, NAMESPACE, mine)
    assert refused.value.cause.code is CauseCode.FORBIDDEN
