"""Turns what servers of one major version say into the list of what may be set, and lists into files."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from tools.parameters.limits import LIMITS, Limit
from tools.parameters.rules import why_not
from tools.parameters.servers import Server, Setting

Entry = dict[str, Any]


def make(servers: Sequence[Server]) -> dict[str, Any]:
    """The list for the major version that all of `servers` have: what each of their builds takes.

    Raises ValueError when they contradict each other, LookupError when no rule judges a setting.
    """
    names = sorted({name for server in servers for name in server.settings})
    builds = {name: [server.settings[name] for server in servers if name in server.settings] for name in names}
    settings = {name: _common(builds[name]) for name in names}
    reasons = {name: why_not(setting) for name, setting in settings.items()}
    offered = [name for name in names if reasons[name] is None]
    for name in offered:
        _see_that_they_agree(builds[name], len(servers))
    return {
        "made_from": sorted(server.version for server in servers),
        "parameters": {name: _entry(settings[name], LIMITS.get(name)) for name in offered},
        "withheld": {name: reason for name, reason in reasons.items() if reason is not None},
    }


def differences(committed: Mapping[str, Any], made: Mapping[str, Any]) -> list[str]:
    """Where a kept list says other than one made of one server now; choices of its build alone are no matter."""
    told = []
    kept, found = committed["parameters"], made["parameters"]
    told += [f"{name} is only in the kept list" for name in kept if name not in found]
    told += [f"{name} is missing in the kept list" for name in found if name not in kept | committed["withheld"]]
    for name in sorted(kept.keys() & found.keys()):
        here, there = ({**entry, "choices": []} for entry in (kept[name], found[name]))
        unknown = set(kept[name].get("choices", ())) - set(found[name].get("choices", ()))
        if here != there or unknown:
            told.append(f"{name} is {kept[name]} in the kept list, and {found[name]} now")
    return told


def written(made: Mapping[str, Any]) -> str:
    """A list as its file holds it: one setting to a line, sorted."""
    parts = [f' "made_from": {json.dumps(made["made_from"])}']
    for part in ("parameters", "withheld"):
        lines = [f"  {json.dumps(name)}: {json.dumps(entry)}" for name, entry in sorted(made[part].items())]
        parts.append(f' "{part}": {{\n' + ",\n".join(lines) + "\n }")
    return "{\n" + ",\n".join(parts) + "\n}\n"


def write(folder: Path, servers: Sequence[Server]) -> list[Path]:
    """Write the list of each major version, and the time zones that all `servers` know; the files written."""
    files = []
    for major in sorted({server.major for server in servers}):
        file = folder / f"{major}.json"
        file.write_text(written(make([server for server in servers if server.major == major])), encoding="utf-8")
        files.append(file)
    file = folder / "timezones.json"
    names = frozenset.intersection(*(server.timezones for server in servers))
    file.write_text(json.dumps(sorted(names), indent=1) + "\n", encoding="utf-8")
    return [*files, file]


def _common(builds: Sequence[Setting]) -> Setting:
    """A setting with the choices that every build has."""
    first = builds[0]
    choices = tuple(choice for choice in first.choices if all(choice in other.choices for other in builds))
    return replace(first, choices=choices)


def _see_that_they_agree(builds: Sequence[Setting], count: int) -> None:
    if len(builds) < count:
        raise ValueError(f"not every build has {builds[0].name}")
    for other in builds[1:]:
        if replace(other, choices=()) != replace(builds[0], choices=()):
            raise ValueError(f"{other.name} differs between builds: {builds[0]} and {other}")


def _entry(setting: Setting, limit: Limit | None) -> Entry:
    limit = limit or Limit(note="")
    entry = {
        "type": setting.type,
        "unit": setting.unit,
        "minimum": setting.minimum if limit.least is None else str(limit.least),
        "maximum": setting.maximum if limit.most is None else str(limit.most),
        "also": list(limit.also),
        "multiple_of": str(limit.multiple_of or ""),
        "choices": [choice for choice in setting.choices if choice not in limit.without],
        "default": setting.default,
        "category": setting.category,
        "description": setting.description,
        "note": limit.note if limit != Limit(note=limit.note) and _narrows(setting, limit) else "",
    }
    return {**{key: value for key, value in entry.items() if value}, "restart": setting.context == "postmaster"}


def _narrows(setting: Setting, limit: Limit) -> bool:
    numbers = limit.least is not None or limit.most is not None or limit.multiple_of is not None
    return numbers or any(choice in setting.choices for choice in limit.without)
