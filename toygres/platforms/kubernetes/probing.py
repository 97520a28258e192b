"""Whether an address can be reached from here; what can't be is remembered, since each try may take its whole time."""

from __future__ import annotations

import errno
import socket
import threading
import time
from enum import StrEnum
from queue import Empty, SimpleQueue

# A pod's address answers at once or not at all, and whoever waits for one that doesn't could be logged in by then.
_POD_SECONDS = 0.25
_NAME_SECONDS = 1.0
_FORGET_SECONDS = 60.0
# Where several pods are silent, and none answers, this process isn't in the cluster's network, and won't be soon.
_FORGET_ALL_SECONDS = 600.0
_SILENT_PODS = 2
_ALL = ""
_NOWHERE = frozenset({errno.ENETUNREACH, errno.EAFNOSUPPORT})


class Kind(StrEnum):
    """What the address is of."""

    BALANCER = "balancer"
    SERVICE = "service"
    POD = "pod"


class Probes:
    """Those of one process, for any number of threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._blocked: dict[tuple[Kind, str], float] = {}
        self._silent: set[str] = set()

    def open(self, kind: Kind, host: str, port: int) -> bool:
        """Whether the address is one that this machine can reach; a pod whose server isn't up is reached as well."""
        with self._lock:
            if time.monotonic() < max(self._blocked.get((kind, each), 0.0) for each in (host, _ALL)):
                return False
        trouble = _tried(host, port, _POD_SECONDS if kind is Kind.POD else _NAME_SECONDS)
        if trouble is None or (isinstance(trouble, ConnectionRefusedError) and kind is Kind.POD):
            self._answered(kind)
            return True
        if not isinstance(trouble, ConnectionRefusedError):
            self._block(kind, host, trouble)
        return False

    def _answered(self, kind: Kind) -> None:
        if kind is Kind.POD:
            with self._lock:
                self._silent.clear()

    def _block(self, kind: Kind, host: str, trouble: OSError) -> None:
        now = time.monotonic()
        with self._lock:
            if kind is Kind.POD:
                self._silent.add(host)
            self._blocked = {key: until for key, until in self._blocked.items() if until > now}
            if isinstance(trouble, socket.gaierror) or trouble.errno in _NOWHERE:
                # No such name, no such network: that is so for every host of the kind.
                self._blocked[kind, _ALL] = now + _FORGET_SECONDS
            elif kind is Kind.POD and len(self._silent) >= _SILENT_PODS:
                self._blocked[kind, _ALL] = now + _FORGET_ALL_SECONDS
            else:
                self._blocked[kind, host] = now + _FORGET_SECONDS


def _tried(host: str, port: int, seconds: float) -> OSError | None:
    """What kept us from connecting within so many seconds, None when nothing did."""
    came: SimpleQueue[OSError | None] = SimpleQueue()
    # A look-up of a name knows no time-out.
    threading.Thread(target=_try, args=(host, port, seconds, came), name="probe", daemon=True).start()
    try:
        return came.get(timeout=seconds)
    except Empty:
        return TimeoutError()


def _try(host: str, port: int, seconds: float, came: SimpleQueue[OSError | None]) -> None:
    try:
        socket.create_connection((host, port), timeout=seconds).close()
    except OSError as trouble:
        came.put(trouble)
    else:
        came.put(None)
