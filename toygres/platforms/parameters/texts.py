"""The parameters that take a text, each with the one form that its text may have: nothing else is let through."""

from __future__ import annotations

import functools
import json
import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

_TIMEZONES = Path(__file__).with_name("timezones.json")
_NAME = r"[a-z_][a-z0-9_]{0,62}"
# Without pg_catalog: named in the path it no longer comes first, and functions of a user's could stand before its own.
_SCHEMA = rf'(?:"\$user"|(?!pg_){_NAME})'
_EVENT = "(?:receipt|authentication|authorization|setup_durations|all)"
_LONGEST = 200


@dataclass(frozen=True)
class Text:
    """Which texts a parameter takes, and the same in words."""

    fits: Callable[[str], bool]
    allowed: str


def _matching(pattern: str, allowed: str, flags: re.RegexFlag = re.NOFLAG) -> Text:
    compiled = re.compile(pattern, flags | re.ASCII)
    return Text(lambda text: len(text) <= _LONGEST and compiled.fullmatch(text) is not None, allowed)


@functools.cache
def timezones() -> frozenset[str]:
    """The time zones that the servers of all versions know, in lower case: PostgreSQL takes any."""
    return frozenset(name.lower() for name in json.loads(_TIMEZONES.read_text(encoding="utf-8")))


_TIMEZONE = Text(
    lambda text: text.isascii() and text.lower() in timezones(), "a time zone's name, such as UTC or Europe/Zurich"
)

TEXTS = {
    "datestyle": _matching(
        "(?:ISO|SQL|Postgres|German)(?:, ?(?:MDY|DMY|YMD))?",
        "ISO, SQL, Postgres or German, then MDY, DMY or YMD, as in: ISO, DMY",
        re.IGNORECASE,
    ),
    "default_text_search_config": _matching(
        rf"{_NAME}(?:\.{_NAME})?", "a text search configuration's name, such as pg_catalog.english"
    ),
    "log_connections": _matching(
        f"|on|off|{_EVENT}(?:, ?{_EVENT})*",
        "on, off, all, or some of receipt, authentication, authorization, setup_durations",
    ),
    "log_timezone": _TIMEZONE,
    "search_path": _matching(
        f"{_SCHEMA}(?:, ?{_SCHEMA})*", 'names of schemas with commas between, not of PostgreSQL\'s own: "$user", public'
    ),
    "timezone": _TIMEZONE,
}
