"""One ledger for all runs of the table in a test process: each has an instance of its own."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Protocol

import pytest
from worlds import World, in_silence, made_world


class Server(Protocol):
    """What makes metadata DBs."""

    def fresh(self) -> str: ...
    def drop(self, url: str) -> None: ...


@pytest.fixture(scope="session")
def world(metadata_server: Server) -> Iterator[World]:
    """A ledger and a platform in memory."""
    url = metadata_server.fresh()
    with made_world(url) as made:
        yield made
    metadata_server.drop(url)


@pytest.fixture(autouse=True)
def _in_silence() -> Iterator[None]:
    with in_silence():
        yield
