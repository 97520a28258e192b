"""Server-side apply: whose field is whose, conflicts, and the object that comes out."""

from __future__ import annotations

import json
from typing import Any

from fake_cluster import ownership, schema
from fake_cluster.answers import Refusal
from fake_cluster.ownership import ITEM, Fields, Managers, Path
from fake_cluster.store import copied

Json = dict[str, Any]


def applied(live: Json | None, body: Json, manager: str, time: str, *, force: bool) -> Json:
    """The object after `manager` applied `body`; `live` is None when there is none yet.

    Raises Refusal 409 with `FieldManagerConflict` for fields that others own and that differ.
    """
    kind = schema.of(body["apiVersion"], body["kind"])
    wanted = ownership.owned(kind, body)
    managers = Managers(live["metadata"].get("managedFields", []) if live else [])
    mine = managers.find(manager, "Apply")
    conflicts = _conflicts(managers, mine, wanted, ownership.owned(kind, live) if live else {})
    if conflicts and not force:
        raise _refused(conflicts)
    for entry, paths in conflicts:
        managers.take(paths & managers.paths(entry), keep=mine)
    given_up = (managers.paths(mine) if mine else set()) - set(wanted)
    held = {path for entry in managers.entries if entry is not mine for path in managers.paths(entry)}
    result = copied(live) if live else {}
    for path in sorted(given_up - held, key=len, reverse=True):
        _drop(result, kind, path)
    result = merged(kind, result, _without_bookkeeping(body))
    managers.set(manager, "Apply", set(wanted), body["apiVersion"], time)
    result["metadata"]["managedFields"] = managers.entries
    return result


def merged(node: Json, live: Any, wanted: Any) -> Any:
    """`wanted` laid over `live`, lists by their keys."""
    if isinstance(live, dict) and isinstance(wanted, dict) and not schema.is_atomic(node):
        parts = {key: merged(schema.field(node, key), live.get(key), part) for key, part in wanted.items()}
        return live | parts
    if isinstance(live, list) and isinstance(wanted, list) and schema.list_keys(node):
        by_key = {ownership.item_key(node, part): part for part in live}
        for part in wanted:
            key = ownership.item_key(node, part)
            by_key[key] = merged(schema.item(node), by_key[key], part) if key in by_key else part
        return list(by_key.values())
    if isinstance(live, list) and isinstance(wanted, list) and schema.is_set(node):
        return live + [part for part in wanted if part not in live]
    return copied(wanted)


def _conflicts(managers: Managers, mine: Json | None, wanted: Fields, live: Fields) -> list[tuple[Json, set[Path]]]:
    found = []
    for entry in managers.entries:
        if entry is mine:
            continue
        paths = {path for path in managers.paths(entry) & set(wanted) if live.get(path, ...) != wanted[path]}
        if paths:
            found.append((entry, paths))
    return found


def _refused(conflicts: list[tuple[Json, set[Path]]]) -> Refusal:
    told = [(_name(entry), ownership.told(path)) for entry, paths in conflicts for path in sorted(paths)]
    causes = [
        {"reason": "FieldManagerConflict", "message": f"conflict with {name}", "field": field} for name, field in told
    ]
    if len(told) == 1:
        message = f"Apply failed with 1 conflict: conflict with {told[0][0]}: {told[0][1]}"
    else:
        parts = []
        for entry, paths in conflicts:
            fields = "".join(f"\n- {ownership.told(path)}" for path in sorted(paths))
            parts.append(f"conflicts with {_name(entry)}:{fields}")
        message = f"Apply failed with {len(told)} conflicts: " + "\n".join(parts)
    return Refusal(409, "Conflict", message, details={"causes": causes})


def _name(entry: Json) -> str:
    name = json.dumps(entry["manager"])
    if entry["operation"] == "Apply":
        return name
    where = f' with subresource "{entry["subresource"]}"' if entry.get("subresource") else ""
    return f"{name}{where} using {entry['apiVersion']} at {entry['time']}"


def _without_bookkeeping(body: Json) -> Json:
    metadata = {key: part for key, part in body["metadata"].items() if key not in {"managedFields", "resourceVersion"}}
    return body | {"metadata": metadata}


def _drop(value: Json, node: Json, path: Path) -> None:
    here: Any = value
    for i, part in enumerate(path):
        last = i == len(path) - 1
        if part == ITEM:
            return
        if part.startswith("f:"):
            key = part[2:]
            if not isinstance(here, dict) or key not in here:
                return
            if last:
                del here[key]
                return
            node, here = schema.field(node, key), here[key]
        else:
            found = _item_at(node, here, part)
            if found is None:
                return
            if last or path[i + 1] == ITEM:
                here.remove(found)
                return
            node, here = schema.item(node), found


def _item_at(node: Json, items: Any, part: str) -> Any:
    if not isinstance(items, list):
        return None
    for candidate in items:
        name = ownership.item_key(node, candidate) if part.startswith("k:") else f"v:{json.dumps(candidate)}"
        if name == part:
            return candidate
    return None
