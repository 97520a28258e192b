"""What things are called in a cluster."""

from __future__ import annotations

from uuid import UUID

import pytest
from manifest_subject import ID, chosen, plain

from toygres.domain.names import is_name
from toygres.errors import Refused
from toygres.platforms.kubernetes.names import Names, field_manager, hosts, namespace

ALL = ("anchor", "credentials", "monitor", "tls", "config", "data", "service", "stateful_set", "pod", "policy")


def test_the_default_project_has_the_namespace_of_the_settings_and_others_one_of_their_own() -> None:
    assert namespace(plain(), "default") == "toygres"
    assert namespace(chosen(kube_namespace="pg"), "shop") == "pg-shop"


def test_a_namespace_that_would_be_too_long_is_refused_with_a_way_out() -> None:
    settings = chosen(kube_namespace="n" * 30)
    assert namespace(settings, "p" * 32) == f"{'n' * 30}-{'p' * 32}"
    with pytest.raises(Refused) as refused:
        namespace(settings, "p" * 33)
    assert "TOYGRES_NAMESPACE" in refused.value.cause.remedy


def test_the_objects_of_an_instance_have_the_names_that_people_look_for() -> None:
    names = Names("demo", ID)
    assert {name: getattr(names, name) for name in ALL} == {
        "anchor": "demo-anchor",
        "credentials": "demo-credentials",
        "monitor": "demo-monitor",
        "tls": "demo-tls",
        "config": "demo-config",
        "data": "demo-data-feedbeef",
        "service": "demo",
        "stateful_set": "demo",
        "pod": "demo-0",
        "policy": "demo",
    }


def test_the_longest_name_leaves_room_for_what_kubernetes_adds() -> None:
    longest = "a" * 40
    assert is_name(longest)
    # A pod's label holds its StatefulSet's name, '-' and a hash of ten.
    assert len(Names(longest, ID).stateful_set) <= 63 - 11
    assert all(len(getattr(Names(longest, ID), name)) <= 63 for name in ALL)


def test_a_successor_of_the_same_name_has_another_volume_and_another_field_manager() -> None:
    other = UUID("0198c0de-0000-7000-8000-0000feedbeee")
    assert Names("demo", ID).data != Names("demo", other).data
    assert field_manager(ID) == "toygres-0198c0de0000700080000000feedbeef"
    assert field_manager(ID) != field_manager(other)


def test_a_service_goes_by_every_name_that_the_clusters_dns_has_for_it() -> None:
    assert hosts("demo", "ns") == ("demo", "demo.ns", "demo.ns.svc", "demo.ns.svc.cluster.local")
    assert hosts("demo", "ns", "k8s.example")[-1] == "demo.ns.svc.k8s.example"
