"""A connection for long requests that another thread may cut at any time, whatever its owner waits for."""

from __future__ import annotations

import socket
import threading
from contextlib import suppress
from typing import Any

from toygres.platforms.kubernetes.access import new_client


class Line:
    """Cuts its connection when told to: a read that waits ends at once, a connect as soon as it is through."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._connection: Any = None
        self._socket: Any = None
        self._client: Any = None
        self._cut = threading.Event()

    @property
    def is_cut(self) -> bool:
        """Whether it was cut; it stays so."""
        return self._cut.is_set()

    def rest(self, seconds: float) -> None:
        """Wait for so long, or until it is cut."""
        self._cut.wait(seconds)

    def cut(self) -> None:
        """End what goes on on the line, and whatever is begun on it later."""
        with self._lock:
            self._cut.set()
            self._shut()

    def client(self, configuration: Any) -> Any:
        """The library's client on this line; another one when the configuration is another one."""
        if self._client is None or self._client.configuration is not configuration:
            self.close()
            self._client = new_client(configuration)
            self._client.rest_client.pool_manager.pool_classes_by_scheme = _pools(self)
        return self._client

    def close(self) -> None:
        """Close the connection, if nothing goes on on it."""
        if self._client is not None:
            self._client.rest_client.close()

    def hold(self, connection: Any) -> None:
        """Be the line of this connection, which is about to be made."""
        with self._lock:
            self._connection, self._socket = connection, None

    def connected(self) -> None:
        """The connection stands; end it at once if the line was cut meanwhile."""
        with self._lock:
            # Kept beside the connection, which lets go of it when the answer has no end but the connection's.
            self._socket = self._connection.sock
            if self._cut.is_set():
                self._shut()

    def _shut(self) -> None:
        found = self._socket or getattr(self._connection, "sock", None)
        if found is not None:
            # An SSLSocket's own shutdown would first forget its keys, below the feet of who is reading.
            with suppress(OSError, TypeError):
                socket.socket.shutdown(getattr(found, "socket", found), socket.SHUT_RDWR)


def _pools(line: Line) -> dict[str, Any]:
    from urllib3.connection import HTTPConnection, HTTPSConnection
    from urllib3.connectionpool import HTTPConnectionPool, HTTPSConnectionPool

    class Plain(HTTPConnection):
        def connect(self) -> None:
            line.hold(self)
            super().connect()
            line.connected()

    class Secure(HTTPSConnection):
        def connect(self) -> None:
            line.hold(self)
            super().connect()
            line.connected()

    class PlainPool(HTTPConnectionPool):
        ConnectionCls = Plain

    class SecurePool(HTTPSConnectionPool):
        ConnectionCls = Secure

    return {"http": PlainPool, "https": SecurePool}
