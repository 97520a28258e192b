"""A small API server whose every answer a test writes itself, spoken to over real HTTP by the real client library."""

from __future__ import annotations

import json
import socket
import ssl
import struct
import tempfile
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlsplit

PATIENCE = 20.0


@dataclass
class Asked:
    """One request as it came."""

    method: str
    path: str
    query: dict[str, str]
    headers: dict[str, str]
    body: Any = None


@dataclass
class Reply:
    """The answer to one request, given bit by bit."""

    handler: BaseHTTPRequestHandler
    released: threading.Event
    chunked: bool = False

    def json(self, status: int, body: Any, **headers: str) -> None:
        """Answer at once and whole."""
        self.text(status, json.dumps(body), "application/json", **headers)

    def text(self, status: int, text: str, kind: str = "text/plain", **headers: str) -> None:
        """Answer at once with a text."""
        data = text.encode()
        self.handler.send_response(status)
        for name, value in {"Content-Type": kind, "Content-Length": str(len(data)), **headers}.items():
            self.handler.send_header(name.replace("_", "-"), value)
        self.handler.end_headers()
        self.handler.wfile.write(data)

    def refuse(self, status: int, reason: str, message: str, details: Any = None, **headers: str) -> None:
        """Answer with a `Status`."""
        body = {"kind": "Status", "status": "Failure", "code": status, "reason": reason, "message": message}
        self.json(status, {**body, **({"details": details} if details else {})}, **headers)

    def begin(self, *, chunked: bool = True) -> None:
        """Begin a watch's answer."""
        self.chunked = chunked
        self.handler.send_response(200)
        self.handler.send_header("Content-Type", "application/json")
        if chunked:
            self.handler.send_header("Transfer-Encoding", "chunked")
        else:
            self.handler.send_header("Connection", "close")
        self.handler.end_headers()

    def event(self, kind: str, found: Any) -> None:
        """One event of a watch."""
        self.bytes(json.dumps({"type": kind, "object": found}).encode() + b"\n")

    def bytes(self, data: bytes) -> None:
        """Any part of a watch's answer."""
        frame = b"%x\r\n%s\r\n" % (len(data), data) if self.chunked else data
        self.handler.wfile.write(frame)

    def end(self) -> None:
        """End a watch's answer in good order."""
        if self.chunked:
            self.handler.wfile.write(b"0\r\n\r\n")
        else:
            self.handler.close_connection = True

    def hang(self) -> None:
        """Say nothing more until the stub goes, or the client does."""
        self.handler.connection.settimeout(PATIENCE)
        with suppress(OSError):
            while not self.released.is_set() and self.handler.connection.recv(4096):
                pass
        self.handler.close_connection = True

    def reset(self) -> None:
        """Tear the connection down."""
        connection = self.handler.connection
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.handler.close_connection = True
        self.handler.wfile = open("/dev/null", "wb")  # noqa: PTH123, SIM115
        connection.close()


Answers = Callable[[Asked, Reply], None]


@dataclass
class StubApi:
    """The server; `asked` are all requests so far."""

    url: str
    folder: Path
    answers: list[Answers] = field(default_factory=list)
    asked: list[Asked] = field(default_factory=list)
    authority: Path | None = None

    def kubeconfig(self, token: str = "token-1", **clusters: Any) -> str:  # noqa: S107
        """Write a kubeconfig for this server; its path."""
        cluster: dict[str, Any] = {"server": self.url, **clusters}
        if self.authority:
            cluster["certificate-authority"] = str(self.authority)
        path = self.folder / "kubeconfig"
        path.write_text(
            json.dumps(
                {
                    "apiVersion": "v1",
                    "kind": "Config",
                    "current-context": "stub",
                    "clusters": [{"name": "stub-cluster", "cluster": cluster}],
                    "users": [{"name": "stub-user", "user": {"token": token}}],
                    "contexts": [
                        {"name": name, "context": {"cluster": "stub-cluster", "user": "stub-user"}}
                        for name in ("stub", "other")
                    ],
                }
            )
        )
        return str(path)

    def does(self, *answers: Answers) -> None:
        """Answer the next requests so, the last way for ever."""
        self.answers[:] = answers

    def paths(self) -> list[str]:
        """`METHOD /path` of all requests so far."""
        return [f"{asked.method} {asked.path}" for asked in self.asked]


@contextmanager
def stub_api(tls: ssl.SSLContext | None = None, authority: Path | None = None) -> Iterator[StubApi]:
    """A server on 127.0.0.1, over TLS if told so, until the end of the block."""
    released = threading.Event()
    lock = threading.Lock()
    connections: set[socket.socket] = set()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def setup(self) -> None:
            super().setup()
            with lock:
                connections.add(self.connection)

        def handle(self) -> None:
            with suppress(OSError):
                super().handle()

        def finish(self) -> None:
            with suppress(OSError):
                super().finish()

        def log_message(self, *_: Any) -> None:
            pass

        def answer(self) -> None:
            parts = urlsplit(self.path)
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            asked = Asked(
                self.command,
                parts.path,
                dict(parse_qsl(parts.query)),
                {name.lower(): value for name, value in self.headers.items()},
                json.loads(body) if body else None,
            )
            with lock:
                api.asked.append(asked)
                answer = api.answers.pop(0) if len(api.answers) > 1 else api.answers[0]
            with suppress(OSError):
                answer(asked, Reply(self, released))

    for method in ("GET", "POST", "PATCH", "DELETE"):
        setattr(Handler, f"do_{method}", Handler.answer)
    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    server.handle_error = lambda *_: None  # type: ignore[method-assign]
    if tls is not None:
        server.socket = tls.wrap_socket(server.socket, server_side=True, do_handshake_on_connect=False)
    with tempfile.TemporaryDirectory() as folder:
        scheme = "https" if tls else "http"
        api = StubApi(f"{scheme}://127.0.0.1:{server.server_port}", Path(folder), authority=authority)
        thread = threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True)
        thread.start()
        try:
            yield api
        finally:
            released.set()
            with lock:
                _shut(connections)
            server.shutdown()
            server.server_close()
            thread.join()


def _shut(connections: set[socket.socket]) -> None:
    for connection in connections:
        with suppress(OSError):
            socket.socket.shutdown(connection, socket.SHUT_RDWR)
