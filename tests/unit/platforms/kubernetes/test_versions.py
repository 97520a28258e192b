"""What differs between PostgreSQL's major versions."""

from __future__ import annotations

import pytest
from manifest_subject import chosen, plain, target

from toygres.errors import CauseCode, Refused
from toygres.platforms.kubernetes.configuration import render
from toygres.platforms.kubernetes.versions import find
from toygres.platforms.parameters import catalogue


def test_every_version_that_can_be_offered_is_known_and_has_parameters() -> None:
    offered = plain().kube_versions
    assert sorted(offered) == ["14", "15", "16", "17", "18"]
    assert offered[0] == "16"
    assert set(offered) <= set(catalogue.VERSIONS)
    assert [find(plain(), version).image for version in offered] == [f"postgres:{version}" for version in offered]


@pytest.mark.parametrize("version", plain().kube_versions)
def test_the_data_are_in_a_folder_of_the_volume_and_never_its_root(version: str) -> None:
    found = find(plain(), version)
    assert found.data.startswith(f"{found.mount}/")


def test_the_volume_is_where_the_image_expects_it() -> None:
    assert find(plain(), "17").mount == "/var/lib/postgresql/data"
    assert find(plain(), "18").mount == "/var/lib/postgresql"
    assert find(plain(), "18").data == "/var/lib/postgresql/18/docker"


def test_an_image_comes_from_where_the_settings_say() -> None:
    settings = chosen(
        kube_image_prefix="mirror.example/library/",
        kube_images='{"15": "other.example/pg15@sha256:0"}',
    )
    assert find(settings, "16").image == "mirror.example/library/postgres:16"
    assert find(settings, "15").image == "other.example/pg15@sha256:0"


def test_a_collation_of_postgresqls_own_is_taken_where_there_is_one() -> None:
    assert "--builtin-locale=C.UTF-8" in find(plain(), "17").initdb
    assert "--locale=C.UTF-8" in find(plain(), "16").initdb


def test_no_server_touches_huge_pages_that_its_pod_has_not_asked_for() -> None:
    told = {version: "--set=huge_pages=off" in find(plain(), version).initdb for version in plain().kube_versions}
    assert told == {"14": False, "15": False, "16": True, "17": True, "18": True}
    assert "huge_pages = 'off'" in render(target().instance.spec)


@pytest.mark.parametrize("version", ["13", "x", ""])
def test_a_version_that_is_not_known_is_refused_with_those_that_are(version: str) -> None:
    with pytest.raises(Refused) as refused:
        find(plain(), version)
    assert refused.value.cause.code is CauseCode.VERSION_MISSING
    assert "16, 18, 17, 15, 14" in refused.value.cause.remedy
