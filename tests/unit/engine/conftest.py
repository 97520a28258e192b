"""One worker's engine, on a platform that keeps its objects in memory."""

from __future__ import annotations

import pytest
from doubles import MemoryPlatform
from driving import Driver

from toygres.config import Settings
from toygres.secrets import Cipher
from toygres.services import Services
from toygres.store import installation
from toygres.store.session import Store


@pytest.fixture
def platform() -> MemoryPlatform:
    return MemoryPlatform()


@pytest.fixture
def driver(settings: Settings, store: Store, platform: MemoryPlatform) -> Driver:
    installation.meet_platform(store, platform.name, "memory", platform.identity())
    services = Services(
        settings=settings.model_copy(update={"platform": "memory"}),
        store=store,
        platforms={"memory": platform},
        cipher=Cipher.of(settings),
        installation_id=installation.identity(store),
    )
    return Driver.arrive(services)
