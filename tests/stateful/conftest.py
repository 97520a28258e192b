"""One ledger for all runs of the machine in a test process, and how long they are."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Protocol

import pytest
from hypothesis import HealthCheck, Phase, settings
from worlds import World, in_silence, made_world

_ALL = settings(
    deadline=None,
    database=None,
    print_blob=True,
    report_multiple_bugs=False,
    suppress_health_check=list(HealthCheck),
    stateful_step_count=50,
)
# The same runs each time: what CI finds, everybody finds.
settings.register_profile("steady", _ALL, derandomize=True, max_examples=25, phases=[Phase.generate])
# Other runs each time, until somebody stops it or thousands have passed; what fails is made short.
settings.register_profile("long", _ALL, max_examples=5_000, stateful_step_count=100)


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


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """The machine's runs take as long as there are many."""
    seconds = 600 if _profile(config) == "steady" else 0
    for item in items:
        if item.path.parent == Path(__file__).parent:
            item.add_marker(pytest.mark.timeout(seconds))


def _profile(config: pytest.Config) -> str:
    return str(config.getoption("--hypothesis-profile") or "steady")


@pytest.fixture
def profile(request: pytest.FixtureRequest) -> settings:
    """How many runs, and which: `--hypothesis-profile=long` for many random ones."""
    return settings.get_profile(_profile(request.config))


@pytest.fixture(autouse=True)
def _in_silence() -> Iterator[None]:
    with in_silence():
        yield
