"""Whether a value fits a server parameter, by PostgreSQL's own rules for numbers, units and enumerations."""

from __future__ import annotations

import re
from decimal import Decimal

from toygres.platforms.protocol import Parameter

_NUMBER = re.compile(r"\s*(?P<number>[-+]?\d{1,18}(?:\.\d{1,9})?)\s*(?P<unit>[A-Za-z]*)\s*\Z", re.ASCII)
_MEMORY = {"B": 1, "kB": 2**10, "MB": 2**20, "GB": 2**30, "TB": 2**40}
_TIME = {"us": 1, "ms": 10**3, "s": 10**6, "min": 60 * 10**6, "h": 3600 * 10**6, "d": 86400 * 10**6}
_BOOLEANS = ("on", "off", "true", "false", "yes", "no", "1", "0")
# One line of the server's configuration: letters, digits and what dates, names and numbers are made of.
_PLAIN = re.compile(r"[A-Za-z0-9_+\-./:, ]{0,200}\Z", re.ASCII)


def check(known: Parameter, value: str) -> str | None:
    """Why `value` can't be set, or None when it can."""
    if known.type == "bool":
        return None if value.lower() in _BOOLEANS else "isn't a truth value"
    if known.type in ("integer", "real"):
        return _check_number(known, value)
    if known.type == "enum":
        return None if value in known.choices else "isn't one of its values"
    return None if _PLAIN.match(value) else "has characters that aren't allowed"


def allowed(known: Parameter) -> str:
    """What may be set, as a sentence's end."""
    if known.type == "bool":
        return "on or off"
    if known.type == "enum":
        return "one of " + ", ".join(known.choices)
    if known.type in ("integer", "real"):
        unit = f", in units of {known.unit} or with a unit such as {_example(known.unit)}" if known.unit else ""
        return f"{known.minimum} to {known.maximum}{unit}"
    return "up to 200 letters, digits, spaces and _+-./:,"


def _check_number(known: Parameter, value: str) -> str | None:
    match = _NUMBER.match(value)
    if match is None:
        return "isn't a number"
    factor = _factor(known.unit, match["unit"])
    if factor is None:
        return f"has the unit {match['unit']!r}, which it can't have"
    number = Decimal(match["number"]) * factor
    if not Decimal(known.minimum) <= number <= Decimal(known.maximum):
        return "is out of range"
    return None


def _factor(base: str, given: str) -> Decimal | None:
    """How many `base` units one `given` unit is; None when they don't measure the same thing."""
    if not given:
        return Decimal(1)
    match = re.match(r"(\d*)([A-Za-z]*)\Z", base)
    count, name = (int(match[1] or 1), match[2]) if match else (1, "")
    for family in (_MEMORY, _TIME):
        if name in family and given in family:
            return Decimal(family[given]) / (family[name] * count)
    return None


def _example(unit: str) -> str:
    return "64MB" if unit.endswith("B") else "500ms"
