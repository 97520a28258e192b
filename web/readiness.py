"""Asks each part that work depends on whether it answers now, all at once and not for long."""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor, wait

import structlog

from toygres.config import Settings
from toygres.errors import ToygresError
from toygres.services import Services
from toygres.store.session import Store
from web import crew
from web.schemas import told
from worker.queue import Queue

log = structlog.get_logger(__name__)

WAIT_SECONDS = 1.5
# A check that hangs keeps its thread: the pool bounds how many of them there can be.
_pool = ThreadPoolExecutor(max_workers=8, thread_name_prefix="readiness")


def look_around(services: Services) -> told.ReadinessOut:
    """Each part's answer within `WAIT_SECONDS`."""
    asked = {name: _pool.submit(check) for name, check in _checks(services).items()}
    wait(asked.values(), timeout=WAIT_SECONDS)
    checks = {name: _answer(name, future) for name, future in asked.items()}
    return told.ReadinessOut(ready=all(check.ok for check in checks.values()), checks=checks)


def _checks(services: Services) -> dict[str, Callable[[], str | None]]:
    alone = len(services.platforms) == 1
    checks: dict[str, Callable[[], str | None]] = {
        "platform" if alone else f"platform {name}": platform.check for name, platform in services.platforms.items()
    }
    return {
        "database": lambda: _ask_database(services.store),
        "broker": lambda: _ping_broker(services.settings),
        "worker": lambda: crew.tell_workers(services.store),
        "queue": lambda: crew.tell_queue(services.store, _oldest_age(services.settings)),
        **checks,
    }


def _ask_database(store: Store) -> None:
    store.one("SELECT 1")


def _ping_broker(settings: Settings) -> None:
    with contextlib.closing(Queue(settings)) as queue:
        queue.ping()


def _oldest_age(settings: Settings) -> float | None:
    with contextlib.closing(Queue(settings)) as queue:
        return queue.oldest_age()


def _answer(name: str, future: Future[str | None]) -> told.CheckOut:
    if not future.done():
        future.cancel()
        return told.CheckOut(ok=False, detail=f"No answer within {WAIT_SECONDS} seconds.")
    trouble = future.exception()
    if trouble is None:
        return told.CheckOut(ok=True, detail=future.result() or "It answers.")
    if isinstance(trouble, ToygresError):
        return told.CheckOut(ok=False, detail=str(trouble))
    # What a client library says may name hosts and users, and this page is open to all.
    log.warning("readiness_check_failed", check=name, error=type(trouble).__name__)
    return told.CheckOut(ok=False, detail="It doesn't answer.")
