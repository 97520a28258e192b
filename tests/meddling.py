"""A cluster as the platform sees it, into which a test may meddle at any point between two calls."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any
from uuid import UUID

from fake_cluster import FakeCluster, seeds
from manifest_subject import NAMESPACE

from toygres.platforms.kubernetes.client import Cluster, Request
from toygres.platforms.kubernetes.labels import instance_id_of
from toygres.platforms.kubernetes.resources import OF_AN_INSTANCE
from toygres.platforms.kubernetes.trouble import Answer
from toygres.platforms.protocol import Target

Json = dict[str, Any]
SOMEBODY = UUID("0198c0de-9999-7000-8000-000000000009")


class Meddler(Cluster):
    """Sends everything as it is, after running whatever was ordered to happen before it."""

    def __init__(self, kubeconfig: str) -> None:
        super().__init__(kubeconfig=kubeconfig)
        self.sent: list[Request] = []
        self._ordered: list[tuple[str, str, Callable[[], object]]] = []

    def before(self, method: str, part: str, meddle: Callable[[], object]) -> None:
        """Run `meddle` before the next call of that method whose path has `part` in it; orders are kept in turn."""
        self._ordered.append((method, part, meddle))

    def send(self, request: Request, **options: Any) -> Answer:
        """As the platform's own."""
        if self._ordered:
            method, part, meddle = self._ordered[0]
            if request.method == method and part in request.path:
                self._ordered.pop(0)
                meddle()
        self.sent.append(request)
        return super().send(request, **options)

    def calls(self) -> list[str]:
        """`METHOD plural/name` of all calls so far."""
        return [f"{each.method} {'/'.join(each.path.split('/')[-2:])}" for each in self.sent]


@dataclass
class World:
    """The fake cluster, and the platform's view of it."""

    fake: FakeCluster
    cluster: Meddler
    namespace: str = NAMESPACE

    def get(self, kind: str, name: str) -> Json | None:
        """An object as it is stored."""
        return self.fake.get(kind, self.namespace, name)

    def await_end(self, instance_id: UUID) -> None:
        """Return once nothing of the instance is stored any more."""
        keys = ("pods", *(f"{each.plural}.{each.group}".strip(".") for each in OF_AN_INSTANCE))

        def gone() -> bool:
            found = [each for key in keys for each in self.fake.list(key, self.namespace)]
            return all(instance_id_of(each["metadata"]) != instance_id for each in found)

        self.fake.wait(gone)

    def uid(self, kind: str, name: str) -> str:
        """The UID of an object that is there."""
        found = self.get(kind, name)
        assert found is not None
        return str(found["metadata"]["uid"])

    def put(self, key: str, name: str, **value: Any) -> Json:
        """Let somebody else have made (or changed) an object, without the API."""
        metadata = {"name": name, "namespace": self.namespace, **value.pop("metadata", {})}
        return seeds.make(self.fake, key, {"metadata": metadata, **value})

    def edit(self, key: str, name: str, **metadata: Any) -> None:
        """Let somebody else change an object's metadata."""
        with self.fake.store.lock:
            found = self.fake.store.get(key, self.namespace, name)
            assert found is not None
            self.fake.store.put(key, found | {"metadata": found["metadata"] | metadata})

    def drop(self, key: str, name: str) -> None:
        """Let an object be gone at once."""
        with self.fake.store.lock:
            found = self.fake.store.get(key, self.namespace, name)
            assert found is not None
            self.fake.store.remove(key, found)

    def replaced(self, key: str, name: str) -> None:
        """Let an object be deleted and made again: the same, but another."""
        with self.fake.store.lock:
            found = self.fake.store.get(key, self.namespace, name)
            assert found is not None
            self.fake.store.remove(key, found)
            self.fake.store.put(key, found | {"metadata": found["metadata"] | {"uid": self.fake.uid()}})


def of_somebody(target: Target) -> Target:
    """A target of the same name that is another instance."""
    return replace(target, instance=replace(target.instance, id=SOMEBODY))
