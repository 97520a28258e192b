"""The control plane's own way to a server: its Service where that can be reached, else its pod, else a port-forward."""

from __future__ import annotations

import errno
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial

from toygres.domain.instance import Endpoint, Way
from toygres.errors import Cause
from toygres.platforms.kubernetes.causes import login
from toygres.platforms.kubernetes.client import Cluster
from toygres.platforms.kubernetes.forward import Forward, forward

_TRY_SECONDS = 1.0
# What couldn't be reached isn't tried again before that: each try may take as long as it has.
_FORGET_SECONDS = 60.0
_ALL = ""
_NOWHERE = frozenset({errno.ENETUNREACH, errno.EAFNOSUPPORT})


class Ways:
    """Finds the ways of one process, and remembers which kinds didn't lead anywhere."""

    def __init__(self, cluster: Cluster) -> None:
        self._cluster = cluster
        self._lock = threading.Lock()
        self._blocked: dict[tuple[str, str], float] = {}

    @contextmanager
    def to(
        self,
        endpoint: Endpoint,
        authority: str,
        namespace: str,
        pod: str,
        address: str | None,
        balanced: Endpoint | None = None,
    ) -> Iterator[Way]:
        """A way to the server behind the Service `endpoint`; `pod` is its pod, `address` where that is, if known.

        `balanced` is where clients come from outside of the cluster, if they do.
        """
        if balanced is not None and self._open("balancer", balanced.host, balanced.port):
            yield Way(endpoint=balanced, authority=authority, told="through its load balancer", explain=login.cause)
            return
        unproved = "that its load balancer leads there" if balanced else ""
        known = partial(Way, endpoint=endpoint, authority=authority)
        if self._open("service", endpoint.host, endpoint.port):
            yield known(told="through its Service", unproved=unproved, explain=login.cause)
        elif address is not None and self._open("pod", address, endpoint.port):
            yield known(
                address=address,
                told="at its pod's address",
                unproved="that its Service leads there",
                explain=login.cause,
            )
        else:
            with forward(self._cluster, namespace, pod, endpoint.port) as held:
                yield known(
                    address="127.0.0.1",
                    port=held.port,
                    told="through a port-forward",
                    unproved="that its Service and its network policy let anybody in",
                    explain=_explaining(held),
                )

    def _open(self, kind: str, host: str, port: int) -> bool:
        """Whether the address is one that this machine can reach; a server that isn't up yet is reached as well."""
        with self._lock:
            if time.monotonic() < max(self._blocked.get((kind, each), 0.0) for each in (host, _ALL)):
                return False
        try:
            socket.create_connection((host, port), timeout=_TRY_SECONDS).close()
        except ConnectionRefusedError:
            return kind == "pod"
        except OSError as error:
            # No such name, no such network: that is so for every host of the kind. A silent one speaks for itself.
            blocked = _ALL if isinstance(error, socket.gaierror) or error.errno in _NOWHERE else host
            with self._lock:
                self._blocked = {key: until for key, until in self._blocked.items() if until > time.monotonic()}
                self._blocked[kind, blocked] = time.monotonic() + _FORGET_SECONDS
            return False
        return True


def _explaining(held: Forward) -> Callable[[str], Cause | None]:
    return lambda said: held.cause or login.cause(said)
