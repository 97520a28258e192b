"""Choosing the ports of the page and of Flower: a taken default gives way, a taken choice is an error."""

from __future__ import annotations

import errno
import os
import socket
from collections.abc import Callable

from toygres.config import Settings, variable
from toygres.errors import Misconfigured


def listen(settings: Settings, setting: str, say: Callable[[str], None]) -> socket.socket:
    """A listening socket on the port in `setting`, else on a free one, which is said.

    Raises Misconfigured when the port was set and is taken, or when the address isn't this machine's.
    """
    wanted: int = getattr(settings, setting)
    try:
        return _bound(settings.bind, wanted)
    except OSError as error:
        if error.errno != errno.EADDRINUSE:
            raise Misconfigured(
                f"Nothing can listen on {settings.bind}:{wanted}: {error.strerror}.",
                f"Correct {variable('bind')} or {variable(setting)}.",
            ) from None
    if variable(setting) in os.environ:
        raise Misconfigured(
            f"Port {wanted}, which {variable(setting)} names, is taken.", "Free it or name another one; 0 is any."
        )
    free = _bound(settings.bind, 0)
    say(f"Port {wanted} is taken: using {port_of(free)} instead.")
    return free


def port_of(listening: socket.socket) -> int:
    """The port that a socket is bound to."""
    port: int = listening.getsockname()[1]
    return port


def _bound(address: str, port: int) -> socket.socket:
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    return socket.create_server((address, port), family=family, backlog=128)
