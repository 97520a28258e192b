"""Numbers with units as PostgreSQL reads and shows them: the rules of its guc.c, to the last digit.

Octal (010) and hexadecimal (0x10) numbers are read as C does, fractions are rounded to the next smaller unit and
then, for an integer parameter, to a whole number of base units. What only some C libraries read (binary and
hexadecimal fractions, infinities) isn't read here.
"""

from __future__ import annotations

import math
import re
import sys
from collections.abc import Mapping

# Largest first, each counted in the smallest.
_MEMORY = {"TB": 2**40, "GB": 2**30, "MB": 2**20, "kB": 2**10, "B": 1}
_TIME = {"d": 86_400_000_000, "h": 3_600_000_000, "min": 60_000_000, "s": 1_000_000, "ms": 1_000, "us": 1}
_WHOLE = re.compile(r" *[-+]?(?:0[xX][0-9a-fA-F]+|0[0-7]*|[1-9][0-9]*)", re.ASCII)
_REAL = re.compile(r" *[-+]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][-+]?[0-9]+)?", re.ASCII)
_UNIT = re.compile(r" *([^ ]*) *", re.ASCII)
_LONG = range(-(2**63), 2**63)
_LONGEST = 200


class NotAFigure(ValueError):
    """The text can't be read as the number that is wanted; says why, as a sentence's end."""


def read_integer(text: str, unit: str) -> int:
    """The number of `unit` ('' for a plain count) that `text` means. Raises NotAFigure."""
    found = _WHOLE.match(text) if len(text) <= _LONGEST else None
    # As strtol leaves it to strtod: a sign before a point was never read by either.
    wants_real = text[found.end() : found.end() + 1] in (".", "e", "E") if found else text.startswith(".")
    if found and not wants_real:
        whole = _c_integer(found[0].strip(" "))
        return _rounded(_in_unit(float(whole), text[found.end() :], unit))
    if wants_real:
        return _rounded(read_real(text, unit))
    raise NotAFigure("isn't a number")


def read_real(text: str, unit: str) -> float:
    """The amount of `unit` ('' for a plain number) that `text` means. Raises NotAFigure."""
    found = _REAL.match(text) if len(text) <= _LONGEST else None
    if found is None:
        raise NotAFigure("isn't a number")
    value = float(found[0])
    if math.isinf(value):
        raise NotAFigure("is out of range")
    # What C can't hold with full precision, PostgreSQL refuses.
    if abs(value) < sys.float_info.min and re.search("[1-9]", re.split("[eE]", found[0])[0]):
        raise NotAFigure("is out of range")
    return _in_unit(value, text[found.end() :], unit)


def shown(value: str, unit: str) -> str:
    """A number of `unit` in the largest unit that it is a whole number of, as SHOW writes it: 128MB for 16384 x 8kB."""
    if not unit or value == "0" or value.startswith("-"):
        return value
    family, count, name = _family(unit)
    if not value.isdecimal():
        return f"{value}{name}" if count == 1 else f"{value} x {unit}"
    total = int(value) * count * family[name]
    largest = next(each for each, size in family.items() if total % size == 0)
    return f"{total // family[largest]}{largest}"


def units(unit: str) -> tuple[str, ...]:
    """The units that a value of a parameter counted in `unit` may have, largest first."""
    return tuple(_family(unit)[0]) if unit else ()


def _c_integer(text: str) -> int:
    sign, digits = (-1, text[1:]) if text[0] == "-" else (1, text.lstrip("+"))
    base = 16 if digits[:2] in ("0x", "0X") else 8 if digits[0] == "0" else 10
    value = sign * int(digits, base)
    if value not in _LONG and base != 10:
        # The second reading, as a fraction, would take an octal number for a decimal one.
        raise NotAFigure("is out of range")
    return value


def _in_unit(value: float, rest: str, unit: str) -> float:
    given = _UNIT.fullmatch(rest)
    if given is None:
        raise NotAFigure("isn't a number")
    if not given[1]:
        return value
    if not unit:
        raise NotAFigure("has a unit, and can't have one" if given[1].isalpha() else "isn't a number")
    family, count, name = _family(unit)
    if given[1] not in family:
        raise NotAFigure(f"has the unit {given[1]!r}, which it can't have" if given[1].isalpha() else "isn't a number")
    return _converted(value, given[1], family, count * family[name])


def _converted(value: float, given: str, family: Mapping[str, int], base: int) -> float:
    amount = value * (family[given] / base)
    names = list(family)
    if given == names[-1]:
        return amount
    # 30.1GB is rounded to whole MB first.
    smaller = family[names[names.index(given) + 1]] / base
    return _rounded(amount / smaller) * smaller


def _rounded(value: float) -> int:
    """The nearest whole number, the even one of two: C's rint."""
    if math.isinf(value):
        raise NotAFigure("is out of range")
    return round(value)


def _family(unit: str) -> tuple[Mapping[str, int], int, str]:
    """The units that measure the same thing, and `unit` taken apart: 8kB is 8 and kB."""
    name = unit.lstrip("0123456789")
    return (_MEMORY if name in _MEMORY else _TIME), int(unit.removesuffix(name) or 1), name
