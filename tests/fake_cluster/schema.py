"""The published schema of the API: which fields exist, how lists merge, and what is of a wrong type."""

from __future__ import annotations

import functools
import json
from importlib import resources as package_resources
from typing import Any

Json = dict[str, Any]
_VERSION = "v1.36.0-local"
_TYPES: dict[str, type | tuple[type, ...]] = {
    "string": str,
    "integer": int,
    "number": (int, float),
    "boolean": bool,
    "object": dict,
    "array": list,
}


@functools.cache
def _definitions() -> Json:
    folder = package_resources.files("kubernetes_validate") / "kubernetes-json-schema" / _VERSION
    return json.loads((folder / "_definitions.json").read_text())["$defs"]


@functools.cache
def _by_kind() -> dict[tuple[str, str], Json]:
    found = {}
    for definition in _definitions().values():
        for kind in definition.get("x-kubernetes-group-version-kind", []):
            version = f"{kind['group']}/{kind['version']}" if kind["group"] else kind["version"]
            found[version, kind["kind"]] = definition
    return found


def of(api_version: str, kind: str) -> Json:
    """The schema of a kind; one that says nothing when it is unknown."""
    return _by_kind().get((api_version, kind), {})


def resolved(node: Json | None) -> Json:
    """`node` itself or what it refers to, which keeps what is said beside the reference."""
    node = node or {}
    if "$ref" not in node:
        return node
    return _definitions()[node["$ref"].rsplit("/", 1)[1]] | {key: node[key] for key in node if key.startswith("x-")}


def field(node: Json, name: str) -> Json:
    """The schema of a field or of a map's value."""
    properties = node.get("properties", {})
    if name in properties:
        return resolved(properties[name])
    more = node.get("additionalProperties")
    return resolved(more) if isinstance(more, dict) else {}


def item(node: Json) -> Json:
    """The schema of a list's items."""
    return resolved(node.get("items"))


def list_keys(node: Json) -> list[str]:
    """The fields that tell a list's items apart; empty when the list is replaced as a whole."""
    return node.get("x-kubernetes-list-map-keys", []) if node.get("x-kubernetes-list-type") == "map" else []


def is_set(node: Json) -> bool:
    """Whether a list is a set of scalars."""
    return node.get("x-kubernetes-list-type") == "set"


def is_atomic(node: Json) -> bool:
    """Whether an object is replaced as a whole."""
    return node.get("x-kubernetes-map-type") == "atomic"


def problems(node: Json, value: Any, path: str = "") -> list[tuple[str, str]]:
    """Every unknown field and wrong type below `value`, as (path, what is wrong)."""
    wrong = _wrong_type(node, value)
    if wrong:
        return [(path, wrong)]
    if isinstance(value, dict):
        return _problems_of_fields(node, value, path)
    if isinstance(value, list):
        items = item(node)
        return [found for i, part in enumerate(value) for found in problems(items, part, f"{path}[{i}]")]
    return []


def _problems_of_fields(node: Json, value: Json, path: str) -> list[tuple[str, str]]:
    if "properties" not in node and not isinstance(node.get("additionalProperties"), dict):
        return []
    found = []
    for name, part in value.items():
        if "properties" in node and name not in node["properties"]:
            found.append((f"{path}.{name}", "field not declared in schema"))
        else:
            found += problems(field(node, name), part, f"{path}.{name}")
    return found


def missing(node: Json, value: Any, path: str = "") -> list[str]:
    """Every required field that isn't there, below what is."""
    if isinstance(value, list):
        return [found for i, part in enumerate(value) for found in missing(item(node), part, f"{path}[{i}]")]
    if not isinstance(value, dict):
        return []
    found = [f"{path}.{name}" for name in node.get("required", []) if name not in value]
    for name, part in value.items():
        found += missing(field(node, name), part, f"{path}.{name}")
    return found


def _wrong_type(node: Json, value: Any) -> str:
    declared = node.get("type")
    if declared is None or value is None:
        return ""
    names = [name for name in ([declared] if isinstance(declared, str) else declared) if name != "null"]
    fits = any(isinstance(value, _TYPES[name]) and (name == "boolean" or value is not True) for name in names)
    fits = fits and not (isinstance(value, bool) and "boolean" not in names)
    return "" if fits or not names else f"expected {names[0]}, got {json.dumps(value)}"
