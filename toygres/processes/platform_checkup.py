"""Looks at the platforms that the settings name: a sentence or more of each. Nothing is made where nothing is yet."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from toygres.config import Settings
from toygres.domain.findings import Finding, fine, noted, wrong
from toygres.errors import Misconfigured, Unavailable
from toygres.platforms import registry
from toygres.platforms.protocol import Platform


def examine_platforms(settings: Settings, known: Mapping[str, str], *, web: bool = False) -> Iterator[Finding]:
    """What there is to say of each; `known` are the identities that the metadata DB has for them, by name."""
    try:
        platforms = registry.build(settings)
    except Misconfigured as misnamed:
        yield wrong("platforms", misnamed.message, misnamed.remedy)
        return
    for name, platform in platforms.items():
        if platform.kind == "kubernetes":
            from toygres.platforms.kubernetes.doctor import examine

            yield from examine(settings, known.get(name), web=web)
        else:
            yield _local(settings, platform, known.get(name))


def _local(settings: Settings, platform: Platform, known: str | None) -> Finding:
    about = f"platform {platform.name}"
    if not settings.home_folder.place.exists():
        return noted(about, "No servers were made on this machine yet; `toygres up` makes a place for them.")
    if known not in (None, platform.identity()):
        told = "It lives on another machine, or in another home: nothing can be looked at from here."
        return noted(about, told, "Run this there, or set TOYGRES_HOME.")
    try:
        platform.check()
        versions = platform.capabilities().versions
    except (Misconfigured, Unavailable) as trouble:
        return wrong(about, trouble.message, trouble.remedy)
    return fine(about, f"Servers can be made on this machine, of PostgreSQL {', '.join(versions)}.")
