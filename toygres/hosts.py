"""Which names a request may call us by: a page elsewhere may point its own name at loopback."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Iterable

_HOST = re.compile(r"(?P<name>\[[0-9A-Fa-f:.]+\]|[^:\[\]]+)(:\d{1,5})?", re.ASCII)


def known_names(names: Iterable[str]) -> frozenset[str]:
    """`names` as `is_known` compares them, and the one that every machine has for itself."""
    return frozenset(name.lower().strip("[]") for name in names) | {"localhost"}


def is_known(host: str, known: frozenset[str]) -> bool:
    """Whether a Host header names an address of loopback, or one of the `known` names; whatever its port."""
    match = _HOST.fullmatch(host)
    if match is None:
        return False
    name = match["name"].lower().strip("[]").removesuffix(".")
    try:
        return name in known or ipaddress.ip_address(name).is_loopback
    except ValueError:
        return False
