"""A fake cluster and the official client, with a namespace to work in."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from fake_cluster import FakeCluster, objects
from fake_cluster.fixtures import connected

Json = dict[str, Any]
NAMESPACE = "toy"


class User:
    """One who calls the API through the official client."""

    def __init__(self, dynamic: Any) -> None:
        self.dynamic = dynamic

    def of(self, kind: str, api_version: str = "") -> Any:
        """The resource of a kind."""
        found = {"StatefulSet": "apps/v1", "StorageClass": "storage.k8s.io/v1"}
        return self.dynamic.resources.get(api_version=api_version or found.get(kind, "v1"), kind=kind)

    def apply(self, body: Json, manager: str = "toygres", **more: Any) -> Json:
        """Server-side apply."""
        resource = self.of(body["kind"])
        applied = resource.server_side_apply(body=body, namespace=NAMESPACE, field_manager=manager, **more)
        return applied.to_dict()

    def delete(self, kind: str, name: str, **options: Any):
        """Delete by name."""
        body = {"apiVersion": "v1", "kind": "DeleteOptions"} | options
        self.of(kind).delete(name=name, namespace=NAMESPACE, body=body)

    def patch(self, kind: str, name: str, body: Json, form: str = "merge") -> Json:
        """Patch in one of its forms."""
        content_type = f"application/{form}-patch+json"
        resource = self.of(kind)
        return resource.patch(name=name, namespace=NAMESPACE, body=body, content_type=content_type).to_dict()


@pytest.fixture
def by_hand() -> Iterator[FakeCluster]:
    """A cluster in which nothing happens until its clock is advanced."""
    with FakeCluster(by_hand=True) as made:
        yield made


@pytest.fixture
def user(by_hand: FakeCluster, tmp_path: Path) -> Iterator[User]:
    """The one who may do everything; the namespace is there."""
    with connected(by_hand.kubeconfig(tmp_path / "kubeconfig")) as dynamic:
        made = User(dynamic)
        made.of("Namespace").create(body=objects.namespace(NAMESPACE))
        by_hand.clock.advance(1)
        yield made
