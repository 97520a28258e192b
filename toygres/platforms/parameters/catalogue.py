"""The parameters of each major version, from the files that `python -m tools.parameters` makes of real servers."""

from __future__ import annotations

import functools
import json
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from types import MappingProxyType
from typing import Any

from toygres.platforms.parameters.figures import shown
from toygres.platforms.protocol import Parameter

FOLDER = Path(__file__).parent
VERSIONS = tuple(sorted((file.stem for file in FOLDER.glob("[0-9]*.json")), key=int))


def parameters(version: str, defaults: Mapping[str, str] = MappingProxyType({})) -> Mapping[str, Parameter]:
    """What may be set for PostgreSQL `version`, by lower-case name; nothing when there is no list for it.

    `defaults` are those of a platform's own, by name, where they differ from PostgreSQL's.
    """
    found = _parameters(version)
    own = {name: replace(found[name], default=value) for name, value in defaults.items() if name in found}
    return MappingProxyType({**found, **own}) if own else found


def why_withheld(version: str, name: str) -> str | None:
    """Why a setting of PostgreSQL `version` may not be set, as a sentence's end; None when there is none so called."""
    return _file(version).get("withheld", {}).get(name) if version in VERSIONS else None


def made_from(version: str) -> tuple[str, ...]:
    """The exact versions of the servers that the list for `version` was made from."""
    return tuple(_file(version).get("made_from", ()))


def withheld(version: str) -> Mapping[str, str]:
    """Every setting that may not be set, with the reason as a sentence's end."""
    return MappingProxyType(_file(version).get("withheld", {}))


@functools.cache
def _parameters(version: str) -> Mapping[str, Parameter]:
    found = _file(version).get("parameters", {})
    return MappingProxyType({name: _parameter(name, entry) for name, entry in found.items()})


@functools.cache
def _file(version: str) -> dict[str, Any]:
    if version not in VERSIONS:
        return {}
    found: dict[str, Any] = json.loads((FOLDER / f"{version}.json").read_text(encoding="utf-8"))
    return found


def _parameter(name: str, entry: Mapping[str, Any]) -> Parameter:
    lists = {key: tuple(entry.get(key, ())) for key in ("choices", "also")}
    default = shown(entry.get("default", ""), entry.get("unit", ""))
    return Parameter(name=name, **{**entry, **lists, "default": default})
