"""How gunicorn serves the page and the API: one process with many threads, since requests mostly wait."""

from __future__ import annotations

from pathlib import Path

from toygres.config import settings

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
worker_tmp_dir = "/dev/shm" if Path("/dev/shm").is_dir() else None  # noqa: S108
