"""A port of this machine that leads to a port of a pod, through the API server: for where pods can't be reached.

Its far end is `localhost` inside the pod, so it proves nothing about Service, NetworkPolicy or remote addresses.
"""

from __future__ import annotations

import selectors
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress

from toygres.errors import Cause, CauseCode, Misconfigured, Refused, Unavailable
from toygres.platforms.kubernetes.client import Cluster
from toygres.platforms.kubernetes.tunnel import Tunnel

_PORT = 5432
_CONNECT_SECONDS = 5.0
_BACKLOG = 64


class Forward:
    """What is held while a forward stands: `port` of 127.0.0.1, for any number of connections at once."""

    def __init__(self, cluster: Cluster, namespace: str, pod: str, port: int, seconds: float) -> None:
        self._cluster, self._namespace, self._pod, self._to, self._seconds = cluster, namespace, pod, port, seconds
        self._lock = threading.Lock()
        self._closing = False
        self._cause: Cause | None = None
        self._served: dict[threading.Thread, tuple[socket.socket, Tunnel]] = {}
        self._listener = socket.create_server(("127.0.0.1", 0), backlog=_BACKLOG)
        self._waker, self._wakened = socket.socketpair()
        self.port = int(self._listener.getsockname()[1])
        self._acceptor = threading.Thread(target=self._accept, name=f"forward-{pod}", daemon=True)
        self._acceptor.start()

    @property
    def cause(self) -> Cause | None:
        """Why the newest connection didn't get through; None when it did. Known before its client sees it close."""
        with self._lock:
            return self._cause

    def close(self) -> None:
        """End every connection; all threads and sockets are gone when it returns.

        Takes at most as long as one may take to connect.
        """
        with self._lock:
            self._closing = True
            served = dict(self._served)
        self._waker.send(b"!")
        self._acceptor.join()
        for near, tunnel in served.values():
            _end(near, tunnel)
        for thread in served:
            thread.join()
        for each in (self._waker, self._wakened, self._listener):
            each.close()

    def _accept(self) -> None:
        with selectors.DefaultSelector() as selector:
            selector.register(self._listener, selectors.EVENT_READ)
            selector.register(self._wakened, selectors.EVENT_READ)
            while not any(key.fileobj is self._wakened for key, _ in selector.select()):
                near, _ = self._listener.accept()
                self._begin(near)

    def _begin(self, near: socket.socket) -> None:
        tunnel = Tunnel(self._cluster, self._namespace, self._pod, self._to, self._seconds)
        thread = threading.Thread(target=self._serve, args=(near, tunnel), name=f"forward-{self._pod}", daemon=True)
        with self._lock:
            if self._closing:
                near.close()
                return
            self._cause = None
            self._served[thread] = near, tunnel
        thread.start()

    def _serve(self, near: socket.socket, tunnel: Tunnel) -> None:
        try:
            tunnel.connect()
            with self._lock:
                closing = self._closing
            if not closing:
                self._carry(near, tunnel)
        except (Refused, Unavailable, Misconfigured) as why:
            self._failed(_cause_of(why))
        finally:
            near.close()
            tunnel.close()
            with self._lock:
                self._served.pop(threading.current_thread(), None)

    def _carry(self, near: socket.socket, tunnel: Tunnel) -> None:
        tunnel.carry(near)
        if tunnel.said:
            self._failed(_refused_inside(self._pod, self._to, tunnel.said))

    def _failed(self, cause: Cause) -> None:
        with self._lock:
            if not self._closing:
                self._cause = cause


@contextmanager
def forward(
    cluster: Cluster, namespace: str, pod: str, port: int = _PORT, *, connect_seconds: float = _CONNECT_SECONDS
) -> Iterator[Forward]:
    """A port of 127.0.0.1 that leads to `port` of the pod for as long as it is held.

    Each connection to it makes one of its own, which goes by the pod's name: a pod that took another's place is met by
    the next. Raises OSError when no port can be opened; trouble on the way is in `cause`.
    """
    held = Forward(cluster, namespace, pod, port, connect_seconds)
    try:
        yield held
    finally:
        held.close()


def _end(near: socket.socket, tunnel: Tunnel) -> None:
    with suppress(OSError):
        near.shutdown(socket.SHUT_RDWR)
    tunnel.cut()


def _cause_of(why: Refused | Unavailable | Misconfigured) -> Cause:
    if isinstance(why, Refused):
        return why.cause
    if isinstance(why, Unavailable) and why.cause is not None:
        return why.cause
    return Cause(code=CauseCode.PLATFORM_UNREACHABLE, message=why.message, remedy=why.remedy)


def _refused_inside(pod: str, port: int, said: str) -> Cause:
    words = " ".join(said.split())
    if "connection refused" in words:
        return Cause(
            code=CauseCode.CONNECTION_REFUSED,
            message=f"Nothing listens on port {port} in pod {pod} yet.",
            remedy="Wait: it is tried again by itself; look at the pod's log if it stays so.",
            evidence=(words,),
        )
    return Cause(
        code=CauseCode.PLATFORM_UNREACHABLE,
        message=f"The way to port {port} of pod {pod} through the API server broke: {words}",
        remedy="Wait: it is tried again by itself; see that the pod's node can be reached.",
        evidence=(words,),
    )
