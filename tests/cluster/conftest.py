"""Tests on the cluster of TOYGRES_TEST_KUBECONFIG, in namespaces of their own; on a fake one where it isn't set."""

from __future__ import annotations

import os
import subprocess
import sys
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
    """On a real cluster images may have to be pulled first."""
    if os.environ.get(VARIABLE):
        for item in items:
            if item.get_closest_marker("cluster"):
                item.add_marker(pytest.mark.timeout(600))


@pytest.fixture(scope="module")
def kubeconfig(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """That of the cluster to test on."""
    if given := os.environ.get(VARIABLE):
        yield Path(given).absolute()
        return
    path = tmp_path_factory.mktemp("kube") / "kubeconfig"
    folders = os.pathsep.join(str(Path(__file__).parents[up]) for up in (1, 2))
    # In a process of its own, as a real one is: nothing of ours is in its memory.
    with subprocess.Popen(
        [sys.executable, "-m", "fake_cluster", path, "--real"],
        env={**os.environ, "PYTHONPATH": folders},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    ) as fake:
        assert fake.stdout is not None
        assert fake.stdout.readline().startswith(b"http://")
        yield path
        # It runs until its input ends.
        fake.communicate(timeout=_END_SECONDS)
    assert fake.returncode == 0


@pytest.fixture(scope="module")
def module_database(metadata_server: Server) -> Iterator[str]:
    """A metadata DB of the module's own."""
    url = metadata_server.fresh()
    yield url
    metadata_server.drop(url)


@pytest.fixture(scope="module")
def place(module_database: str, kubeconfig: Path) -> Iterator[Place]:
    """A control plane with one worker; its namespace enforces `restricted`, and is removed afterwards."""
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
