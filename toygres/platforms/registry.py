"""The platforms of this installation, by name."""

from __future__ import annotations

from collections.abc import Callable

from toygres.config import Settings, variable
from toygres.errors import Misconfigured
from toygres.platforms.protocol import Platform


def build(settings: Settings) -> dict[str, Platform]:
    """Every configured platform. Making them touches nothing.

    Raises Misconfigured when the settings name one that there isn't, or expose one that isn't to be exposed.
    """
    names = settings.platforms or dict.fromkeys(("local", settings.platform))
    unknown = [name for name in (*names, settings.platform) if name not in _MAKERS]
    if unknown:
        raise Misconfigured(
            f"There is no platform {unknown[0]!r}.",
            f"Set {variable('platform')} and {variable('platforms')} to: {', '.join(_MAKERS)}.",
        )
    if settings.platform not in names:
        raise Misconfigured(
            f"{variable('platform')} names {settings.platform!r}, which {variable('platforms')} doesn't.",
            f"Add it to {variable('platforms')}.",
        )
    return {name: _MAKERS[name](name, settings) for name in names}


def _local(name: str, settings: Settings) -> Platform:
    from toygres.platforms.local.exposure import require_told
    from toygres.platforms.local.platform import LocalPlatform

    require_told(settings)
    return LocalPlatform(name, settings)


def _kubernetes(name: str, settings: Settings) -> Platform:
    from toygres.platforms.kubernetes.platform import KubernetesPlatform

    return KubernetesPlatform(name, settings)


_MAKERS: dict[str, Callable[[str, Settings], Platform]] = {"local": _local, "kubernetes": _kubernetes}
