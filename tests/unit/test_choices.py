"""What may be chosen on some platforms only, and how it is refused."""

from __future__ import annotations

from dataclasses import replace

import pytest
from doubles import OFFER

from toygres import choices
from toygres.domain.instance import ServiceType
from toygres.errors import FieldError
from toygres.offers import InstanceRequest
from toygres.platforms.protocol import Capabilities

EVERYTHING = replace(OFFER, choices=frozenset({"storage_class", "service_type", "allowed_cidrs", "allowed_namespaces"}))
NOTHING = replace(OFFER, choices=frozenset())


def _checked(offer: Capabilities = EVERYTHING, **asked: object) -> tuple[dict[str, object], list[FieldError]]:
    errors: list[FieldError] = []
    return choices.check(errors, InstanceRequest(name="demo", **asked), offer), errors


def test_who_asks_for_nothing_gets_the_platforms_own() -> None:
    found, errors = _checked(NOTHING)
    assert errors == []
    assert found == {
        "storage_class": None,
        "service_type": ServiceType.CLUSTER_IP,
        "allowed_cidrs": (),
        "allowed_namespaces": (),
    }


def test_all_of_it_together() -> None:
    found, errors = _checked(
        storage_class="fast.ssd", service_type="LoadBalancer", allowed_cidrs=("10.0.0.0/8",), allowed_namespaces=("a",)
    )
    assert errors == []
    assert found["service_type"] is ServiceType.LOAD_BALANCER
    assert found["allowed_cidrs"] == ("10.0.0.0/8",)


@pytest.mark.parametrize(
    ("asked", "field"),
    [
        ({"storage_class": "fast"}, "storage_class"),
        ({"service_type": "LoadBalancer", "allowed_cidrs": ("10.0.0.0/8",)}, "allowed_cidrs"),
        ({"allowed_namespaces": ("a",)}, "allowed_namespaces"),
    ],
)
def test_what_the_platform_does_not_offer_is_refused(asked: dict[str, object], field: str) -> None:
    _, errors = _checked(NOTHING, **asked)
    assert errors[0].field == field
    assert "can't be chosen" in errors[0].message


def test_where_load_balancers_can_be_allowed_the_setting_is_named() -> None:
    _, errors = _checked(
        replace(NOTHING, kind="kubernetes"), service_type="LoadBalancer", allowed_cidrs=("10.0.0.0/8",)
    )
    (refused,) = (each for each in errors if each.field == "service_type")
    assert "TOYGRES_KUBE_LOAD_BALANCERS=true" in refused.allowed


def test_the_only_type_that_there_is_may_be_named_anywhere() -> None:
    assert _checked(NOTHING, service_type="ClusterIP")[1] == []


@pytest.mark.parametrize(
    ("asked", "field"),
    [
        ({"storage_class": "Fast!"}, "storage_class"),
        ({"service_type": "NodePort"}, "service_type"),
        ({"service_type": "LoadBalancer"}, "allowed_cidrs"),
        ({"allowed_cidrs": ("10.0.0.0/8", "10.0.0.1/8")}, "allowed_cidrs.1"),
        ({"allowed_cidrs": ("everybody",)}, "allowed_cidrs.0"),
        ({"allowed_namespaces": ("fine", "Not Fine")}, "allowed_namespaces.1"),
    ],
)
def test_what_is_not_well_formed_is_refused_by_its_field(asked: dict[str, object], field: str) -> None:
    _, errors = _checked(**asked)
    assert [error.field for error in errors] == [field]
    assert errors[0].allowed
