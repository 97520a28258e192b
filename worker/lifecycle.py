"""When a worker process begins and ends."""

from __future__ import annotations

from typing import Any

import structlog
from celery.signals import setup_logging, worker_init, worker_ready, worker_shutdown

from toygres import logs, memory
from toygres.config import settings
from toygres.errors import ToygresError
from toygres.services import connect
from worker import runtime, servers
from worker.consumer import SafeConsumer

log = structlog.get_logger(__name__)


@setup_logging.connect
def log_as_we_do(**_: Any) -> None:
    """Celery's lines in our format; that this is connected keeps Celery from setting up its own."""
    logs.configure(settings(), "worker")


@worker_init.connect
def arrive(**_: Any) -> None:
    """Reach the metadata DB before the first message is taken."""
    found = settings()
    try:
        services = connect(found, connections=found.worker_slots + 4)
        servers.begin(services)
        runtime.begin(services)
    except ToygresError as error:
        log.error("worker_cannot_start", reason=str(error))
        raise SystemExit(78) from error
    except Exception as error:
        # Celery would swallow it, and take messages that nobody can carry out.
        log.error("worker_cannot_start", exc_info=error)
        raise SystemExit(1) from error


@worker_ready.connect
def start(sender: SafeConsumer, **_: Any) -> None:
    """Beat, sweep and observe from now on, and end as we do: Celery's own ways wait for steps without bound."""
    runtime.runtime().start(sender)
    memory.give_back()


@worker_shutdown.connect
def leave(**_: Any) -> None:
    """Let others take over at once, and stop the servers that end with us."""
    runtime.end()
