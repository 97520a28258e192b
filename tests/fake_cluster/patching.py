"""Patches other than apply: merge, strategic merge and JSON patch, and who owns what they changed."""

from __future__ import annotations

from typing import Any

from fake_cluster import ownership, schema
from fake_cluster.answers import bad_request
from fake_cluster.ownership import Managers
from fake_cluster.store import copied

Json = dict[str, Any]


def merge(live: Any, patch: Any) -> Any:
    """JSON merge patch: null removes, lists are replaced."""
    if not isinstance(patch, dict):
        return copied(patch)
    result = dict(live) if isinstance(live, dict) else {}
    for key, part in patch.items():
        if part is None:
            result.pop(key, None)
        else:
            result[key] = merge(result.get(key), part)
    return result


def strategic(node: Json, live: Any, patch: Any) -> Any:
    """Strategic merge patch: as a merge, but lists with a merge key go item by item."""
    if isinstance(patch, dict):
        if patch.get("$patch") == "replace":
            return {key: part for key, part in patch.items() if key != "$patch"}
        result = dict(live) if isinstance(live, dict) else {}
        for key, part in patch.items():
            if part is None:
                result.pop(key, None)
            else:
                result[key] = strategic(schema.field(node, key), result.get(key), part)
        return result
    key = node.get("x-kubernetes-patch-merge-key")
    if isinstance(patch, list) and key and "merge" in node.get("x-kubernetes-patch-strategy", ""):
        return _by_merge_key(node, key, live or [], patch)
    return copied(patch)


def _by_merge_key(node: Json, key: str, live: list[Any], patch: list[Any]) -> list[Any]:
    result = list(live)
    for part in patch:
        at = next((i for i, item in enumerate(result) if item.get(key) == part.get(key)), None)
        if part.get("$patch") == "delete":
            if at is not None:
                del result[at]
        elif at is None:
            result.append(copied(part))
        else:
            result[at] = strategic(schema.item(node), result[at], part)
    return result


def json_patch(live: Json, operations: list[Json]) -> Json:
    """JSON patch: add, replace, remove and test."""
    result = copied(live)
    for operation in operations:
        parts = [part.replace("~1", "/").replace("~0", "~") for part in operation["path"].split("/")[1:]]
        here: Any = result
        for part in parts[:-1]:
            here = here[int(part)] if isinstance(here, list) else here[part]
        _do(operation, here, parts[-1])
    return result


def _do(operation: Json, here: Any, last: str) -> None:
    index: Any = (len(here) if last == "-" else int(last)) if isinstance(here, list) else last
    kind = operation["op"]
    if kind == "test":
        if (here[index] if isinstance(here, list) else here.get(index)) != operation["value"]:
            raise bad_request("the server rejected our request due to an error in our request: testing value failed")
    elif kind == "remove":
        del here[index]
    elif kind == "add" and isinstance(here, list):
        here.insert(index, copied(operation["value"]))
    else:
        here[index] = copied(operation["value"])


def credited(before: Json | None, after: Json, manager: str, time: str) -> Json:
    """`after` with what changed since `before` owned by `manager` (operation Update)."""
    kind = schema.of(after["apiVersion"], after["kind"])
    old = ownership.owned(kind, before) if before else {}
    new = ownership.owned(kind, after)
    changed = {path for path, value in new.items() if old.get(path, ...) != value}
    gone = set(old) - set(new)
    managers = Managers((before or {}).get("metadata", {}).get("managedFields", []))
    if not changed and not gone:
        return after | {"metadata": after["metadata"] | {"managedFields": managers.entries}}
    mine = managers.find(manager, "Update")
    paths = ((managers.paths(mine) if mine else set()) | changed) - gone
    managers.take(changed | gone, keep=mine)
    managers.set(manager, "Update", paths, after["apiVersion"], time)
    return after | {"metadata": after["metadata"] | {"managedFields": managers.entries}}
