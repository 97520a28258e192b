"""Kubernetes quantities as numbers."""

from __future__ import annotations

import re
from decimal import Decimal

_SUFFIXES = {
    **{"": Decimal(1), "n": Decimal("1e-9"), "u": Decimal("1e-6"), "m": Decimal("1e-3")},
    **{suffix: Decimal(1000) ** (i + 1) for i, suffix in enumerate("kMGTPE")},
    **{f"{suffix}i": Decimal(1024) ** (i + 1) for i, suffix in enumerate("KMGTPE")},
}
_FORM = re.compile(r"^([+-]?[0-9.]+)([eE][-+]?[0-9]+|[numkMGTPE]|[KMGTPE]i|)$")
EXPRESSION = "^([+-]?[0-9.]+)([eEinumkKMGTP]*[-+]?[0-9]*)$"


def number(quantity: str | int | float | None) -> Decimal:
    """The value of a quantity; none is 0. Raises ValueError for what isn't one."""
    if quantity is None:
        return Decimal(0)
    found = _FORM.match(str(quantity))
    if not found:
        raise ValueError(quantity)
    suffix = found[2]
    if suffix[:1] in {"e", "E"} and len(suffix) > 1:
        return Decimal(found[1] + suffix)
    return Decimal(found[1]) * _SUFFIXES[suffix]
