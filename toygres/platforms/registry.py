"""The platforms of this installation, by name."""

from __future__ import annotations

from toygres.config import Settings
from toygres.platforms.protocol import Platform


def build(settings: Settings) -> dict[str, Platform]:
    """Every configured platform. Making them touches nothing."""
    from toygres.platforms.local.platform import LocalPlatform

    return {"local": LocalPlatform("local", settings)}
