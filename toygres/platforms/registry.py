"""The platforms of this installation, by name."""

from __future__ import annotations

from toygres.config import Settings
from toygres.platforms.protocol import Platform


def build(settings: Settings) -> dict[str, Platform]:
    """Every configured platform. Making them touches nothing.

    Raises Misconfigured when the settings expose one that isn't to be exposed.
    """
    from toygres.platforms.local.exposure import require_told
    from toygres.platforms.local.platform import LocalPlatform

    require_told(settings)
    return {"local": LocalPlatform("local", settings)}
