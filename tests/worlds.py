"""A ledger whose clock stands still, on a platform in memory, with workers that come, freeze and go."""

from __future__ import annotations

import logging
import shutil
import tempfile
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from uuid import UUID

import structlog
from cryptography.fernet import Fernet
from doubles import OFFER, MemoryPlatform
from driving import Driver

from toygres.config import load
from toygres.domain.instance import InstanceState
from toygres.errors import Cause, CauseCode
from toygres.home import Home
from toygres.secrets import Cipher
from toygres.services import Services
from toygres.store import claims, installation, operations, sweeps, workers
from toygres.store.session import Store
from toygres.turning import end_undeliverable

LOST = Cause(code=CauseCode.WORKERS_DIED, message="The claim was lost.", remedy="Wait.")
NAME = "memory"
# Time moves only when a test says so: what is due then doesn't hang on how busy the machine is.
_STAND_STILL = """
CREATE OR REPLACE FUNCTION toygres.toygres_now() RETURNS timestamptz LANGUAGE sql STABLE AS
    'SELECT timestamptz ''2030-01-01 00:00:00+00'' + shift FROM toygres.clock'
"""


@dataclass
class World:
    """One metadata DB and one platform; what the transport does is left to the test."""

    services: Services
    platform: MemoryPlatform
    # Names of instances with which nothing is wrong or going on: the next test that needs one takes it from here.
    at_rest: dict[InstanceState, list[str]] = field(default_factory=lambda: defaultdict(list))

    @property
    def store(self) -> Store:
        """The metadata DB."""
        return self.services.store

    def worker(self) -> Driver:
        """One more worker."""
        return Driver.arrive(self.services)

    def shift(self, seconds: float) -> None:
        """Let time pass."""
        self.store.run("UPDATE toygres.clock SET shift = shift + make_interval(secs => %(s)s)", s=seconds)

    def kill(self, worker: Driver) -> None:
        """What others do once they see that a worker is gone: forget it, and free what it held."""
        workers.depart(self.store, worker.engine.worker_id)
        claims.free_of_dead(self.store, LOST)

    def beat(self, worker: Driver) -> None:
        """A worker's pulse: it is seen, and lets go of what it has forgotten."""
        self.store.run(
            "UPDATE toygres.workers SET seen_at = toygres.toygres_now() WHERE id = %(id)s", id=worker.engine.worker_id
        )
        claims.free_forgotten(self.store, worker.engine.worker_id, worker.engine.held.now(), LOST)

    def sweep(self) -> list[UUID]:
        """One sweep, as the worker's is but for the publishing; what it would publish."""
        claims.free_of_dead(self.store, LOST)
        claims.free_lapsed(self.store, LOST)
        due = sweeps.take_due(self.store, None)
        for found in due:
            end_undeliverable(self.services, found)
        return [found.id for found in due]

    def remaining(self, operation_id: UUID) -> tuple[str, ...]:
        """The steps that are left."""
        return operations.remaining(self.store, operation_id)


@contextmanager
def standing_still(database_url: str) -> Iterator[Store]:
    """A migrated metadata DB whose clock stands still."""
    store = Store(database_url)
    try:
        store.run(_STAND_STILL)
        yield store
    finally:
        store.close()


@contextmanager
def made_world(database_url: str) -> Iterator[World]:
    """A world on a migrated metadata DB."""
    folder = Path(tempfile.mkdtemp(prefix="tg-world-"))
    home = Home(folder / "home")
    home.make()
    platform = MemoryPlatform(name=NAME, offer=replace(OFFER, ports=None))
    with standing_still(database_url) as store:
        installation.meet_platform(store, NAME, NAME, platform.identity())
        services = Services(
            settings=load(home=home.path, database_url=database_url, platform=NAME),
            store=store,
            platforms={NAME: platform},
            cipher=Cipher([Fernet.generate_key().decode()]),
            installation_id=installation.identity(store),
        )
        yield World(services, platform)
    shutil.rmtree(folder)


@contextmanager
def in_silence() -> Iterator[None]:
    """Log nothing: thousands of steps fail on purpose, and a drawn traceback of each takes longer than they do."""
    before = structlog.get_config()
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.CRITICAL))
    try:
        yield
    finally:
        structlog.configure(**before)
