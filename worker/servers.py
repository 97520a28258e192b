"""Local servers that live and end with the worker: in a container all processes end with the first one.

No second worker may share such a home: from another container it would see none of the servers' processes, take
them for dead and start others on the same data.
"""

from __future__ import annotations

from contextlib import ExitStack

import structlog

from toygres.config import Settings
from toygres.errors import Cause, CauseCode, Misconfigured, ToygresError, Unavailable
from toygres.platforms.local.locks import locked
from toygres.platforms.local.platform import LocalPlatform
from toygres.processes.servers import Servers
from toygres.services import Services
from toygres.store import instances
from toygres.store.servers import found_gone

log = structlog.get_logger(__name__)

_LOCK_SECONDS = 2.0
_STOP_SECONDS = 45.0
# To have the DB know it.
_TELL_SECONDS = 10.0
_STOPPED = Cause(
    code=CauseCode.SHUT_DOWN,
    message="The worker was stopped, and the server with it.",
    remedy="Start the worker: it runs the server again.",
)
# What is to be done when this process ends; the lock is given back last.
_AT_THE_END = ExitStack()


def begin(services: Services) -> None:
    """Take the home's servers for this worker's own, and run those that should run.

    Raises Misconfigured when another worker has them.
    """
    if not services.settings.servers_end_with_worker:
        return
    home = services.settings.home_folder
    home.make()
    try:
        _AT_THE_END.enter_context(locked(home.path / "servers.lock", _LOCK_SECONDS))
    except Unavailable:
        raise Misconfigured(
            f"Another worker runs the local servers of {home.path}.",
            "Run one worker only, or give each a home and a metadata DB of its own.",
        ) from None
    for platform in services.platforms.values():
        if isinstance(platform, LocalPlatform):
            _take_over(services, platform)


def ending_seconds(settings: Settings) -> float:
    """What `end` may take."""
    return _STOP_SECONDS + _TELL_SECONDS if settings.servers_end_with_worker else 0.0


def end() -> None:
    """Stop the servers properly, once no step runs any more; the next worker runs them again."""
    _AT_THE_END.close()


def _take_over(services: Services, platform: LocalPlatform) -> None:
    url = services.settings.database_url.get_secret_value() if services.settings.database_url else ""
    mine = Servers(services.settings, lambda sentence: log.warning("servers", said=sentence))
    mine.take_over(url)
    _AT_THE_END.callback(_stop, mine, url, platform.name)
    for instance in instances.with_servers(services.store, platform.name):
        try:
            if platform.resume(instance.id, instance.port or 0, instance.spec.version):
                log.info("server_resumed", instance=instance.name)
        except (ToygresError, OSError) as error:
            # One server's trouble must not keep the others from running; who looks at ready ones sees it next.
            log.error("server_not_resumed", instance=instance.name, exc_info=error)


def _stop(mine: Servers, url: str, platform: str) -> None:
    left = mine.end(_STOP_SECONDS)
    try:
        found_gone(url, platform, left, cause=_STOPPED, actor="worker")
    except Unavailable:
        log.warning("stopped_without_word")
