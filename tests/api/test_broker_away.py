"""Orders while the broker is gone or silent: accepted all the same, and soon; the sweep publishes them later."""

from __future__ import annotations

import socket
import time
from collections.abc import Iterator

import pytest
from making_stack import forget_connections

from tests.api.conftest import Program
from toygres import config


@pytest.fixture(params=["gone", "silent"])
def away(request: pytest.FixtureRequest, program: Program, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """The broker's port is closed, or takes connections and never answers."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        port = listening.getsockname()[1]
        if request.param == "gone":
            listening.close()
        monkeypatch.setenv("REDIS_URL", f"redis://127.0.0.1:{port}/0")
        config.settings.cache_clear()
        forget_connections()
        yield


def test_orders_are_accepted_while_the_broker_is_away(away: None, program: Program):
    began = time.monotonic()
    ordered = program.post("/v1/instances", {"name": "demo"})
    assert time.monotonic() - began < 10, "an unbounded wait is what this defends against"
    assert program.get(f"/v1/operations/{ordered['operation']['id']}")["state"] == "queued"
