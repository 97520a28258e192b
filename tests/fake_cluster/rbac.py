"""Rights by the Roles and bindings that are stored, for a service account."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from fake_cluster.store import Store

Json = dict[str, Any]
_GROUP = "rbac.authorization.k8s.io"


class Bound(Mapping[str, Sequence[Any]]):
    """The rules that bindings give a service account, by namespace (`*`: everywhere), as they are now."""

    def __init__(self, store: Store, namespace: str, name: str) -> None:
        self._store = store
        self._account = (namespace, name)

    def __getitem__(self, namespace: str) -> Sequence[Any]:
        if namespace == "*":
            return self._rules(self._store.list(f"clusterrolebindings.{_GROUP}"), "")
        return self._rules(self._store.list(f"rolebindings.{_GROUP}", namespace), namespace)

    def __iter__(self) -> Iterator[str]:
        return iter(())

    def __len__(self) -> int:
        return 0

    def _rules(self, bindings: list[Json], namespace: str) -> list[Any]:
        found = []
        for binding in bindings:
            if any(self._is_me(subject, namespace) for subject in binding.get("subjects") or []):
                found += self._of_role(binding["roleRef"], namespace)
        return found

    def _is_me(self, subject: Json, namespace: str) -> bool:
        if subject["kind"] != "ServiceAccount":
            return bool(subject["name"] == f"system:serviceaccount:{':'.join(self._account)}")
        return (subject.get("namespace", namespace), subject["name"]) == self._account

    def _of_role(self, reference: Json, namespace: str) -> list[Any]:
        if reference["kind"] == "ClusterRole":
            role = self._store.get(f"clusterroles.{_GROUP}", "", reference["name"])
        else:
            role = self._store.get(f"roles.{_GROUP}", namespace, reference["name"])
        return list((role or {}).get("rules") or [])
