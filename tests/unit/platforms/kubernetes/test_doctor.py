"""What `toygres doctor` says of a cluster: each thing that can be wrong, and that nothing is changed by looking."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from fake_cluster import FakeCluster, seeds
from fake_cluster.answers import Refusal, forbidden
from manifest_subject import NAMESPACE, chosen
from stub_api import Asked, Reply, StubApi

from toygres.domain.findings import Finding, Standing
from toygres.platforms.kubernetes import doctor, manifests, rehearsal, surroundings
from toygres.platforms.kubernetes.calls import Applied
from toygres.platforms.kubernetes.client import Cluster
from toygres.platforms.kubernetes.rights import WEB, WORKER, Right, rules

Json = dict[str, Any]
DEFAULT = {"storageclass.kubernetes.io/is-default-class": "true"}
CLASSES = "storageclasses.storage.k8s.io"


class Ward:
    """A cluster and the one who looks at it, who may do everything unless told otherwise."""

    def __init__(self, fake: FakeCluster, folder: Path) -> None:
        self.fake = fake
        self._folder = folder
        self.token: str | None = None

    def may(self, rights: Sequence[Right]) -> None:
        self.token = self.fake.user("somebody", {NAMESPACE: rules(rights)})

    def examine(self, known: str | None = None, *, web: bool = False, **settings: str) -> dict[str, Finding]:
        cluster = Cluster(kubeconfig=str(self.fake.kubeconfig(self._folder / "kubeconfig", token=self.token)))
        found = list(doctor.examine(chosen(**settings), known, web=web, cluster=cluster))
        assert [finding for finding in found if finding.standing is not Standing.FINE and not finding.remedy] == []
        by_name = {finding.about: finding for finding in found}
        assert len(by_name) == len(found)
        return by_name

    def make_class(self, name: str, **more: Any) -> None:
        seeds.storage_class(self.fake, name, **{"provisioner": "disk.csi.example.com", **more})

    def remove_classes(self) -> None:
        for found in self.fake.list(CLASSES):
            with self.fake.store.lock:
                self.fake.store.remove(CLASSES, found)

    def names(self) -> list[str]:
        """Those of all objects."""
        with self.fake.store.lock:
            return [found["metadata"]["name"] for _, found in self.fake.store.everything()]


@pytest.fixture
def empty(tmp_path: Path) -> Iterator[Ward]:
    """A cluster without our namespace."""
    with FakeCluster() as fake:
        yield Ward(fake, tmp_path)


@pytest.fixture
def ward(empty: Ward) -> Ward:
    """A cluster in which nothing is wrong."""
    seeds.make(empty.fake, "namespaces", manifests.namespace(NAMESPACE))
    empty.make_class("standard", annotations=DEFAULT)
    return empty


def standings(found: Mapping[str, Finding]) -> dict[str, str]:
    return {about: finding.standing.value for about, finding in found.items()}


def test_a_healthy_cluster_is_told_to_be_one_and_nothing_is_made_there(ward: Ward) -> None:
    found = ward.examine()
    assert standings(found) == {
        "cluster": "fine",
        "namespace": "fine",
        "rights": "fine",
        "storage class": "fine",
        "dry run": "fine",
        "network policies": "unchecked",
    }
    assert "Kubernetes 1.36" in found["cluster"].message
    assert "context fake" in found["cluster"].message
    assert found["storage class"].message.startswith("standard is the cluster's default")
    assert [name for name in ward.names() if name.startswith(rehearsal.NAME)] == []


def test_the_workers_rights_are_enough_for_a_whole_examination(ward: Ward) -> None:
    ward.may(WORKER)
    found = ward.examine()
    assert {about for about, told in found.items() if told.standing is not Standing.FINE} == {
        "storage class",
        "network policies",
    }
    assert found["storage class"].standing is Standing.UNCHECKED
    assert "belong to the whole cluster" in found["storage class"].message


def test_each_right_that_is_missing_is_named(ward: Ward) -> None:
    lacking = {("secrets", "patch"), ("pods/log", "get"), ("statefulsets", "delete")}
    ward.may(
        [
            Right(right.group, right.resource, kept)
            for right in WORKER
            if (kept := tuple(verb for verb in right.verbs if (right.resource, verb) not in lacking))
        ]
    )
    told = ward.examine()["rights"]
    assert told.standing is Standing.WRONG
    assert told.message.endswith("may not: get pods/log; patch secrets; delete statefulsets.apps.")
    assert "deploy/base" in told.remedy


def test_what_may_not_be_applied_is_not_tried_and_told_once(ward: Ward) -> None:
    ward.may([*WEB, Right("", "namespaces", ("get",))])
    found = ward.examine()
    assert found["rights"].standing is Standing.WRONG
    assert found["dry run"].standing is Standing.UNCHECKED
    assert "ConfigMap, Secret, PersistentVolumeClaim, Service, StatefulSet, NetworkPolicy" in found["dry run"].message


def test_the_web_process_needs_its_one_right_alone(ward: Ward) -> None:
    ward.may(WEB)
    assert standings(ward.examine(web=True)) == {"cluster": "fine", "rights": "fine"}
    ward.may([])
    told = ward.examine(web=True)["rights"]
    assert told.standing is Standing.WRONG
    assert "the web process needs" in told.message
    assert told.message.endswith("get secrets.")


def test_a_namespace_that_may_be_made_is_no_trouble_but_nothing_can_be_tried_in_it(empty: Ward) -> None:
    found = empty.examine()
    assert found["namespace"].standing is Standing.NOTED
    assert found["dry run"].standing is Standing.UNCHECKED
    assert empty.fake.get("namespaces", "", NAMESPACE) is None


def test_a_namespace_that_may_not_be_made_has_to_be_made_by_somebody(empty: Ward) -> None:
    empty.may(WORKER)
    told = empty.examine()["namespace"]
    assert told.standing is Standing.WRONG
    assert f"kubectl create namespace {NAMESPACE}" in told.remedy


def test_a_namespace_that_may_not_be_looked_at_is_told_and_tried_all_the_same(ward: Ward) -> None:
    ward.may([right for right in WORKER if right.resource != "namespaces"])
    found = ward.examine()
    assert found["namespace"].standing is Standing.UNCHECKED
    assert found["dry run"].standing is Standing.FINE


def test_another_cluster_than_the_metadata_db_knows_is_wrong(ward: Ward) -> None:
    namespace = ward.fake.get("namespaces", "", NAMESPACE)
    assert namespace is not None
    assert ward.examine(namespace["metadata"]["uid"])["namespace"].standing is Standing.FINE
    told = ward.examine("0198c0de-0000-4000-8000-00000000dead")["namespace"]
    assert told.standing is Standing.WRONG
    assert "TOYGRES_KUBE_CONTEXT" in told.remedy


def test_without_a_default_class_those_there_are_are_named(ward: Ward) -> None:
    ward.remove_classes()
    told = ward.examine()["storage class"]
    assert told.standing is Standing.WRONG
    assert "no other either" in told.message
    ward.make_class("slow")
    ward.make_class("fast")
    told = ward.examine()["storage class"]
    assert told.standing is Standing.WRONG
    assert "only fast, slow" in told.message
    assert "TOYGRES_KUBE_STORAGE_CLASS" in told.remedy


def test_the_class_that_is_set_must_be_there(ward: Ward) -> None:
    ward.make_class("fast")
    assert ward.examine(kube_storage_class="fast")["storage class"].message.startswith("fast is there")
    told = ward.examine(kube_storage_class="faster")["storage class"]
    assert told.standing is Standing.WRONG
    assert told.message == "There is no storage class faster."


def test_a_class_whose_volumes_are_roots_is_worth_a_note(ward: Ward) -> None:
    ward.make_class("standard", annotations=DEFAULT, provisioner="kubernetes.io/host-path")
    told = ward.examine()["storage class"]
    assert told.standing is Standing.NOTED
    assert "user 999" in told.message


def test_what_a_quota_would_refuse_is_told_before_anybody_orders(ward: Ward) -> None:
    quota = {"metadata": {"name": "small", "namespace": NAMESPACE}, "spec": {"hard": {"requests.storage": "1Gi"}}}
    seeds.make(ward.fake, "resourcequotas", quota)
    told = ward.examine()["dry run"]
    assert told.standing is Standing.WRONG
    assert told.message.startswith("A PersistentVolumeClaim would be refused: ")
    assert "small" in told.message


def test_what_a_rule_of_the_cluster_refuses_is_told_in_its_words(ward: Ward) -> None:
    why = "ValidatingAdmissionPolicy 'labels' with binding 'labels' denied request: name your team"

    def refuse(kind: str, value: Json) -> Refusal | None:
        return forbidden("statefulsets", "apps", value["metadata"]["name"], why) if kind == "StatefulSet" else None

    ward.fake.policies.append(refuse)
    told = ward.examine()["dry run"]
    assert told.standing is Standing.WRONG
    assert told.message.startswith("A StatefulSet would be refused: ")
    assert "name your team" in told.message


def test_a_rule_that_knows_no_dry_run_says_nothing_of_what_it_would_do(ward: Ward) -> None:
    why = 'admission webhook "stamp.example.com" does not support dry run'
    ward.fake.policies.append(lambda kind, _value: Refusal(400, "BadRequest", why) if kind == "StatefulSet" else None)
    told = ward.examine()["dry run"]
    assert told.standing is Standing.UNCHECKED
    assert "stamp.example.com" in told.message


def test_a_pod_that_pod_security_would_refuse_is_told_by_the_warning(
    ward: Ward, monkeypatch: pytest.MonkeyPatch
) -> None:
    built = manifests.stateful_set

    def careless(*given: Any, **more: Any) -> Json:
        body = built(*given, **more)
        del body["spec"]["template"]["spec"]["securityContext"]["runAsNonRoot"]
        return body

    monkeypatch.setattr(rehearsal.manifests, "stateful_set", careless)
    told = ward.examine()["dry run"]
    assert told.standing is Standing.WRONG
    assert 'would violate PodSecurity "restricted:latest": runAsNonRoot != true' in told.message


def test_another_warning_of_the_api_server_is_noted_with_what_to_do(
    ward: Ward, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = rehearsal.applying.apply

    def warned(cluster: Cluster, body: Json, *given: Any, **more: Any) -> Applied:
        done = asked(cluster, body, *given, **more)
        return replace(done, warnings=("this field is going",)) if body["kind"] == "Service" else done

    monkeypatch.setattr(rehearsal.applying, "apply", warned)
    told = ward.examine()["dry run"]
    assert told.standing is Standing.NOTED
    assert told.message == "The API server warns of a Service: this field is going."
    assert "TOYGRES_KUBE_" in told.remedy


def test_policies_that_are_off_are_said_to_be(ward: Ward) -> None:
    told = ward.examine(kube_network_policy="false")["network policies"]
    assert told.standing is Standing.NOTED
    assert "TOYGRES_KUBE_NETWORK_POLICY" in told.remedy


def test_an_api_server_that_goes_away_in_the_middle_ends_nothing(ward: Ward) -> None:
    ward.fake.faults.fail("503", share=1.0, resources=["selfsubjectaccessreviews.authorization.k8s.io"])
    found = ward.examine()
    assert found["rights"].standing is Standing.UNCHECKED
    assert found["rights"].message.startswith("Couldn't check: ")
    assert found["dry run"].standing is Standing.FINE


def answering(bodies: Mapping[str, Json]) -> Callable[[Asked, Reply], None]:
    def answer(asked: Asked, reply: Reply) -> None:
        if asked.path in bodies:
            reply.json(200, bodies[asked.path])
        else:
            reply.refuse(404, "NotFound", "the server could not find the requested resource")

    return answer


@pytest.mark.parametrize(
    ("major", "minor", "standing"),
    [("1", "27", "wrong"), ("1", "28", "fine"), ("1", "36+", "fine"), ("2", "0", "fine"), ("1", "9", "wrong")],
)
def test_a_cluster_must_be_new_enough(api: StubApi, cluster: Cluster, major: str, minor: str, standing: str) -> None:
    version = {"major": major, "minor": minor, "gitVersion": "v0.0.0-master+$Format:%H$"}
    api.does(answering({"/version": version}))
    first = next(doctor.examine(chosen(), cluster=cluster))
    assert (first.about, first.standing.value) == ("cluster", standing)
    assert ("1.28 or later" in first.message) is (standing == "wrong")


def test_of_a_cluster_that_does_not_answer_nothing_else_is_asked(api: StubApi, cluster: Cluster) -> None:
    api.does(lambda _asked, reply: reply.refuse(503, "ServiceUnavailable", "starting"))
    (told,) = doctor.examine(chosen(), cluster=cluster)
    assert told.standing is Standing.WRONG
    assert {asked.path for asked in api.asked} == {"/version"}


def test_without_a_kubeconfig_it_is_said_what_to_set(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.delenv("KUBECONFIG", raising=False)
    monkeypatch.delenv("KUBERNETES_SERVICE_HOST", raising=False)
    (told,) = doctor.examine(chosen())
    assert told.standing is Standing.WRONG
    assert "KUBECONFIG" in told.remedy


@pytest.mark.parametrize(("group", "name"), [("cilium.io", "Cilium"), ("crd.projectcalico.org", "Calico")])
def test_a_network_plugin_that_is_known_by_its_api_group_is_named(
    api: StubApi, cluster: Cluster, group: str, name: str
) -> None:
    api.does(answering({"/apis": {"groups": [{"name": "apps"}, {"name": group}]}}))
    told = surroundings.network_policies(cluster, chosen())
    assert (told.standing, told.message) == (Standing.FINE, f"{name} is installed, which enforces them.")
    api.does(answering({"/apis": {"groups": [{"name": "apps"}]}}))
    assert surroundings.network_policies(cluster, chosen()).standing is Standing.UNCHECKED


def test_of_several_default_classes_the_newest_counts(api: StubApi, cluster: Cluster) -> None:
    classes = [
        {
            "metadata": {"name": name, "annotations": DEFAULT, "creationTimestamp": made},
            "provisioner": "disk.csi.example.com",
        }
        for name, made in (("new", "2026-02-01T00:00:00Z"), ("old", "2025-02-01T00:00:00Z"))
    ]
    api.does(answering({"/apis/storage.k8s.io/v1/storageclasses": {"metadata": {}, "items": classes}}))
    assert surroundings.storage_class(cluster, chosen()).message.startswith("new is the cluster's default")
