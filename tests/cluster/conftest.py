"""Tests on the cluster of TOYGRES_TEST_KUBECONFIG, in namespaces of their own; deselected where it isn't set."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Protocol
from uuid import uuid4

import pytest
from making_on_cluster import own_home, running
from making_place import Place
from waiting_until import until

from toygres.platforms.kubernetes.client import Cluster, Request
from toygres.platforms.kubernetes.resources import NAMESPACES

VARIABLE = "TOYGRES_TEST_KUBECONFIG"
_END_SECONDS = 180.0


class Server(Protocol):
    """What makes metadata DBs."""

    def fresh(self) -> str: ...
    def drop(self, url: str) -> None: ...


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Without a cluster there is nothing to test on; with one, images may have to be pulled first."""
    on_cluster = [item for item in items if item.get_closest_marker("cluster")]
    for item in on_cluster:
        item.add_marker(pytest.mark.timeout(600))
    if not os.environ.get(VARIABLE):
        config.hook.pytest_deselected(items=on_cluster)
        items[:] = [item for item in items if item not in on_cluster]


@pytest.fixture(scope="module")
def module_database(metadata_server: Server) -> Iterator[str]:
    """A metadata DB of the module's own."""
    url = metadata_server.fresh()
    yield url
    metadata_server.drop(url)


@pytest.fixture(scope="module")
def place(module_database: str) -> Iterator[Place]:
    """A control plane with one worker; its namespace enforces `restricted`, and is removed afterwards."""
    kubeconfig = Path(os.environ[VARIABLE]).absolute()
    cluster, namespace = Cluster(kubeconfig=str(kubeconfig)), f"toygres-test-{uuid4().hex[:8]}"
    labels = {"pod-security.kubernetes.io/enforce": "restricted"}
    body = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": namespace, "labels": labels}}
    cluster.send(Request(f"create {namespace}", "POST", NAMESPACES.path(), body=body))
    try:
        with own_home() as home:
            variables = {
                "TOYGRES_NAMESPACE": namespace,
                "TOYGRES_KUBE_IMAGES": '{"14": "registry.invalid/toygres/none:1"}',
            }

            def make(*parts: Any, **more: Any) -> Place:
                return Place(*parts, cluster=cluster, namespace=namespace, **more)

            with running(make, home, kubeconfig, module_database, **variables) as made:
                made.start_worker()
                yield made
    finally:
        cluster.send(Request(f"delete {namespace}", "DELETE", NAMESPACES.path(name=namespace)), also=(404,))
        until(lambda: cluster.identity(namespace) is None, _END_SECONDS)
