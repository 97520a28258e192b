"""Orders by the hundred, as the API makes them, and bare Celery chains as their floor; when all have ended."""

from __future__ import annotations

import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar
from uuid import UUID

from celery import chain

from benchmarks.frame.stack import await_that
from toygres.provisioning import Caller, InstanceRequest, request_instance
from toygres.services import Services
from worker.app import QUEUE, celery
from worker.chains import publish
from worker.queue import connect

Made = TypeVar("Made")

NO_OP = "no_op"
CALLER = Caller(actor="benchmark", request_id="benchmark")
_SUBMITTERS = 4
_END_SECONDS = 600.0
_LOOK_SECONDS = 0.05


def order(services: Services, names: list[str]) -> list[UUID]:
    """Order an instance of each name, several at a time: one transaction and one publish each; the operations."""

    def one(name: str) -> UUID:
        accepted = request_instance(services, CALLER, InstanceRequest(name=name))
        publish(accepted.operation)
        return accepted.operation.id

    return _several(one, names)


def bare_chains(count: int, hops: int) -> None:
    """Publish `count` chains of `hops` tasks that do nothing, several at a time."""
    signatures = [celery.signature(NO_OP, args=("op_00000000000000000000000000",), immutable=True) for _ in range(hops)]
    _several(lambda _: chain(*signatures).apply_async(), [str(number) for number in range(count)])


def await_ended(services: Services, seconds: float = _END_SECONDS) -> None:
    """Return once no operation is open."""
    open_ones = "SELECT count(*) AS n FROM toygres.operations WHERE ended_at IS NULL"

    def ended() -> bool:
        row = services.store.one(open_ones)
        return row is not None and row.n == 0

    await_that("the end of all operations", ended, seconds, _LOOK_SECONDS)


def await_drained(services: Services, seconds: float = _END_SECONDS) -> None:
    """Return once the broker holds no message, taken ones included."""
    found = services.settings
    assert found.redis_url is not None  # noqa: S101
    broker = connect(found.redis_url.get_secret_value())

    def empty() -> bool:
        return not broker.llen(found.redis_prefix + QUEUE) and not broker.hlen(found.redis_prefix + "unacked")

    try:
        await_that("an empty queue", lambda: empty() and _still(empty), seconds)
    finally:
        broker.close()


def _still(empty: Callable[[], bool]) -> bool:
    # A message that was taken a moment ago is nowhere for an instant.
    time.sleep(0.01)
    return empty()


def _several(make: Callable[[str], Made], names: list[str]) -> list[Made]:
    with ThreadPoolExecutor(_SUBMITTERS) as pool:
        return list(pool.map(make, names))
