"""The rights that Toygres uses in a cluster, and no others: what the Roles of `deploy/` give and `doctor` asks for.

An apply needs `patch`, and `create` where the object is absent; `get` is for the look before it, `list` for finding
objects by label. Objects are deleted by name, one at a time: `deletecollection` isn't needed. Discovery, the version
and access reviews need no rights.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Right:
    """What may be done to one kind of object; a part of one is written `pods/log`."""

    group: str
    resource: str
    verbs: tuple[str, ...]

    def __str__(self) -> str:
        """As a person reads it: `get, list pods`, `patch statefulsets.apps`."""
        return f"{', '.join(self.verbs)} {self.resource}{f'.{self.group}' if self.group else ''}"

    def rule(self) -> dict[str, list[str]]:
        """The same as a rule of a Role."""
        return {"apiGroups": [self.group], "resources": [self.resource], "verbs": list(self.verbs)}

    def each(self) -> Iterator[Right]:
        """One right for each verb."""
        return (Right(self.group, self.resource, (verb,)) for verb in self.verbs)


_KEPT = ("create", "delete", "get", "list", "patch")
_WATCHED = (*_KEPT, "watch")

# In each namespace with instances, `get` on the namespace itself included: a Role in it can give that.
WORKER = (
    Right("", "configmaps", _KEPT),
    Right("", "events", ("list", "watch")),
    Right("", "namespaces", ("get",)),
    Right("", "persistentvolumeclaims", _WATCHED),
    Right("", "pods", ("get", "list", "watch")),
    Right("", "pods/log", ("get",)),
    Right("", "pods/portforward", ("create", "get")),
    Right("", "secrets", _KEPT),
    Right("", "serviceaccounts", ("create", "get")),
    Right("", "services", _WATCHED),
    Right("apps", "statefulsets", _WATCHED),
    Right("networking.k8s.io", "networkpolicies", _KEPT),
)

# The web process only hands credentials out.
WEB = (Right("", "secrets", ("get",)),)

# In the whole cluster, and only where Toygres is to make the projects' namespaces.
NAMESPACES = (Right("", "namespaces", ("create", "get")),)


def rules(rights: Sequence[Right]) -> list[dict[str, list[str]]]:
    """The rules of a Role that gives exactly these rights."""
    return [right.rule() for right in rights]


def review(right: Right, namespace: str | None) -> dict[str, object]:
    """The access review that asks for a right of one verb, in the namespace or (None) in the whole cluster."""
    resource, _, part = right.resource.partition("/")
    attributes = {
        "namespace": namespace,
        "verb": right.verbs[0],
        "group": right.group,
        "resource": resource,
        "subresource": part,
    }
    return {
        "apiVersion": "authorization.k8s.io/v1",
        "kind": "SelfSubjectAccessReview",
        "spec": {"resourceAttributes": {name: value for name, value in attributes.items() if value}},
    }
