"""What every process of the control plane works with: settings, metadata DB, platforms, keys."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from uuid import UUID

from toygres.config import Settings
from toygres.errors import Cause, Misconfigured
from toygres.platforms import registry
from toygres.platforms.elsewhere import Elsewhere
from toygres.platforms.protocol import Platform
from toygres.secrets import Cipher
from toygres.store import installation, schema
from toygres.store.session import Store


@dataclass(frozen=True, kw_only=True)
class Services:
    """One process's hold on the world."""

    settings: Settings
    store: Store
    platforms: Mapping[str, Platform]
    cipher: Cipher
    installation_id: UUID

    def platform(self, name: str) -> Platform:
        """The platform that an instance's row names. Raises Misconfigured when it isn't configured here."""
        try:
            return self.platforms[name]
        except KeyError:
            raise Misconfigured(
                f"The platform {name!r} isn't configured in this process.", "Configure it, and start again."
            ) from None

    def here(self) -> dict[str, Platform]:
        """The platforms that this process can act on."""
        return {name: found for name, found in self.platforms.items() if not isinstance(found, Elsewhere)}

    def other_host(self, name: str) -> Cause | None:
        """Why nothing can be done here for instances on this platform, when it lives on another machine."""
        found = self.platforms.get(name)
        return found.cause if isinstance(found, Elsewhere) else None

    def close(self) -> None:
        """Give back every connection."""
        self.store.close()


def connect(settings: Settings, *, connections: int = 10) -> Services:
    """Reach the metadata DB and build the platforms.

    A local platform that lives on another machine is known as such, and never touched from here. Raises
    Misconfigured when the schema is older than this code, when the keys are others than the installation's, or
    when another platform is another place than the one known under its name.
    """
    if settings.database_url is None:
        raise Misconfigured(
            "DATABASE_URL isn't set, and no `toygres up` runs in this home.",
            "Start one with `toygres up`, or set DATABASE_URL.",
        )
    store = Store(settings.database_url.get_secret_value(), connections=connections)
    try:
        schema.require_current(store)
        cipher = Cipher.of(settings)
        cipher.require_same_keys(store)
        platforms = {name: meet(store, platform) for name, platform in registry.build(settings).items()}
        found = installation.identity(store)
    except BaseException:
        store.close()
        raise
    return Services(settings=settings, store=store, platforms=platforms, cipher=cipher, installation_id=found)


def meet_unmet(services: Services) -> None:
    """Ask once more which place a platform is that couldn't be asked when this process began. Raises Unavailable."""
    for platform in services.here().values():
        if installation.platform_identity(services.store, platform.name) is None:
            meet(services.store, platform)


def meet(store: Store, platform: Platform) -> Platform:
    """The platform, if it is the place that is known under its name; what stands for a local one of another machine.

    Raises Misconfigured when another platform is another place.
    """
    if expected := installation.platform_identity(store, platform.name):
        # What asks for its identity may make the place, where none is known yet.
        platform.expect(expected)
    found = platform.identity()
    if found is None:
        return platform
    known = installation.meet_platform(store, platform.name, platform.kind, found)
    if known == found:
        platform.capabilities()
        return platform
    if platform.kind == Elsewhere.kind:
        return Elsewhere(platform.name, known)
    raise Misconfigured(
        f"The platform {platform.name!r} is another place than the one that this metadata DB knows under that name.",
        "Give the platform another name, or use the metadata DB that belongs to it.",
    )
