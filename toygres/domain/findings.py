"""What an examination found: a sentence for each thing that was looked at, and what to do where it isn't fine."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum

from toygres.errors import printable


class Standing(StrEnum):
    """How a thing stands: `noted` works but is worth knowing, `unchecked` couldn't be looked at."""

    FINE = "fine"
    NOTED = "noted"
    UNCHECKED = "unchecked"
    WRONG = "wrong"


@dataclass(frozen=True, kw_only=True)
class Finding:
    """One thing that was looked at; holds no secret."""

    about: str
    standing: Standing
    message: str
    remedy: str = ""

    def __post_init__(self) -> None:
        # Servers write part of it, and an escape would reach a person's terminal.
        object.__setattr__(self, "message", printable(self.message))
        object.__setattr__(self, "remedy", printable(self.remedy))

    def to_json(self) -> dict[str, str]:
        """The form for programs."""
        return {
            "about": self.about,
            "standing": self.standing.value,
            "message": self.message,
            "remedy": self.remedy,
        }


def fine(about: str, message: str) -> Finding:
    """It is as it should be."""
    return Finding(about=about, standing=Standing.FINE, message=message)


def noted(about: str, message: str, remedy: str = "") -> Finding:
    """It works, and there is something to know."""
    return Finding(about=about, standing=Standing.NOTED, message=message, remedy=remedy)


def unchecked(about: str, message: str, remedy: str = "") -> Finding:
    """Nobody can tell from here."""
    return Finding(about=about, standing=Standing.UNCHECKED, message=message, remedy=remedy)


def wrong(about: str, message: str, remedy: str) -> Finding:
    """It must be mended."""
    return Finding(about=about, standing=Standing.WRONG, message=message, remedy=remedy)


def all_well(findings: Iterable[Finding]) -> bool:
    """Whether nothing is wrong; what couldn't be looked at counts as well."""
    return all(finding.standing is not Standing.WRONG for finding in findings)
