"""Kubernetes quantities: `512Mi`, `1.5Gi`, `250m`; read in any form, answered in the shortest exact one.

The grammar is the one of https://kubernetes.io/docs/reference/kubernetes-api/common-definitions/quantity/.
"""

from __future__ import annotations

import re
from decimal import Decimal

_BINARY = {"Ki": 2**10, "Mi": 2**20, "Gi": 2**30, "Ti": 2**40, "Pi": 2**50, "Ei": 2**60}
_DECIMAL = {"k": 10**3, "M": 10**6, "G": 10**9, "T": 10**12, "P": 10**15, "E": 10**18, "": 1}
_FORM = re.compile(r"(?P<number>\d{1,18}(?:\.\d{1,9})?)(?P<unit>Ki|Mi|Gi|Ti|Pi|Ei|k|M|G|T|P|E|m|)\Z", re.ASCII)


def parse_bytes(text: str) -> int:
    """Bytes in `text`. Raises ValueError for anything that isn't a whole number of bytes."""
    value = _parse(text)
    if value != value.to_integral_value():
        raise ValueError(f"{text!r} isn't a whole number of bytes")
    return int(value)


def parse_millicores(text: str) -> int:
    """Thousandths of a CPU core in `text`: `500m` and `0.5` are 500. Raises ValueError."""
    value = _parse(text) * 1000
    if value != value.to_integral_value():
        raise ValueError(f"{text!r} is finer than a thousandth of a core")
    return int(value)


def format_bytes(count: int) -> str:
    """`count` bytes with the largest binary unit that divides it: 1073741824 is `1Gi`."""
    for unit, size in reversed(_BINARY.items()):
        if count and count % size == 0:
            return f"{count // size}{unit}"
    return str(count)


def format_millicores(count: int) -> str:
    """`count` thousandths of a core: 2000 is `2`, 250 is `250m`."""
    return str(count // 1000) if count % 1000 == 0 else f"{count}m"


def _parse(text: str) -> Decimal:
    match = _FORM.match(text)
    if match is None:
        raise ValueError(f"{text!r} isn't a quantity such as 512Mi, 1Gi or 500m")
    number, unit = Decimal(match["number"]), match["unit"]
    return number / 1000 if unit == "m" else number * (_BINARY.get(unit) or _DECIMAL[unit])
