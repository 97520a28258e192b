"""What `pg_isready` finds out, without a process for each look: whether a server would let clients log in now."""

from __future__ import annotations

import socket
import struct

_PROTOCOL = 3 << 16
_STARTING_UP = b"C57P03\0"
_SECONDS = 1.0


def accepts(host: str, port: int) -> bool:
    """Whether it answers a client's first message, if only by asking for a password or refusing that client."""
    fields = b"user\0postgres\0database\0postgres\0\0"
    try:
        with socket.create_connection((host, port), timeout=_SECONDS) as client:
            client.sendall(struct.pack("!ii", 8 + len(fields), _PROTOCOL) + fields)
            answer = client.recv(4096)
    except OSError:
        return False
    return answer[:1] == b"R" or (answer[:1] == b"E" and _STARTING_UP not in answer)
