"""Sets of owned fields (`managedFields`): read from an object, written as FieldsV1, compared."""

from __future__ import annotations

import json
from typing import Any

from fake_cluster import schema

Json = dict[str, Any]
Path = tuple[str, ...]
Fields = dict[Path, Any]

_UNOWNED = {"apiVersion", "kind", "status"}
_UNOWNED_METADATA = {
    *("name", "namespace", "uid", "resourceVersion", "creationTimestamp", "generation", "managedFields", "selfLink"),
    *("deletionTimestamp", "deletionGracePeriodSeconds", "generateName"),
}
ITEM = "."


def owned(kind_schema: Json, value: Json) -> Fields:
    """The fields of an object that somebody can own, with their values."""
    top = {key: part for key, part in value.items() if key not in _UNOWNED}
    metadata = {key: part for key, part in (value.get("metadata") or {}).items() if key not in _UNOWNED_METADATA}
    top["metadata"] = metadata
    found: Fields = {}
    for key, part in top.items():
        if part or key != "metadata":
            _collect(schema.field(kind_schema, key), part, (f"f:{key}",), found)
    return found


def _collect(node: Json, value: Any, path: Path, found: Fields) -> None:
    if isinstance(value, dict) and value and not schema.is_atomic(node):
        for key, part in value.items():
            _collect(schema.field(node, key), part, (*path, f"f:{key}"), found)
    elif isinstance(value, list) and value and schema.list_keys(node):
        for part in value:
            here = (*path, item_key(node, part))
            found[(*here, ITEM)] = None
            _collect(schema.item(node), part, here, found)
    elif isinstance(value, list) and value and schema.is_set(node):
        for part in value:
            found[(*path, f"v:{json.dumps(part)}")] = part
    else:
        found[path] = value


def item_key(node: Json, part: Json) -> str:
    """How a list's item is named in a path."""
    keys = schema.list_keys(node)
    named = {key: part.get(key, "TCP" if key == "protocol" else None) for key in keys}
    return "k:" + json.dumps({key: value for key, value in named.items() if value is not None}, separators=(",", ":"))


def to_fields_v1(paths: set[Path]) -> Json:
    """The nested form of a set of paths."""
    root: Json = {}
    for path in sorted(paths):
        here = root
        for part in path:
            here = here.setdefault(part, {})
    return root


def from_fields_v1(fields: Json, path: Path = ()) -> set[Path]:
    """The set of paths of a nested form."""
    found: set[Path] = set()
    for key, below in fields.items():
        found |= from_fields_v1(below, (*path, key)) if below else {(*path, key)}
    return found


def told(path: Path) -> str:
    """A path as the API server writes it in a message."""
    text = ""
    for part in path:
        if part == ITEM:
            continue
        kind, _, rest = part.partition(":")
        if kind == "f":
            text += f".{rest}"
        elif kind == "k":
            keys = ",".join(f"{key}={json.dumps(value)}" for key, value in json.loads(rest).items())
            text += f"[{keys}]"
        else:
            text += f"[={rest}]"
    return text


class Managers:
    """Who owns what of one object."""

    def __init__(self, managed: list[Json]) -> None:
        self.entries = [dict(entry) for entry in managed]

    def paths(self, entry: Json) -> set[Path]:
        return from_fields_v1(entry.get("fieldsV1", {}))

    def find(self, manager: str, operation: str) -> Json | None:
        """The entry of a manager; those of subresources are apart."""
        for entry in self.entries:
            if (entry["manager"], entry["operation"], entry.get("subresource", "")) == (manager, operation, ""):
                return entry
        return None

    def set(self, manager: str, operation: str, paths: set[Path], api_version: str, time: str) -> None:
        """Let a manager own exactly `paths`; an unchanged entry keeps its time."""
        entry = self.find(manager, operation)
        if entry is not None and self.paths(entry) == paths:
            return
        if entry is not None:
            self.entries.remove(entry)
        if paths:
            made = {"manager": manager, "operation": operation, "apiVersion": api_version, "time": time}
            self.entries.append(made | {"fieldsType": "FieldsV1", "fieldsV1": to_fields_v1(paths)})

    def take(self, paths: set[Path], *, keep: Json | None = None) -> None:
        """Take `paths` away from everybody but `keep`."""
        for entry in list(self.entries):
            left = self.paths(entry) - paths
            if entry is keep or len(left) == len(self.paths(entry)):
                continue
            self.entries.remove(entry)
            if left:
                self.entries.append(entry | {"fieldsV1": to_fields_v1(left)})
