"""Reading objects, and making those that are no instance's; what an instance's are applied with is in `applying`."""

from __future__ import annotations

import base64
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from toygres.platforms.kubernetes import resources
from toygres.platforms.kubernetes.client import Cluster, Request
from toygres.platforms.kubernetes.resources import Resource
from toygres.platforms.kubernetes.trouble import Answer

Object = dict[str, Any]

_PAGE = 250
_CREATED, _UNREADY, _ABSENT, _CONFLICT = 201, 400, 404, 409
# Keys of our Secrets that are no secrets; names in messages would be hidden with them.
_PLAIN_KEYS = frozenset({"user", "username", "database", "host", "port", "ca.crt", "tls.crt"})
_WARNING = re.compile(r'\d{3} \S+ "((?:[^"\\]|\\.)*)"')


@dataclass(frozen=True)
class Applied:
    """An object as the API server has it now, and what it warned of (`would violate PodSecurity …`)."""

    object: Object
    created: bool
    warnings: tuple[str, ...] = ()


def get(cluster: Cluster, resource: Resource, namespace: str | None, name: str) -> Object | None:
    """The object of that name, or None. Raises Refused, Unavailable."""
    doing = f"get {resource.kind} {name}"
    answer = cluster.send(Request(doing, "GET", resource.path(namespace, name)), also=(_ABSENT,))
    return answer.json() if answer.fine else None


def list_labelled(
    cluster: Cluster, resource: Resource, namespace: str | None, selector: str = "", fields: str = ""
) -> list[Object]:
    """Every object that the label selector (and the field selector) takes; all of them without one."""
    return [
        found for page in pages(cluster, resource, namespace, selector, fields) for found in page.get("items") or ()
    ]


def pages(
    cluster: Cluster, resource: Resource, namespace: str | None, selector: str = "", fields: str = ""
) -> Iterator[Object]:
    """The same list in pages as the API has them, so that never all of it is in memory at once."""
    more: str | None = None
    while more is None or more:
        answer = cluster.send(list_request(resource, namespace, selector, fields, more or ""))
        page = answer.json()
        more = str((page.get("metadata") or {}).get("continue") or "")
        yield page


def list_request(resource: Resource, namespace: str | None, selector: str, fields: str, more: str = "") -> Request:
    """The call for one page; `more` is where the page before said to go on."""
    given = {"labelSelector": selector, "fieldSelector": fields, "limit": str(_PAGE), "continue": more}
    query = tuple((name, value) for name, value in given.items() if value)
    return Request(f"list {resource.plural}", "GET", resource.path(namespace), query)


def create(cluster: Cluster, body: Mapping[str, Any], *, dry_run: bool = False) -> Applied | None:
    """Make an object that is no instance's (a service account, an access review); None when it is there already."""
    resource, metadata = resources.of(body), body.get("metadata") or {}
    doing = f"create {resource.named(metadata) if metadata else resource.kind}"
    query = (("dryRun", "All"),) if dry_run else ()
    path = resource.path(metadata.get("namespace"))
    answer = cluster.send(Request(doing, "POST", path, query, body), also=(_CONFLICT,), secrets=secrets_of(body))
    return applied(answer) if answer.fine else None


def log_of(cluster: Cluster, namespace: str, pod: str, lines: int, *, previous: bool = False) -> tuple[str, ...]:
    """The last lines of a pod's log, of its container before this one if `previous`; none where there is none."""
    query = (("tailLines", str(lines)), *((("previous", "true"),) if previous else ()))
    path = resources.PODS.path(namespace, pod, "log")
    asked = Request(f"get log of Pod {pod}", "GET", path, query, accept="text/plain, */*")
    answer = cluster.send(asked, also=(_UNREADY, _ABSENT))
    return tuple(answer.body.decode(errors="replace").splitlines()) if answer.fine else ()


def address_of(cluster: Cluster, namespace: str, pod: str) -> str | None:
    """Where a pod is, when that is known. Raises Refused, Unavailable."""
    found = get(cluster, resources.PODS, namespace, pod)
    address = ((found or {}).get("status") or {}).get("podIP")
    return str(address) if address else None


def held_by(metadata: Mapping[str, Any]) -> str:
    """What keeps an object that is being deleted, as the end of a sentence; empty when nothing does."""
    finalizers = ", ".join(metadata.get("finalizers") or ())
    return f" (kept by its finalizer {finalizers})" if finalizers else ""


def applied(answer: Answer) -> Applied:
    """What a successful write gave."""
    warned = _WARNING.findall(answer.headers.get("warning", ""))
    return Applied(answer.json(), answer.status == _CREATED, tuple(re.sub(r"\\(.)", r"\1", text) for text in warned))


def secrets_of(body: Mapping[str, Any]) -> tuple[str, ...]:
    """What mustn't be in any message: a Secret's values, as sent and as meant."""
    if body.get("kind") != "Secret":
        return ()
    sent = [str(value) for key, value in (body.get("data") or {}).items() if key not in _PLAIN_KEYS]
    return (*sent, *(base64.b64decode(value).decode(errors="ignore") for value in sent))
