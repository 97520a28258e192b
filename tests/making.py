"""Instances for tests of platforms: made up, on ports of their own, and removed with all that belongs to them."""

from __future__ import annotations

import queue
import shutil
import socket
import tempfile
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import psycopg

from toygres.config import load
from toygres.domain import ids
from toygres.domain.authority import Authority
from toygres.domain.instance import (
    Availability,
    Credentials,
    Endpoint,
    Instance,
    InstanceSpec,
    InstanceState,
    Login,
)
from toygres.domain.operation import NotYet
from toygres.home import Home
from toygres.platforms.local import place
from toygres.platforms.local.platform import LocalPlatform
from toygres.platforms.protocol import Platform, ServerPhase, Target

INSTALLATION = uuid4()
# Higher than any fence of a test: what clears up is never refused.
LAST_FENCE = 1_000_000
PATIENCE = 30.0


# The highest that the ledger has given to an instance.
_FENCES: dict[UUID, int] = {}
_AUTHORITIES: list[Authority] = []


def _is_newest(instance_id: UUID, fence: int) -> bool:
    return fence >= _FENCES.get(instance_id, 0)


def _kept_authority(make: Callable[[], Authority]) -> Authority:
    if not _AUTHORITIES:
        _AUTHORITIES.append(make())
    return _AUTHORITIES[0]


@dataclass
class Subject:
    """One instance on one platform, and the steps that may be taken with it."""

    platform: Platform
    instance: Instance
    credentials: Credentials
    fence: int = 1

    @property
    def target(self) -> Target:
        """What a step acts on."""
        return Target(
            instance=self.instance,
            fence=self.fence,
            operation_id=uuid4(),
            installation_id=INSTALLATION,
            authority=_kept_authority,
            held=partial(_is_newest, self.instance.id, self.fence),
        )

    def with_fence(self, fence: int) -> Subject:
        """The same instance, met by another claim."""
        _FENCES[self.instance.id] = max(fence, _FENCES.get(self.instance.id, 0))
        return replace(self, fence=fence)

    def store(self) -> None:
        """Credentials and storage."""
        self.platform.apply_credentials(self.target, lambda: self.credentials)
        self.platform.apply_storage(self.target)

    def make(self) -> None:
        """All of a create's steps that make something."""
        self.store()
        self.platform.apply_server(self.target)
        self.platform.apply_service(self.target)

    def bring_up(self) -> None:
        """Make all, and wait until the server is up."""
        self.make()
        self.until(ServerPhase.UP)

    def remove(self) -> None:
        """All of a delete's steps."""
        for step in (
            self.platform.remove_service,
            self.platform.remove_server,
            self.platform.remove_storage,
            self.platform.remove_credentials,
        ):
            self.take(step)

    def take(self, step: Callable[[Target], object]) -> None:
        """Take the step, again whenever the platform changes until it has had its time."""
        with suppress(NotYet):
            step(self.target)
            return
        with watching(self.platform) as changes:
            while True:
                with suppress(NotYet):
                    step(self.target)
                    return
                if changes.get(timeout=PATIENCE) is None:
                    raise AssertionError("the watch ended before the step was done")

    def until(self, phase: ServerPhase) -> None:
        """Wait, as the observer does, until the server is seen in `phase`."""
        with watching(self.platform) as changes:
            while (status := self.platform.observe(self.instance)).phase is not phase:
                if changes.get(timeout=PATIENCE) is None:
                    raise AssertionError(f"the watch ended while the server was {status}")

    def connect(self, login: Login | None = None, host: str = "127.0.0.1") -> psycopg.Connection[tuple[Any, ...]]:
        """A client's own connection, as the instance's user unless told otherwise."""
        login = login or self.credentials.user
        return psycopg.connect(
            host=host,
            port=self.instance.port,
            user=login.user,
            password=login.password,
            dbname=self.instance.spec.database,
            autocommit=True,
        )

    @property
    def objects(self) -> list[str]:
        """What exists for the instance."""
        return list(self.platform.objects(self.instance.id))


@contextmanager
def watching(platform: Platform) -> Iterator[queue.Queue[UUID | None]]:
    """The platform's watch in a thread; every ID that it tells, then None when it ends."""
    changes: queue.Queue[UUID | None] = queue.Queue()
    stop = threading.Event()

    def watch() -> None:
        try:
            platform.watch(changes.put, stop)
        finally:
            changes.put(None)

    thread = threading.Thread(target=watch, name="watch")
    thread.start()
    try:
        yield changes
    finally:
        stop.set()
        thread.join(PATIENCE)
        assert not thread.is_alive()


MakeSubject = Callable[..., Subject]


@contextmanager
def subjects(platform: Platform) -> Iterator[MakeSubject]:
    """A maker of subjects, whose keywords are server parameters; all are removed at the end."""
    made: list[Subject] = []
    with ExitStack() as stack:

        def make(*, version: str | None = None, port: int | None = None, **parameters: str) -> Subject:
            reserved = port or stack.enter_context(reserved_port())
            version = version or platform.capabilities().default_version
            subject = Subject(platform, make_instance(version, reserved, parameters), make_credentials())
            made.append(subject)
            return subject

        try:
            yield make
        finally:
            for subject in made:
                subject.with_fence(LAST_FENCE).remove()
                assert subject.objects == []


@contextmanager
def reserved_port() -> Iterator[int]:
    """A port that a server can listen on, but that nobody else is given."""
    with socket.socket() as holder:
        holder.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        holder.bind(("127.0.0.1", 0))
        yield int(holder.getsockname()[1])


def make_instance(version: str, port: int, parameters: dict[str, str] | None = None) -> Instance:
    """An instance as its row would say while it is created."""
    now = datetime.now(UTC)
    spec = InstanceSpec(
        version=version,
        storage_bytes=2**30,
        cpu_millicores=1000,
        memory_bytes=2**28,
        parameters={"shared_buffers": "1MB", **(parameters or {})},
    )
    return Instance(
        id=ids.new(),
        project="default",
        name=f"demo-{uuid4().hex[:8]}",
        platform="local",
        spec=spec,
        generation=1,
        observed_generation=0,
        state=InstanceState.CREATING,
        port=port,
        endpoint=Endpoint(host="127.0.0.1", port=port),
        available=Availability(value=False, since=None, cause=None),
        operation_id=None,
        created_at=now,
        updated_at=now,
    )


def make_credentials() -> Credentials:
    """Two logins that nobody else has."""
    return Credentials(
        user=Login(user="postgres", password=f"user-{uuid4().hex}"),
        monitor=Login(user="toygres_monitor", password=f"monitor-{uuid4().hex}"),
    )


@contextmanager
def local_platform() -> Iterator[LocalPlatform]:
    """A local platform with a home of its own, which is gone afterwards with all that it held."""
    folder = Path(tempfile.mkdtemp(prefix="tg-local-"))
    home = Home(folder / "home")
    try:
        yield LocalPlatform("local", load(home=home.path))
    finally:
        place.forget(home)
        shutil.rmtree(folder)
