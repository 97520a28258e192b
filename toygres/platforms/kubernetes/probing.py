"""Which addresses lead to an instance's server from here; those that don't are remembered, since each try takes time.

Something else may answer at a pod's address: a proxy that takes all connections, a network that has the same addresses
as the cluster's. So the first of each kind must prove, by a certificate of the project's authority, that it leads into
the cluster; those after it need only connect. A refusal is as much as silence: some network policies are kept that way.
"""

from __future__ import annotations

import errno
import socket
import threading
import time
from enum import StrEnum
from queue import Empty, SimpleQueue
from typing import Any

from toygres import postgres

# A pod's address answers at once or not at all, and whoever waits for one that doesn't could be logged in by then.
_POD_SECONDS = 0.25
_NAME_SECONDS = 1.0
_GREETING_SECONDS = 2.0
_FORGET_SECONDS = 60.0
# Where several pods are silent, and none answers, this process isn't in the cluster's network, and won't be soon.
_LONG_SECONDS = 600.0
_SILENT_PODS = 2
_ALL = ""
_NOWHERE = frozenset({errno.ENETUNREACH, errno.EAFNOSUPPORT})


class Kind(StrEnum):
    """What the address is of."""

    BALANCER = "balancer"
    SERVICE = "service"
    POD = "pod"


class _Unresolved(TimeoutError):
    """Whoever knows names doesn't answer: so it is for every name."""


class Probes:
    """Those of one process, for any number of threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._blocked: dict[tuple[Kind, str], float] = {}
        self._proved: dict[Kind, float] = {}
        self._silent: dict[str, float] = {}

    def open(self, kind: Kind, host: str, port: int, authority: str, name: str) -> bool:
        """Whether a server can be reached there; `authority` signed its certificate (PEM), which is for `name`."""
        now = time.monotonic()
        with self._lock:
            if now < max(self._blocked.get((kind, each), 0.0) for each in (host, _ALL)):
                return False
            # What a load balancer leads to is what clients meet, whatever that is.
            proved = kind is Kind.BALANCER or now < self._proved.get(kind, 0.0)
        trouble = _tried(
            host, port, _POD_SECONDS if kind is Kind.POD else _NAME_SECONDS, None if proved else (authority, name)
        )
        if trouble is None:
            self._answered(kind, proved=proved)
        elif not isinstance(trouble, ConnectionRefusedError):
            self._block(kind, host, trouble)
        return trouble is None

    def _answered(self, kind: Kind, *, proved: bool) -> None:
        with self._lock:
            if not proved:
                self._proved[kind] = time.monotonic() + _LONG_SECONDS
            # Whoever reaches Services is in the cluster's network.
            if kind is not Kind.BALANCER:
                self._silent.clear()

    def _block(self, kind: Kind, host: str, trouble: OSError) -> None:
        now = time.monotonic()
        with self._lock:
            if kind is Kind.POD and isinstance(trouble, TimeoutError):
                self._silent = {each: at for each, at in self._silent.items() if at > now - _FORGET_SECONDS}
                self._silent[host] = now
            self._blocked = {key: until for key, until in self._blocked.items() if until > now}
            if isinstance(trouble, socket.gaierror | _Unresolved) or trouble.errno in _NOWHERE:
                # No such name, no such network: that is so for every host of the kind.
                self._blocked[kind, _ALL] = now + _FORGET_SECONDS
            elif kind is Kind.POD and len(self._silent) >= _SILENT_PODS:
                self._blocked[kind, _ALL] = now + _LONG_SECONDS
            else:
                self._blocked[kind, host] = now + _FORGET_SECONDS


def _tried(host: str, port: int, seconds: float, proof: tuple[str, str] | None) -> OSError | None:
    """What kept us from connecting within so many seconds, None when nothing did; the proof has its own time."""
    came: SimpleQueue[OSError | None] = SimpleQueue()
    resolved = threading.Event()

    def attempt() -> None:
        try:
            addresses = [found[4][:2] for found in socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)]
            resolved.set()
            _connect(addresses[0], seconds, proof)
        except OSError as trouble:
            came.put(trouble)
        else:
            came.put(None)

    # A look-up of a name knows no time-out.
    threading.Thread(target=attempt, name="probe", daemon=True).start()
    try:
        return came.get(timeout=seconds + (_GREETING_SECONDS if proof else 0.0))
    except Empty:
        return TimeoutError() if resolved.is_set() else _Unresolved()


def _connect(address: tuple[Any, ...], seconds: float, proof: tuple[str, str] | None) -> None:
    with socket.create_connection((str(address[0]), int(address[1])), timeout=seconds) as line:
        if proof is not None:
            line.settimeout(_GREETING_SECONDS)
            postgres.greet(line, *proof)
