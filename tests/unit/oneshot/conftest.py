"""An engine in the foreground, on a platform in memory that tells of changes."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from queue import SimpleQueue
from uuid import UUID

import pytest
from doubles import MemoryPlatform
from driving import STARTING, Driver, without_login

from toygres.config import Settings
from toygres.oneshot.foreground import Foreground, Told
from toygres.platforms.protocol import EVERYTHING
from toygres.secrets import Cipher
from toygres.services import Services
from toygres.store import installation
from toygres.store.session import Store


@dataclass
class Telling(MemoryPlatform):
    """Its servers start for as long as a test wants; `tell` is what a watch would."""

    watched: threading.Event = field(default_factory=threading.Event)
    changed: Callable[[UUID], None] = lambda which: None

    def watch(self, changed: Callable[[UUID], None], stop: threading.Event) -> None:
        self.changed = changed
        self.watched.set()
        stop.wait()

    def tell(self, which: UUID = EVERYTHING) -> None:
        assert self.watched.wait(10)
        self.changed(which)


@dataclass
class Scene:
    """One foreground, another worker, and where interruptions come from."""

    services: Services
    platform: Telling
    foreground: Foreground
    other: Driver
    inbox: SimpleQueue[Told]


@pytest.fixture
def platform() -> Telling:
    return Telling(status=STARTING)


@pytest.fixture
def scene(settings: Settings, store: Store, platform: Telling) -> Iterator[Scene]:
    installation.meet_platform(store, platform.name, "memory", platform.identity())
    services = Services(
        settings=settings.model_copy(update={"platform": "memory"}),
        store=store,
        platforms={"memory": platform},
        cipher=Cipher.of(settings),
        installation_id=installation.identity(store),
    )
    inbox: SimpleQueue[Told] = SimpleQueue()
    foreground = Foreground(services, platform, inbox, lambda: None)
    foreground._pulse.engine.steps = without_login()
    with foreground:
        yield Scene(services, platform, foreground, Driver.arrive(services), inbox)
