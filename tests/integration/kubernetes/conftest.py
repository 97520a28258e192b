"""One control plane on one fake cluster for each module: its tests name their instances differently."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Protocol
from uuid import uuid4

import psycopg
import pytest
from making_plane import Plane, running_plane

from toygres import config
from toygres.services import Services, connect


class Server(Protocol):
    """What makes metadata DBs."""

    def fresh(self) -> str: ...
    def drop(self, url: str) -> None: ...


@pytest.fixture(scope="module")
def module_database(metadata_server: Server) -> Iterator[str]:
    """A metadata DB of the module's own."""
    url = metadata_server.fresh()
    yield url
    metadata_server.drop(url)


@pytest.fixture(scope="module")
def shared_plane(module_database: str) -> Iterator[Plane]:
    """A plane with one worker."""
    with running_plane(module_database) as made:
        made.start_worker()
        yield made


@pytest.fixture
def other(shared_plane: Plane, metadata_server: Server) -> Iterator[Services]:
    """Another installation with the same rights in the same namespace, and no worker."""
    url = metadata_server.fresh()
    with psycopg.connect(url, autocommit=True) as connection:
        # Databases of tests are copies of one.
        connection.execute("UPDATE toygres.installation SET id = %s", [uuid4()])
    services = connect(config.load(home=shared_plane.home.path, database_url=url))
    yield services
    services.close()
    metadata_server.drop(url)


@pytest.fixture
def plane(shared_plane: Plane) -> Iterator[Plane]:
    """The module's, on a cluster that is in the best of health before and after the test."""
    yield shared_plane
    shared_plane.recover()
