"""What every process of the control plane works with: settings, metadata DB, platforms, keys."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from uuid import UUID

from toygres.config import Settings
from toygres.errors import Misconfigured
from toygres.platforms import registry
from toygres.platforms.protocol import Platform
from toygres.secrets import Cipher, load_keys
from toygres.store import installation, migrate
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

    def close(self) -> None:
        """Give back every connection."""
        self.store.close()


def connect(settings: Settings, *, connections: int = 10) -> Services:
    """Reach the metadata DB and build the platforms.

    Raises Misconfigured when the schema is older than this code, when the keys are others than the
    installation's, or when a platform is another place than the one known under its name.
    """
    if settings.database_url is None:
        raise Misconfigured(
            "DATABASE_URL isn't set, and no `toygres up` runs in this home.",
            "Start one with `toygres up`, or set DATABASE_URL.",
        )
    store = Store(settings.database_url.get_secret_value(), connections=connections)
    try:
        migrate.require_current(store)
        cipher = Cipher(load_keys(settings))
        cipher.require_same_keys(store)
        platforms = registry.build(settings)
        for platform in platforms.values():
            installation.meet_platform(store, platform.name, platform.capabilities().kind, platform.identity())
        found = installation.identity(store)
    except BaseException:
        store.close()
        raise
    return Services(settings=settings, store=store, platforms=platforms, cipher=cipher, installation_id=found)
