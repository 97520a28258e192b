"""The API server's end of a port-forward, frame by frame, for a stub's answers; and a server to lead to."""

from __future__ import annotations

import base64
import hashlib
import socket
import struct
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress

from stub_api import Reply

_GUID = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
BINARY, CLOSE, PING, PONG = 2, 8, 9, 10


class FarEnd:
    """A WebSocket after its handshake, as the server has it."""

    def __init__(self, reply: Reply) -> None:
        handler = reply.handler
        accept = base64.b64encode(
            hashlib.sha1(handler.headers["Sec-WebSocket-Key"].encode() + _GUID, usedforsecurity=False).digest()
        )
        handler.send_response(101)
        offered = handler.headers["Sec-WebSocket-Protocol"].split(",")
        for name, value in {
            "Upgrade": "websocket",
            "Connection": "Upgrade",
            "Sec-WebSocket-Accept": accept.decode(),
            "Sec-WebSocket-Protocol": offered[0].strip(),
        }.items():
            handler.send_header(name, value)
        handler.end_headers()
        handler.close_connection = True
        self._in, self._out = handler.rfile, handler.wfile

    def greet(self, port: int = 5432) -> None:
        """The first message of both channels."""
        for channel in (0, 1):
            self.send(bytes([channel]) + struct.pack("<H", port))

    def send(self, payload: bytes, kind: int = BINARY, *, last: bool = True) -> None:
        """One frame; `kind` 0 goes on with the one before."""
        self._out.write(frame(payload, kind, last=last))

    def write(self, data: bytes) -> None:
        """Any bytes, so that several frames come in one piece."""
        self._out.write(data)

    def receive(self) -> tuple[int, bytes]:
        """The next frame's kind and content."""
        head = self._read(2)
        assert head[1] & 0x80, "a client masks"
        length = head[1] & 0x7F
        if length == 126:
            length = struct.unpack("!H", self._read(2))[0]
        elif length == 127:
            length = struct.unpack("!Q", self._read(8))[0]
        mask = self._read(4)
        content = bytes(byte ^ mask[at % 4] for at, byte in enumerate(self._read(length)))
        return head[0] & 0x0F, content

    def _read(self, many: int) -> bytes:
        data = self._in.read(many)
        if len(data) < many:
            raise ConnectionResetError
        return bytes(data)


def frame(payload: bytes, kind: int = BINARY, *, last: bool = True) -> bytes:
    """A server's frame as it is on the wire."""
    first = bytes([kind | (0x80 if last else 0)])
    if len(payload) < 126:
        return first + bytes([len(payload)]) + payload
    if len(payload) < 1 << 16:
        return first + b"\x7e" + struct.pack("!H", len(payload)) + payload
    return first + b"\x7f" + struct.pack("!Q", len(payload)) + payload


@contextmanager
def tcp_server(serve: Callable[[socket.socket], None]) -> Iterator[tuple[str, int]]:
    """A server on loopback that runs `serve` for each connection, on a thread each; its address."""
    listener = socket.create_server(("127.0.0.1", 0))

    def accept() -> None:
        with suppress(OSError):
            while True:
                connection, _ = listener.accept()
                threading.Thread(target=one, args=(connection,), daemon=True).start()

    def one(connection: socket.socket) -> None:
        with suppress(OSError), connection:
            serve(connection)

    threading.Thread(target=accept, daemon=True).start()
    try:
        yield listener.getsockname()
    finally:
        with suppress(OSError):
            listener.shutdown(socket.SHUT_RDWR)
        listener.close()


def echo(connection: socket.socket) -> None:
    """Send back whatever comes."""
    while data := connection.recv(65536):
        connection.sendall(data)
