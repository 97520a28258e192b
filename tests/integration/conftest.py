"""A broker and workers of the test's own, as real processes beside the test's metadata DB."""

from __future__ import annotations

import signal
from collections.abc import Iterator

import pytest
from making_stack import Stack, forget_connections, remove

from toygres import config
from toygres.home import Home
from toygres.processes.broker import Broker
from toygres.services import connect
from toygres.store import instances
from toygres.store.changes import Changes


@pytest.fixture
def stack(home: Home, database_url: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[Stack]:
    """A broker that runs, and no worker yet; whatever the test started has ended when it ends."""
    broker = Broker(home)
    monkeypatch.setenv("DATABASE_URL", database_url)
    monkeypatch.setenv("REDIS_URL", broker.url)
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
        remove(services, instance.id)
    made.changes.close()
    services.close()
    if made.valkey is not None:
        made.valkey.kill()
        made.valkey.wait()
    config.settings.cache_clear()
