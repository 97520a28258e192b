"""Asks a PostgreSQL server what it says of its settings, in both of its ways, and sees that they agree."""

from __future__ import annotations

import json
import re
import secrets
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from toygres.platforms.local import template
from toygres.platforms.local.commands import run
from toygres.platforms.local.place import Place

_SECONDS = 60.0
_SETTINGS = (
    "SELECT json_build_object('name', lower(name), 'type', vartype, 'unit', coalesce(unit, ''),"
    " 'minimum', coalesce(min_val, ''), 'maximum', coalesce(max_val, ''), 'choices', coalesce(enumvals, '{}'),"
    " 'context', context, 'category', category, 'description', short_desc, 'default', coalesce(boot_val, ''))"
    " AS told FROM pg_settings"
)
_TIMEZONES = "SELECT to_json(name) AS told FROM pg_timezone_names"
_SINGLE = ("--single", "-F", "-c", "exit_on_error=on", "-c", "log_min_messages=fatal")
_TOLD = re.compile(r'^\s*1: told = "(.*)"\s\(typeid', re.MULTILINE)
_TYPES = {"BOOLEAN": "bool", "INTEGER": "integer", "REAL": "real", "ENUM": "enum", "STRING": "string"}


@dataclass(frozen=True, kw_only=True)
class Setting:
    """One setting, as pg_settings has it; `in_sample` says that `--describe-config` lists it as well.

    What that leaves out is meant for developers, preset, or can't stand in a file.
    """

    name: str
    type: str
    unit: str
    minimum: str
    maximum: str
    choices: tuple[str, ...]
    context: str
    category: str
    description: str
    default: str
    in_sample: bool


@dataclass(frozen=True, kw_only=True)
class Server:
    """What one server says: its exact version, its settings by lower-case name, and the time zones it knows."""

    version: str
    settings: Mapping[str, Setting]
    timezones: frozenset[str]

    @property
    def major(self) -> str:
        """18 of 18.6."""
        return re.split(r"\D", self.version, maxsplit=1)[0]


def ask(place: Place, binaries: Path) -> Server:
    """What the server in the `bin` folder `binaries` says, from a throw-away cluster in `place`.

    Raises CommandFailed and Unavailable when it can't be run, ValueError when it contradicts itself.
    """
    said = run(place, [binaries / "postgres", "--version"], seconds=_SECONDS)
    described = _described(run(place, [binaries / "postgres", "--describe-config"], seconds=_SECONDS))
    with _cluster(place, binaries) as data:
        rows, timezones = (_query(place, binaries, data, statement) for statement in (_SETTINGS, _TIMEZONES))
    settings = {}
    for found in rows:
        setting = Setting(**{**found, "choices": tuple(found["choices"])}, in_sample=found["name"] in described)
        if setting.in_sample:
            _compare(setting, described.pop(setting.name))
        settings[setting.name] = setting
    if described:
        raise ValueError(f"pg_settings doesn't know {', '.join(sorted(described))}")
    version = said.strip().removeprefix("postgres (PostgreSQL) ")
    return Server(version=version, settings=settings, timezones=frozenset(timezones))


@contextmanager
def _cluster(place: Place, binaries: Path) -> Iterator[Path]:
    data = place.root / f"described-{secrets.token_hex(4)}"
    run(place, ["cp", "-a", template.ensure(place, binaries), data], seconds=_SECONDS)
    try:
        yield data
    finally:
        run(place, ["rm", "-rf", data], seconds=_SECONDS)


def _query(place: Place, binaries: Path, data: Path, statement: str) -> list[Any]:
    # In single-user mode nothing listens.
    said = run(
        place, [binaries / "postgres", *_SINGLE, "-D", data, "postgres"], stdin=f"{statement}\n", seconds=_SECONDS
    )
    found = [json.loads(told) for told in _TOLD.findall(said)]
    if not found:
        raise ValueError(f"the server answered nothing to: {statement}")
    return found


def _described(said: str) -> dict[str, list[str]]:
    """Name, context, category, type, default, least, most and descriptions, by lower-case name."""
    rows = [line.split("\t") for line in said.splitlines() if "\t" in line]
    return {row[0].lower(): row for row in rows}


def _compare(setting: Setting, row: list[str]) -> None:
    # The context is an internal name there, and the default is the one before anything was initialised.
    _, context, category, kind, _, least, most, description = row[:8]
    here = (setting.context, setting.category, setting.type, setting.minimum, setting.maximum, setting.description)
    there = (context, category, _TYPES[kind], least, most, description)
    if here != there:
        raise ValueError(f"{setting.name} is {here} in pg_settings, but {there} by --describe-config")
