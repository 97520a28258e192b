"""Ports for instances that no other test process is given: a block of numbers, held by a lock on its file."""

from __future__ import annotations

import fcntl
import os
import socket
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path

# Above Toygres' own default, below what the system gives out.
_FIRST, _LAST, _COUNT = 21_000, 31_999, 16


@contextmanager
def reserved_block() -> Iterator[str]:
    """A range of ports as TOYGRES_INSTANCE_PORTS takes it; nobody listens on any of them now."""
    folder = Path(tempfile.gettempdir()) / f"toygres-test-ports-{os.geteuid()}"
    folder.mkdir(mode=0o700, exist_ok=True)
    for first in range(_FIRST, _LAST - _COUNT, _COUNT):
        with ExitStack() as stack:
            file = stack.enter_context((folder / str(first)).open("w"))
            with suppress(OSError):
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                for port in range(first, first + _COUNT):
                    socket.create_server(("127.0.0.1", port)).close()
                held = stack.pop_all()
                break
    else:
        raise AssertionError("every block of ports is taken")
    with held:
        yield f"{first}-{first + _COUNT - 1}"
