"""Whether a value fits a server parameter, by PostgreSQL's own rules for numbers, units and enumerations."""

from __future__ import annotations

from toygres.platforms.parameters.figures import NotAFigure, read_integer, read_real, units
from toygres.platforms.parameters.texts import TEXTS
from toygres.platforms.protocol import Parameter

_WORDS = ("true", "false", "yes", "no", "on", "off")
# Unique beginnings are taken as the whole: `o` could be either.
_BOOLEANS = frozenset({word[:end] for word in _WORDS for end in range(1, len(word) + 1)} - {"o"} | {"1", "0"})


def check(known: Parameter, value: str) -> str | None:
    """Why `value` can't be set, or None when it can; what can is printable ASCII, so it stays on its line."""
    if not (value.isascii() and value.isprintable()):
        return "holds a character that it can't have"
    if known.type == "bool":
        return None if value.lower() in _BOOLEANS else "isn't a truth value"
    if known.type in ("integer", "real"):
        return _check_number(known, value)
    if known.type == "enum":
        return None if value.lower() in known.choices else "isn't one of its values"
    text = TEXTS.get(known.name)
    return None if text and text.fits(value) else "isn't a value that it can have"


def allowed(known: Parameter) -> str:
    """What may be set, as a sentence's end."""
    if known.type == "bool":
        return "on or off"
    if known.type == "enum":
        return "one of " + ", ".join(known.choices)
    if known.type in ("integer", "real"):
        return _allowed_number(known)
    return TEXTS[known.name].allowed if known.name in TEXTS else "nothing"


def _check_number(known: Parameter, value: str) -> str | None:
    try:
        number = read_integer(value, known.unit) if known.type == "integer" else read_real(value, known.unit)
    except NotAFigure as wrong:
        return str(wrong)
    if number in [float(special) for special in known.also]:
        return None
    if not float(known.minimum) <= number <= float(known.maximum):
        return "is out of range"
    if known.multiple_of and number % int(known.multiple_of):
        return f"isn't a multiple of {known.multiple_of}"
    return None


def _allowed_number(known: Parameter) -> str:
    kind = "a whole number, " if known.type == "integer" and not known.unit else ""
    special = "".join(f"{value} or " for value in known.also)
    steps = f", a multiple of {known.multiple_of}" if known.multiple_of else ""
    unit = f", in units of {known.unit} or with a unit such as {_example(known.unit)}" if known.unit else ""
    return f"{kind}{special}{known.minimum} to {known.maximum}{steps}{unit}"


def _example(unit: str) -> str:
    return "64MB" if "B" in units(unit) else "500ms" if unit == "ms" else "10min"
