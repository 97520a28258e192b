"""What is refused: what can't change, what one may not, and what quotas and limits don't admit."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from fake_cluster import FakeCluster, answers, objects, seeds
from fake_cluster.fixtures import connected
from kubernetes.dynamic import exceptions

from tests.unit.fake_cluster.conftest import NAMESPACE, User

Json = dict[str, Any]


def refused(call: Any) -> tuple[int, str]:
    with pytest.raises(exceptions.DynamicApiError) as caught:
        call()
    return caught.value.status, json.loads(caught.value.body)["message"]


@pytest.mark.parametrize(
    ("before", "after", "part"),
    [
        (objects.secret(type="Opaque"), objects.secret(type="other"), "type: Invalid value"),
        (objects.service(), objects.service(clusterIP="10.96.1.1"), "spec.clusterIPs[0]: Invalid value"),
        (objects.stateful_set(), objects.stateful_set(serviceName="other"), "updates to statefulset spec for fields"),
        (objects.volume_claim(), objects.volume_claim(storageClassName="other"), "spec is immutable after creation"),
        (objects.volume_claim(), objects.volume_claim(accessModes=["ReadWriteMany"]), "spec is immutable"),
        (objects.volume_claim(), objects.volume_claim(size="1Gi"), "field can not be less than status.capacity"),
    ],
)
def test_what_cannot_change_is_invalid(by_hand: FakeCluster, user: User, before: Json, after: Json, part: str):
    user.apply(before)
    by_hand.clock.advance(1)
    status, message = refused(lambda: user.apply(after))
    assert status == 422
    assert part in message


def test_a_volume_claim_grows_only_where_its_class_can(by_hand: FakeCluster, user: User):
    user.apply(objects.volume_claim())
    by_hand.clock.advance(1)
    status, message = refused(lambda: user.apply(objects.volume_claim(size="20Gi")))
    assert status == 403
    assert "only dynamically provisioned pvc can be resized" in message
    seeds.storage_class(by_hand, "growing", allowVolumeExpansion=True)
    user.apply(objects.volume_claim("other", storageClassName="growing"))
    by_hand.clock.advance(1)
    user.apply(objects.volume_claim("other", size="20Gi", storageClassName="growing"))
    by_hand.clock.advance(2)
    claim = by_hand.get("persistentvolumeclaims", NAMESPACE, "other")
    assert claim["status"]["capacity"] == {"storage": "20Gi"}


def test_a_service_may_become_a_load_balancer(by_hand: FakeCluster, user: User):
    first = user.apply(objects.service())
    second = user.apply(objects.service(type="LoadBalancer"))
    assert second["spec"]["clusterIP"] == first["spec"]["clusterIP"]
    by_hand.clock.advance(5)
    assert by_hand.get("services", NAMESPACE, "demo")["status"]["loadBalancer"]["ingress"]


def test_a_load_balancer_may_stay_without_an_address(by_hand: FakeCluster, user: User):
    by_hand.controllers.services.balancer_seconds = None
    user.apply(objects.service(type="LoadBalancer"))
    by_hand.clock.advance(600)
    assert by_hand.get("services", NAMESPACE, "demo")["status"] == {"loadBalancer": {}}
    assert by_hand.list("events", NAMESPACE) == []


def test_rights_are_those_of_the_role(by_hand: FakeCluster, user: User, tmp_path: Path):
    rule = {"apiGroups": [""], "resources": ["configmaps"], "verbs": ["patch", "list"]}
    token = by_hand.user("system:serviceaccount:toy:few", {NAMESPACE: [rule]})
    with connected(by_hand.kubeconfig(tmp_path / "few", token=token)) as dynamic:
        few = User(dynamic)
        assert refused(lambda: few.apply(objects.config_map())) == (
            403,
            'configmaps "note" is forbidden: User "system:serviceaccount:toy:few" cannot create resource "configmaps" '
            'in API group "" in the namespace "toy"',
        )
        user.apply(objects.config_map())
        few.apply(objects.config_map())
        few.of("ConfigMap").get(namespace=NAMESPACE)
        assert refused(lambda: few.of("ConfigMap").get())[1].endswith('API group "" at the cluster scope')
        asked = {"namespace": NAMESPACE, "verb": "patch", "group": "", "resource": "configmaps"}
        kind = few.of("SelfSubjectAccessReview", "authorization.k8s.io/v1")
        body = {"apiVersion": "authorization.k8s.io/v1", "kind": "SelfSubjectAccessReview"}
        made = kind.create(body=body | {"spec": {"resourceAttributes": asked}})
        assert made.status.allowed is True
        by_hand.rights.revoke(token)
        assert refused(lambda: few.of("ConfigMap").get(namespace=NAMESPACE)) == (401, "Unauthorized")


def test_a_quota_refuses_the_pod_by_an_event_until_there_is_room(by_hand: FakeCluster, user: User):
    by_hand.scenarios.quota(NAMESPACE, requests_memory="64Mi")
    user.apply(objects.volume_claim())
    user.apply(objects.stateful_set(container={"resources": {"requests": {"memory": "256Mi"}}}))
    by_hand.clock.advance(1)
    (event,) = [event for event in by_hand.list("events", NAMESPACE) if event["reason"] == "FailedCreate"]
    assert event["message"].endswith(
        'failed error: pods "demo-0" is forbidden: exceeded quota: small, requested: requests.memory=256Mi, used: '
        "requests.memory=0, limited: requests.memory=64Mi"
    )
    assert event["count"] > 1
    user.of("ResourceQuota").delete(name="small", namespace=NAMESPACE)
    by_hand.clock.advance(30)
    assert by_hand.get("pods", NAMESPACE, "demo-0")


def test_a_limit_range_refuses_the_pod(by_hand: FakeCluster, user: User):
    by_hand.scenarios.limits(NAMESPACE, most={"memory": "128Mi"})
    user.apply(objects.stateful_set(container={"resources": {"limits": {"memory": "256Mi"}}}))
    by_hand.clock.advance(1)
    messages = [event["message"] for event in by_hand.list("events", NAMESPACE)]
    assert any("maximum memory usage per Container is 128Mi, but limit is 256Mi" in text for text in messages)


def test_a_restricted_namespace_warns_and_refuses_the_pod(by_hand: FakeCluster, user: User):
    by_hand.scenarios.pod_security(NAMESPACE)
    response = user.of("StatefulSet").server_side_apply(
        body=objects.stateful_set(), namespace=NAMESPACE, field_manager="toygres", serialize=False
    )
    assert 'would violate PodSecurity \\"restricted:latest\\"' in response.headers["Warning"]
    by_hand.clock.advance(1)
    messages = [event["message"] for event in by_hand.list("events", NAMESPACE)]
    assert any('is forbidden: violates PodSecurity "restricted:latest"' in text for text in messages)


def test_a_policy_of_the_test_refuses(by_hand: FakeCluster, user: User):
    refusal = answers.Refusal(422, "Invalid", "ValidatingAdmissionPolicy 'p' denied request: no")
    by_hand.policies.append(lambda kind, value: refusal if kind == "Secret" else None)
    user.apply(objects.config_map())
    assert refused(lambda: user.apply(objects.secret()))[1] == refusal.message


def test_an_account_has_the_rights_of_its_roles(by_hand: FakeCluster, user: User, tmp_path: Path):
    group = "rbac.authorization.k8s.io"
    rule = {"apiGroups": [""], "resources": ["secrets"], "verbs": ["get"]}
    place = {"name": "web", "namespace": NAMESPACE}
    subject = {"kind": "ServiceAccount", "name": "web", "namespace": NAMESPACE}
    reference = {"apiGroup": group, "kind": "Role", "name": "web"}
    seeds.make(by_hand, f"roles.{group}", {"metadata": place, "rules": [rule]})
    user.apply(objects.secret())
    with connected(by_hand.kubeconfig(tmp_path / "web", token=by_hand.account(NAMESPACE, "web"))) as dynamic:
        secrets = User(dynamic).of("Secret")
        assert refused(lambda: secrets.get(name="demo-credentials", namespace=NAMESPACE))[0] == 403
        bound = {"metadata": place, "subjects": [subject], "roleRef": reference}
        seeds.make(by_hand, f"rolebindings.{group}", bound)
        assert secrets.get(name="demo-credentials", namespace=NAMESPACE).type == "Opaque"
        assert refused(lambda: secrets.get(namespace=NAMESPACE))[0] == 403


def test_what_lacks_something_required_is_invalid(user: User):
    body = objects.stateful_set()
    del body["spec"]["selector"]
    status, message = refused(lambda: user.apply(body))
    assert (status, "spec.selector: Required value" in message) == (422, True)
    status, message = refused(lambda: user.apply({"apiVersion": "v1", "kind": "Service", "metadata": {"name": "demo"}}))
    assert (status, "spec.ports: Required value" in message) == (422, True)
