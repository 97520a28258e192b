"""What to say of a parameter that isn't on the list: why it can't be set, or which ones have a name like it."""

from __future__ import annotations

import difflib
from collections.abc import Collection

from toygres.platforms.parameters import catalogue

_MOST = 3


def refusal(name: str, known: Collection[str], version: str, platform: str) -> tuple[str, str]:
    """What is wrong with `name` and what is allowed instead, for PostgreSQL `version` on `platform`."""
    reason = catalogue.why_withheld(version, name)
    message = f"can't be set, since {reason}" if reason else f"isn't a parameter of PostgreSQL {version}"
    names = names_like(name, known)
    which = f"{' or '.join(names)}, or another" if names else "one"
    return message, f"{which} that {where(platform, version)} lists"


def names_like(name: str, known: Collection[str]) -> list[str]:
    """Up to three of the `known` names that somebody who wrote `name` may have meant, the likeliest first."""
    return difflib.get_close_matches(name.lower(), known, n=_MOST, cutoff=0.75)


def where(platform: str, version: str) -> str:
    """Where the list of `version` is to be had, for those who type and those who call."""
    return (
        f"`toygres parameters --platform {platform} --version {version}`"
        f" or GET /v1/platforms/{platform}/parameters?version={version}"
    )
