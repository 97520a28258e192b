"""A broker and workers of the test's own, as real processes beside the test's metadata DB."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from making_stack import Stack, forget_connections, remove

from toygres import config
from toygres.home import Home
from toygres.platforms.local import binaries, place, template
from toygres.platforms.local.commands import run
from toygres.processes import child
from toygres.processes.broker import Broker
from toygres.processes.metadata import Metadata
from toygres.services import connect
from toygres.store import instances, migrate
from toygres.store.changes import Changes


@pytest.fixture(scope="session")
def initialised() -> Iterator[Path]:
    """A template of data folders: the first create of a home would take a second to make one."""
    folder = Path(tempfile.mkdtemp(prefix="tg-template-"))
    home = Home(folder / "home")
    where = place.find(home)
    yield template.ensure(where, binaries.bundled(where))
    place.forget(home)
    shutil.rmtree(folder)


@pytest.fixture
def ready_home(home: Home, initialised: Path) -> Home:
    """The test's home, which has a template already."""
    where = place.find(home)
    lent = where.root / "templates" / template.name_of(where, binaries.bundled(where))
    run(where, ["mkdir", "-p", lent.parent], seconds=10)
    run(where, ["ln", "-s", initialised, lent], seconds=10)
    return home


@pytest.fixture
def stack(ready_home: Home, database_url: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[Stack]:
    """A broker that runs, and no worker yet; whatever the test started has ended when it ends."""
    with _stack(ready_home, database_url, monkeypatch) as made:
        yield made


@pytest.fixture
def own_database(ready_home: Home, monkeypatch: pytest.MonkeyPatch) -> Iterator[Stack]:
    """The same with a metadata DB that no other test uses, so that it may be killed."""
    metadata = Metadata(ready_home, place.find(ready_home))
    server = child.spawn(metadata.prepare())
    with subprocess.Popen(["tail", "-n", "+1", "-F", ready_home.logs / "metadata.log"], stdout=subprocess.PIPE) as said:
        assert any(b"ready to accept connections" in line for line in said.stdout)
        said.terminate()
    migrate.upgrade(metadata.url)
    with _stack(ready_home, metadata.url, monkeypatch) as made:
        made.metadata, made.database = metadata, server
        yield made
    made.database.kill()
    made.database.wait()


@contextlib.contextmanager
def _stack(home: Home, database_url: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[Stack]:
    broker = Broker(home)
    monkeypatch.setenv("DATABASE_URL", database_url)
    monkeypatch.setenv("REDIS_URL", broker.url)
    # Many tests do something while the storage is made, which a spare makes a matter of milliseconds.
    monkeypatch.setenv("TOYGRES_SPARE_FOLDERS", "0")
    config.settings.cache_clear()
    forget_connections()
    services = connect(config.settings())
    made = Stack(home, services, broker, Changes(services.store))
    made.start_broker()
    yield made
    for worker in made.workers:
        worker.send_signal(signal.SIGKILL)
        worker.wait()
    for instance in instances.list_page(services.store, "default", 100, None).items:
        # Of those on a platform in memory there is nothing to remove.
        if services.platform(instance.platform).objects(instance.id):
            remove(services, instance.id)
    made.changes.close()
    services.close()
    if made.valkey is not None:
        made.valkey.kill()
        made.valkey.wait()
    config.settings.cache_clear()


class Gates:
    """Pipes at which the steps of an odd worker wait until the test lets them go on."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        folder.mkdir()

    def shut(self, name: str) -> Path:
        """Have every step of this name wait from now on; the gate."""
        os.mkfifo(self.folder / name)
        return self.folder / name

    def reached(self, name: str) -> None:
        """Return once somebody waits there: a step that is running may not have come to its gate yet."""
        os.close(os.open(self.folder / name, os.O_WRONLY))

    def let_pass(self, name: str) -> Path:
        """Have those that come from now on pass; who waits goes on waiting. The old gate."""
        return (self.folder / name).rename(self.folder / f"{name}-{len(list(self.folder.iterdir()))}")

    def open(self, gate: Path) -> None:
        """Let go whoever waits; somebody must."""
        writer = os.open(gate, os.O_WRONLY | os.O_NONBLOCK)
        os.write(writer, b"." * 64)
        # Unread bytes are gone once nobody has the pipe open any more.
        os.close(writer)


@pytest.fixture
def gates(home: Home) -> Gates:
    """No gate is shut yet."""
    return Gates(home.path / "gates")
