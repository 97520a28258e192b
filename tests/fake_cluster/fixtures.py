"""Fixtures: import those you need into your conftest (`from fake_cluster.fixtures import cluster, kubeconfig`)."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from fake_cluster.cluster import FakeCluster

if TYPE_CHECKING:
    from kubernetes.dynamic import DynamicClient


@pytest.fixture
def cluster() -> Iterator[FakeCluster]:
    """A cluster whose controllers act fifty times as fast as the recorded one's."""
    with FakeCluster() as made:
        yield made


@pytest.fixture
def kubeconfig(cluster: FakeCluster, tmp_path: Path) -> Path:
    """A kubeconfig of the one who may do everything."""
    return cluster.kubeconfig(tmp_path / "kubeconfig")


@pytest.fixture
def dynamic(kubeconfig: Path) -> Iterator[DynamicClient]:
    """The official client, talking to the cluster."""
    with connected(kubeconfig) as client:
        yield client


class connected:  # noqa: N801
    """A DynamicClient for a kubeconfig within a `with` block; nothing is retried behind one's back."""

    def __init__(self, kubeconfig: Path) -> None:
        self._kubeconfig = kubeconfig

    def __enter__(self) -> DynamicClient:
        from kubernetes import client, config
        from kubernetes.dynamic import DynamicClient

        configuration = client.Configuration()
        config.load_kube_config(str(self._kubeconfig), client_configuration=configuration)
        configuration.retries = False
        self._api = client.ApiClient(configuration)
        return DynamicClient(self._api, cache_file=f"{self._kubeconfig}.discovery")

    def __exit__(self, *_: object) -> None:
        self._api.close()
        self._api.rest_client.pool_manager.clear()
