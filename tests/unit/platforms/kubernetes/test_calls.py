"""Reading objects, and making those that are no instance's."""

from __future__ import annotations

from typing import Any

import pytest
from manifest_subject import AUTHORITY, LOGINS, NAMESPACE, OWNER, plain, target
from meddling import World
from stub_api import Asked, Reply, StubApi

from toygres.errors import Bug, CauseCode, Refused, Unavailable
from toygres.platforms.kubernetes import calls, manifests, resources
from toygres.platforms.kubernetes.client import Cluster


def test_paths_are_those_of_the_api() -> None:
    assert resources.PODS.path("ns", "demo-0", "log") == "/api/v1/namespaces/ns/pods/demo-0/log"
    assert resources.STATEFUL_SETS.path("ns") == "/apis/apps/v1/namespaces/ns/statefulsets"
    assert resources.NAMESPACES.path(name="ns") == "/api/v1/namespaces/ns"
    assert resources.STORAGE_CLASSES.path("ns") == "/apis/storage.k8s.io/v1/storageclasses"
    assert resources.EVENTS.path() == "/api/v1/events"


def test_a_name_never_leads_out_of_its_path() -> None:
    assert resources.SECRETS.path("ns", "../../x?y") == "/api/v1/namespaces/ns/secrets/..%2F..%2Fx%3Fy"


def test_every_manifest_of_ours_is_of_a_kind_that_is_known() -> None:
    made = target()
    for body in (manifests.data(made, NAMESPACE, plain()), manifests.stateful_set(made, NAMESPACE, OWNER, plain())):
        assert resources.of(body).kind == body["kind"]
    with pytest.raises(Bug, match="no resource is known for v1 Potato"):
        resources.of({"apiVersion": "v1", "kind": "Potato"})


def test_the_cluster_has_every_kind_under_its_path(world: World) -> None:
    for resource in set(resources.ALL) - {resources.ACCESS_REVIEWS}:
        calls.list_labelled(world.cluster, resource, NAMESPACE)


def test_an_object_that_isnt_there_is_none(world: World) -> None:
    assert calls.get(world.cluster, resources.SECRETS, NAMESPACE, "absent") is None
    world.put("secrets", "there", data={"a": "YQ=="})
    found = calls.get(world.cluster, resources.SECRETS, NAMESPACE, "there")
    assert found is not None
    assert found["data"] == {"a": "YQ=="}


def test_a_list_has_what_the_selectors_take(world: World) -> None:
    for name, label in (("a", "x"), ("b", "y"), ("c", "x")):
        world.put("configmaps", name, metadata={"labels": {"l": label}})
    found = calls.list_labelled(world.cluster, resources.CONFIG_MAPS, NAMESPACE, "l=x")
    assert sorted(each["metadata"]["name"] for each in found) == ["a", "c"]
    found = calls.list_labelled(world.cluster, resources.CONFIG_MAPS, NAMESPACE, "l=x", "metadata.name=c")
    assert [each["metadata"]["name"] for each in found] == ["c"]


def test_a_long_list_is_read_page_by_page(api: StubApi, cluster: Cluster) -> None:
    def paged(asked: Asked, reply: Reply) -> None:
        at = int(asked.query.get("continue", "0"))
        metadata = {"continue": str(at + 1)} if at < 3 else {}
        reply.json(200, {"metadata": metadata, "items": [{"metadata": {"name": f"n{at}"}}]})

    api.does(paged)
    found = calls.list_labelled(cluster, resources.PODS, "ns")
    assert [each["metadata"]["name"] for each in found] == ["n0", "n1", "n2", "n3"]
    assert len(api.asked) == 4


def test_what_is_there_already_isnt_made_again(world: World) -> None:
    body = manifests.service_account(NAMESPACE)
    assert calls.create(world.cluster, body) is not None
    made = world.get("serviceaccounts", body["metadata"]["name"])
    assert calls.create(world.cluster, body) is None
    assert world.get("serviceaccounts", body["metadata"]["name"]) == made


def test_one_may_ask_for_ones_rights(world: World) -> None:
    body = {
        "apiVersion": "authorization.k8s.io/v1",
        "kind": "SelfSubjectAccessReview",
        "spec": {"resourceAttributes": {"namespace": NAMESPACE, "verb": "create", "resource": "pods"}},
    }
    made = calls.create(world.cluster, body)
    assert made is not None
    assert made.object["status"]["allowed"] is True


def test_a_dry_run_makes_nothing(world: World) -> None:
    body = manifests.service_account(NAMESPACE)
    assert calls.create(world.cluster, body, dry_run=True) is not None
    assert world.get("serviceaccounts", body["metadata"]["name"]) is None


def test_warnings_are_read_with_their_quotes(api: StubApi, cluster: Cluster) -> None:
    warned = '299 - "would violate PodSecurity \\"restricted:latest\\": runAsNonRoot != true, a \\"b\\"", 299 - "old"'
    api.does(lambda _asked, reply: reply.json(201, {"metadata": {}}, Warning=warned))
    made = calls.create(cluster, manifests.service_account("ns"))
    assert made is not None
    assert made.warnings == ('would violate PodSecurity "restricted:latest": runAsNonRoot != true, a "b"', "old")


def test_no_secret_is_told_of_a_secret_but_names_are() -> None:
    body = manifests.credentials(target(), NAMESPACE, OWNER, plain(), LOGINS, AUTHORITY)
    hidden = calls.secrets_of(body)
    assert LOGINS.user.password in hidden
    assert body["data"]["password"] in hidden
    assert not {"postgres", "demo", "5432"} & set(hidden)
    assert calls.secrets_of(manifests.service_account(NAMESPACE)) == ()


def test_the_last_lines_of_a_log_are_read(api: StubApi, cluster: Cluster) -> None:
    api.does(lambda _asked, reply: reply.text(200, "one\ntwo \N{SNOWMAN}\n"))
    assert calls.log_of(cluster, "ns", "demo-0", 20, previous=True) == ("one", "two \N{SNOWMAN}")
    asked = api.asked[0]
    assert asked.path == "/api/v1/namespaces/ns/pods/demo-0/log"
    assert asked.query == {"tailLines": "20", "previous": "true"}


@pytest.mark.parametrize("status", [400, 404])
def test_a_log_that_isnt_there_is_empty(api: StubApi, cluster: Cluster, status: int) -> None:
    api.does(lambda _asked, reply: reply.refuse(status, "BadRequest", 'container "postgres" is waiting to start'))
    assert calls.log_of(cluster, "ns", "demo-0", 20) == ()


def test_one_who_may_not_read_is_told_so(world: World, api: StubApi, cluster: Cluster) -> None:
    words = 'pods is forbidden: User "me" cannot list resource "pods" in API group "" in the namespace "ns"'
    api.does(lambda _asked, reply: reply.refuse(403, "Forbidden", words, {"kind": "pods"}))
    with pytest.raises(Refused) as refused:
        calls.list_labelled(cluster, resources.PODS, "ns")
    assert refused.value.cause.code is CauseCode.FORBIDDEN


def test_trouble_in_the_middle_of_a_list_is_trouble(api: StubApi, cluster: Cluster) -> None:
    page: dict[str, Any] = {"metadata": {"continue": "more"}, "items": []}
    api.does(lambda _asked, reply: reply.json(200, page), lambda _asked, reply: reply.refuse(410, "Expired", "too old"))
    with pytest.raises(Unavailable):
        calls.list_labelled(cluster, resources.PODS, "ns")
