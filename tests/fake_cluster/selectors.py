"""Label selectors and field selectors, as a query asks for them."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

from fake_cluster.answers import bad_request

Json = dict[str, Any]
Test = Callable[[Json], bool]

_EVERYWHERE = ("metadata.name", "metadata.namespace")
_FIELDS = {
    "events": (
        *("type", "reason", "reportingComponent", "source"),
        *(f"involvedObject.{part}" for part in ("kind", "namespace", "name", "uid", "apiVersion", "fieldPath")),
    ),
    "pods": ("spec.nodeName", "spec.restartPolicy", "spec.serviceAccountName", "status.phase", "status.podIP"),
    "secrets": ("type",),
    "namespaces": ("status.phase",),
}


def by_labels(selector: str) -> Test:
    """The test that `labelSelector` stands for."""
    tests = [_requirement(part.strip()) for part in _split(selector) if part.strip()]
    return lambda value: all(test(value["metadata"].get("labels") or {}) for test in tests)


def by_fields(resource: str, selector: str) -> Test:
    """The test that `fieldSelector` stands for; a field that can't be selected by is refused."""
    tests = [_field(resource, part) for part in selector.split(",") if part]
    return lambda value: all(test(value) for test in tests)


def matches(selector: Json | None, labels: Json) -> bool:
    """Whether a `LabelSelector` object takes `labels`."""
    selector = selector or {}
    wanted = selector.get("matchLabels") or {}
    if any(labels.get(key) != value for key, value in wanted.items()):
        return False
    return all(_expression(item)(labels) for item in selector.get("matchExpressions") or [])


def _split(selector: str) -> list[str]:
    return re.split(r",(?![^(]*\))", selector)


def _requirement(part: str) -> Test:
    if found := re.fullmatch(r"(\S+)\s+(in|notin)\s+\(([^)]*)\)", part):
        key, operator, values = found[1], found[2], {value.strip() for value in found[3].split(",")}
        if operator == "in":
            return lambda labels: labels.get(key) in values
        return lambda labels: labels.get(key) not in values
    if "!=" in part:
        key, value = (side.strip() for side in part.split("!=", 1))
        return lambda labels: labels.get(key) != value
    if "=" in part:
        key, value = (side.strip() for side in re.split("==?", part, maxsplit=1))
        return lambda labels: labels.get(key) == value
    if part.startswith("!"):
        return lambda labels: part[1:] not in labels
    if not re.fullmatch(r"[A-Za-z0-9][-A-Za-z0-9_./]*", part):
        raise bad_request(f'unable to parse requirement: found "{part}", expected: identifier')
    return lambda labels: part in labels


def _expression(item: Json) -> Test:
    key, values = item["key"], set(item.get("values") or [])
    return {
        "In": lambda labels: labels.get(key) in values,
        "NotIn": lambda labels: labels.get(key) not in values,
        "Exists": lambda labels: key in labels,
        "DoesNotExist": lambda labels: key not in labels,
    }[item["operator"]]


def _field(resource: str, part: str) -> Test:
    found = re.fullmatch(r"([^=!]+)(!)?==?(.*)", part)
    if found is None:
        raise bad_request(f'invalid selector: "{part}"; can\'t understand it')
    key, differs, value = found.groups()
    if key not in _EVERYWHERE + _FIELDS.get(resource, ()):
        raise bad_request(f'"{key}" is not a known field selector: only "metadata.name", "metadata.namespace"')
    return lambda candidate: (_at(candidate, key) == value) != bool(differs)


def _at(value: Json, path: str) -> str:
    here: Any = value.get("source", {}).get("component", "") if path == "source" else value
    for part in path.split(".") if path != "source" else ():
        here = here.get(part) if isinstance(here, dict) else None
    return "" if here is None else str(here)
