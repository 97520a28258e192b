"""How gunicorn serves the page and the API: one process with many threads, since requests mostly wait."""

from __future__ import annotations

import os
import socket
import struct
from typing import Any

from toygres import memory
from toygres.config import settings

# A client that stops in the middle of a request holds a thread for no longer.
_SILENCE_SECONDS = 10
_MEMORY = "/dev/shm"  # noqa: S108
_settings = settings()
_address = f"[{_settings.bind}]" if ":" in _settings.bind else _settings.bind

# `up` hands its own listening socket on with --bind, which wins.
bind = f"{_address}:{_settings.port}"
worker_class = "gthread"
workers = 1
threads = 32
timeout = 60
# Whoever waits in a long poll asks again: stopping needn't wait for them.
graceful_timeout = 1
keepalive = 5
control_socket_disable = True
errorlog = "-"
# Its heartbeat file must not wait for a disk.
worker_tmp_dir = _MEMORY if os.access(_MEMORY, os.W_OK | os.X_OK) else None


def when_ready(server: Any) -> None:
    """Bound the wait for each part of a request: connections inherit it from the socket that they came to."""
    memory.give_back()
    for listener in server.LISTENERS:
        listener.sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVTIMEO, struct.pack("ll", _SILENCE_SECONDS, 0))


def post_worker_init(_: Any) -> None:
    """The app is imported."""
    memory.give_back()
