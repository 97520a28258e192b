"""On any cluster: instances are made, fail with their cause, lose their pod, and are deleted without a trace."""

from __future__ import annotations

import pytest
from making_place import LIMITS, QUOTAS, Place
from waiting_until import until

from toygres.domain.operation import OperationState
from toygres.errors import CauseCode
from toygres.platforms.kubernetes.resources import PODS, SERVICES
from toygres.provisioning import request_restart, request_start, request_stop

pytestmark = pytest.mark.cluster


def test_an_instance_is_ready_once_somebody_has_logged_in_and_goes_without_a_trace(place: Place) -> None:
    ended = place.ended(place.ask("first").id)
    assert ended.state is OperationState.SUCCEEDED, ended
    (login,) = (step for step in ended.steps if step.name == "verify_login")
    assert login.told is not None
    assert login.told.startswith("Logged in, wrote and read in ")
    assert place.every_step_once(ended)
    assert list(place.objects(ended.instance_id)) != []
    place.gone("first")


def test_it_is_stopped_started_and_restarted(place: Place) -> None:
    place.ready("second")
    for request in (request_stop, request_start, request_restart):
        assert place.ended(place.requested(request, "second").id).state is OperationState.SUCCEEDED
        assert (place.found(PODS, "second-0") is None) is (request is request_stop)
    place.gone("second")


def test_a_pod_that_is_deleted_comes_back(place: Place) -> None:
    found = place.ready("third")
    before = place.uid("third-0")
    place.take_away(PODS, "third-0")
    until(lambda: place.uid("third-0") not in (None, before), 300)
    until(lambda: place.is_ready("third"), 300)
    place.heard_available(found, value=True)
    assert place.kinds_of_operations(found) == ["create"]
    place.gone("third")


def test_a_server_that_cant_start_is_told_in_its_own_last_words(place: Place) -> None:
    cause = place.fails(place.ask("words", parameters={"shared_buffers": "7TB"}), CauseCode.PARAMETERS_REJECTED)
    assert "shared_buffers" in cause.message + cause.remedy
    assert any("FATAL" in line for line in cause.evidence), cause.evidence


def test_a_storage_class_that_isnt_there_is_named(place: Place) -> None:
    cause = place.fails(place.ask("no-class", storage_class="imaginary"), CauseCode.STORAGE_CLASS_MISSING)
    assert "imaginary" in cause.message


def test_a_registry_that_isnt_there_is_shown_and_the_create_can_be_given_up(place: Place) -> None:
    operation = place.ask("no-image", version="14")
    cause = place.waits(operation, CauseCode.REGISTRY_UNREACHABLE)
    assert "registry.invalid/toygres/none:1" in cause.message
    assert cause.evidence
    place.gone("no-image")


def test_more_than_any_node_has_is_shown_and_the_create_can_be_given_up(place: Place) -> None:
    operation = place.ask("too-big", memory="4096Gi", cpu="256")
    cause = place.waits(operation, CauseCode.UNSCHEDULABLE)
    assert cause.evidence
    place.gone("too-big")


def test_a_quota_is_waited_for(place: Place) -> None:
    place.make(QUOTAS, "small", spec={"hard": {"requests.memory": "1Mi"}})
    try:
        operation = place.ask("too-much")
        cause = place.waits(operation, CauseCode.QUOTA_EXCEEDED)
        assert "requests.memory=1Mi" in cause.message
    finally:
        place.take_away(QUOTAS, "small")
    assert place.ended(operation.id).state is OperationState.SUCCEEDED
    place.gone("too-much")


def test_a_limit_range_that_forbids_the_pod_ends_the_create(place: Place) -> None:
    limit = {"type": "Container", "max": {"memory": "1Mi"}, "default": {"memory": "1Mi"}}
    place.make(LIMITS, "limits", spec={"limits": [limit]})
    try:
        cause = place.fails(place.ask("above"), CauseCode.LIMIT_RANGE)
        assert "maximum memory usage per Container is 1Mi" in cause.message
    finally:
        place.take_away(LIMITS, "limits")


def test_a_strangers_object_of_the_same_name_is_left_as_it_is(place: Place) -> None:
    place.make(SERVICES, "taken", spec={"ports": [{"port": 80}]})
    before = place.uid("taken", SERVICES)
    cause = place.fails(place.ask("taken"), CauseCode.NAME_TAKEN)
    assert "taken" in cause.message
    assert place.uid("taken", SERVICES) == before
    place.take_away(SERVICES, "taken")
