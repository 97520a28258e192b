"""Server-side apply does what a real 1.36 was seen to do."""

from __future__ import annotations

import base64
import json
from typing import Any

import pytest
from fake_cluster import FakeCluster, objects
from kubernetes.dynamic import exceptions

from tests.unit.fake_cluster.conftest import NAMESPACE, User


def status_of(error: exceptions.DynamicApiError) -> dict[str, Any]:
    return json.loads(error.body)


def test_applying_the_same_again_changes_nothing(user: User):
    first = user.apply(objects.stateful_set())
    again = user.apply(objects.stateful_set())
    assert again["metadata"] == first["metadata"]
    assert first["metadata"]["generation"] == 1


def test_a_changed_spec_raises_the_generation(user: User):
    user.apply(objects.stateful_set())
    assert user.apply(objects.stateful_set(replicas=0))["metadata"]["generation"] == 2


def test_what_another_manager_owns_and_wants_otherwise_is_a_conflict(user: User):
    user.apply(objects.config_map(data={"a": "1"}))
    with pytest.raises(exceptions.ConflictError) as caught:
        user.apply(objects.config_map(data={"a": "2"}), manager="other")
    status = status_of(caught.value)
    cause = {"reason": "FieldManagerConflict", "message": 'conflict with "toygres"', "field": ".data.a"}
    assert status["details"]["causes"] == [cause]
    assert status["message"] == 'Apply failed with 1 conflict: conflict with "toygres": .data.a'


def test_agreeing_values_become_co_owned(user: User):
    user.apply(objects.config_map(data={"a": "1"}))
    user.apply(objects.config_map(data={"a": "1"}), manager="other")
    assert user.apply(objects.config_map(), manager="other")["data"] == {"a": "1"}


def test_a_forced_apply_takes_the_fields(user: User):
    user.apply(objects.config_map(data={"a": "1", "b": "1"}))
    user.apply(objects.config_map(data={"a": "2"}), manager="other", force_conflicts=True)
    with pytest.raises(exceptions.ConflictError) as caught:
        user.apply(objects.config_map(data={"a": "1", "b": "1"}))
    assert [cause["field"] for cause in status_of(caught.value)["details"]["causes"]] == [".data.a"]


def test_what_is_left_out_is_removed_again(user: User):
    user.apply(objects.config_map(data={"a": "1", "b": "1"}))
    assert user.apply(objects.config_map(data={"b": "1"}))["data"] == {"b": "1"}


def test_a_list_with_keys_is_owned_item_by_item(user: User):
    user.apply(objects.stateful_set(container={"env": [{"name": "A", "value": "1"}]}))
    mine = {"name": "postgres", "env": [{"name": "B", "value": "2"}]}
    partial = {"apiVersion": "apps/v1", "kind": "StatefulSet", "metadata": {"name": "demo"}}
    partial["spec"] = {"template": {"spec": {"containers": [mine]}}}
    result = user.apply(partial, manager="other")
    container = result["spec"]["template"]["spec"]["containers"][0]
    assert [variable["name"] for variable in container["env"]] == ["A", "B"]
    with pytest.raises(exceptions.ConflictError) as caught:
        user.apply(objects.stateful_set(container={"env": [{"name": "B", "value": "3"}]}))
    field = '.spec.template.spec.containers[name="postgres"].env[name="B"].value'
    assert status_of(caught.value)["details"]["causes"][0]["field"] == field


def test_what_was_patched_belongs_to_who_patched_it(user: User):
    user.apply(objects.config_map(data={"a": "1"}))
    user.patch("ConfigMap", "note", {"data": {"a": "2"}})
    with pytest.raises(exceptions.ConflictError) as caught:
        user.apply(objects.config_map(data={"a": "1"}))
    assert 'conflict with "OpenAPI-Generator" using v1 at ' in status_of(caught.value)["message"]


def test_an_unknown_field_looks_like_server_trouble(user: User):
    body = objects.stateful_set()
    body["spec"]["replicass"] = 1
    with pytest.raises(exceptions.InternalServerError) as caught:
        user.apply(body)
    status = status_of(caught.value)
    assert status["message"] == (
        "failed to create typed patch object (toy/demo; apps/v1, Kind=StatefulSet): .spec.replicass: field not "
        "declared in schema"
    )
    assert "reason" not in status


def test_no_field_manager_is_invalid(user: User):
    with pytest.raises(exceptions.UnprocessibleEntityError):
        user.of("ConfigMap").patch(
            name="note", namespace=NAMESPACE, body=objects.config_map(), content_type="application/apply-patch+yaml"
        )


def test_another_uid_in_the_body_never_makes_a_second_object(user: User):
    with pytest.raises(exceptions.ConflictError) as absent:
        user.apply(objects.config_map(uid="another"))
    assert "uid mismatch" in status_of(absent.value)["message"]
    user.apply(objects.config_map())
    with pytest.raises(exceptions.UnprocessibleEntityError) as present:
        user.apply(objects.config_map(uid="another"))
    assert "metadata.uid" in status_of(present.value)["message"]
    assert "field is immutable" in status_of(present.value)["message"]


def test_a_stale_version_in_the_body_is_a_conflict_without_causes(user: User):
    version = user.apply(objects.config_map(data={"a": "1"}))["metadata"]["resourceVersion"]
    user.apply(objects.config_map(data={"a": "2"}, resourceVersion=version))
    with pytest.raises(exceptions.ConflictError) as caught:
        user.apply(objects.config_map(data={"a": "3"}, resourceVersion=version))
    status = status_of(caught.value)
    assert "the object has been modified" in status["message"]
    assert "causes" not in status["details"]


def test_keys_that_came_by_string_data_stay_for_ever(user: User):
    user.apply(objects.secret(stringData={"a": "1"}))
    coded = base64.b64encode(b"2").decode()
    assert set(user.apply(objects.secret(data={"b": coded}))["data"]) == {"a", "b"}
    assert set(user.apply(objects.secret())["data"]) == {"a"}


def test_a_dry_run_answers_and_changes_nothing(by_hand: FakeCluster, user: User):
    before = by_hand.store.version
    assert user.apply(objects.stateful_set(), dry_run="All")["spec"]["revisionHistoryLimit"] == 10
    assert by_hand.store.version == before
    assert by_hand.get("statefulsets.apps", NAMESPACE, "demo") is None


def test_an_absent_namespace_is_told_as_such(user: User):
    with pytest.raises(exceptions.NotFoundError) as caught:
        user.of("ConfigMap").server_side_apply(body=objects.config_map(), namespace="absent", field_manager="toygres")
    assert status_of(caught.value)["details"] == {"name": "absent", "kind": "namespaces"}
