"""The Celery application: its settings, with the trap behind each that isn't a matter of taste."""

from __future__ import annotations

import time
from typing import Any

from celery import Celery
from celery.signals import before_task_publish, celeryd_init

from toygres.config import settings
from toygres.errors import Misconfigured
from worker import beat

QUEUE = "steps"
# Seconds between two calls of the sweep by beat; workers sweep by themselves, oftener.
BEAT_SECONDS = 10.0

celery = Celery("toygres", include=["worker.tasks", "worker.lifecycle", "worker.pulse"])


def configuration() -> dict[str, Any]:
    """Celery's settings, read when first needed. Raises Misconfigured when there is no broker to find."""
    found = settings()
    if found.redis_url is None:
        raise Misconfigured(
            "REDIS_URL isn't set, and no `toygres up` runs in this home.", "Start one, or set REDIS_URL."
        )
    return {
        "broker_url": found.redis_url.get_secret_value(),
        # The metadata DB holds the results.
        "result_backend": None,
        "task_ignore_result": True,
        "task_serializer": "json",
        "accept_content": ["json"],
        "task_default_queue": QUEUE,
        "task_acks_late": True,
        "task_reject_on_worker_lost": True,
        "worker_prefetch_multiplier": 1,
        "worker_pool": "threads",
        "worker_concurrency": found.worker_slots,
        "worker_consumer": "worker.consumer:SafeConsumer",
        "worker_hijack_root_logger": False,
        "worker_send_task_events": True,
        "task_send_sent_event": True,
        "broker_connection_retry_on_startup": True,
        "broker_connection_max_retries": None,
        # A full or newly forbidding broker refuses commands; a worker that ended for it would end again and again.
        "broker_channel_error_retry": True,
        # A limit set by hand keeps messages in a worker's memory, unseen by the queue and for an hour if need be.
        "worker_disable_rate_limits": True,
        # As many as the web process has threads: none waits for another's connection to a silent broker.
        "broker_pool_limit": 32,
        "broker_transport_options": {
            **_shared_options(found.redis_prefix),
            # A broker that accepts and never answers must not hold a request for longer than this.
            "socket_timeout": 0.25,
            "socket_connect_timeout": 0.25,
        },
        "task_publish_retry_policy": {
            "max_retries": 1,
            "interval_start": 0,
            "interval_step": 0.1,
            "interval_max": 0.1,
        },
        "beat_schedule": {
            "sweep": {"task": "sweep", "schedule": BEAT_SECONDS, "options": {"expires": BEAT_SECONDS}},
        },
    }


def _shared_options(prefix: str) -> dict[str, Any]:
    return {
        "global_keyprefix": prefix,
        # Far above any step: recovery is the sweep's, and a shorter time runs a long step several times.
        "visibility_timeout": 21_600,
        "unacked_restore_interval": 10,
        "unacked_restore_throttle": 1,
    }


celery.add_defaults(configuration)
beat.offer(celery)


def patience() -> dict[str, Any]:
    """Transport options for a connection that waits in BRPOP for a second at a time: more than a publisher's."""
    return {"socket_timeout": 10, "socket_connect_timeout": 3, "socket_keepalive": True, "health_check_interval": 5}


@celeryd_init.connect
def be_patient(conf: Any = None, instance: Any = None, **_: Any) -> None:
    """A worker's slots and its sweep publish, too: no request waits for them, but they must not hang."""
    # Its banner goes to where its log goes, and on a full disk the worker would end for it; log lines just get lost.
    instance.quiet = True
    conf.broker_transport_options = {
        **_shared_options(settings().redis_prefix),
        "socket_timeout": 1.0,
        "socket_connect_timeout": 1.0,
    }


@before_task_publish.connect
def stamp(headers: dict[str, Any] | None = None, **_: Any) -> None:
    """Write down when a message was published: the sweep asks the queue for its oldest one."""
    if headers is not None:
        headers["published_at"] = time.time()
