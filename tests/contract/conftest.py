"""Every platform, one after the other, for the contract that all must keep."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from doubles import MemoryPlatform
from making import MakeSubject, Subject, local_platform, subjects
from making_cluster import cluster_platform

from toygres.platforms.kubernetes.platform import KubernetesPlatform
from toygres.platforms.local.platform import LocalPlatform
from toygres.platforms.protocol import Platform


@pytest.fixture(scope="session")
def local() -> Iterator[LocalPlatform]:
    """One local platform for the whole run: its instances share no more than those of a user do."""
    with local_platform() as platform:
        yield platform


@pytest.fixture(scope="session")
def kubernetes() -> Iterator[KubernetesPlatform]:
    """One Kubernetes platform for the whole run, on a fake cluster with real servers."""
    with cluster_platform() as (_, platform):
        yield platform


@pytest.fixture(params=["local", "memory", "kubernetes"])
def platform(request: pytest.FixtureRequest) -> Platform:
    """The platform under test."""
    if request.param == "memory":
        return MemoryPlatform()
    found: Platform = request.getfixturevalue(request.param)
    return found


@pytest.fixture
def make_subject(platform: Platform) -> Iterator[MakeSubject]:
    """Makes instances that are gone after the test."""
    with subjects(platform) as make:
        yield make


@pytest.fixture
def subject(make_subject: MakeSubject) -> Subject:
    """One instance of which nothing is made yet."""
    return make_subject()
