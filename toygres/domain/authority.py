"""Who signs the certificates of a project's servers."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True, repr=False)
class Authority:
    """A certificate authority: its certificate and its private key, both PEM. The repr tells nothing."""

    certificate: str
    key: str


# Given what makes a new one: the project's authority, which is made at its first use and kept from then on.
KeptAuthority = Callable[[Callable[[], Authority]], Authority]
