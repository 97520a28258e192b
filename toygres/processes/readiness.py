"""Waiting for the page: one request, sent before the web process listens, answered as soon as it does."""

from __future__ import annotations

import select
import socket
import time
from dataclasses import dataclass, field

_PAUSE_SECONDS = 0.1


@dataclass
class Readiness:
    """Asks `/readyz` until the answer is 200; never blocks."""

    address: str
    port: int
    _connection: socket.socket | None = field(default=None, init=False, repr=False)
    _not_before: float = field(default=0.0, init=False, repr=False)
    answer: str = field(default="", init=False)

    def __call__(self) -> bool:
        """Whether the page has said that it's ready. Each call looks once."""
        if self._connection is None:
            if time.monotonic() >= self._not_before:
                self._ask()
            return False
        if not select.select([self._connection], [], [], 0)[0]:
            return False
        return self._read()

    def close(self) -> None:
        """Hang up."""
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    def _ask(self) -> None:
        question = f"GET /readyz HTTP/1.0\r\nHost: localhost:{self.port}\r\n\r\n"
        try:
            self._connection = socket.create_connection((self.address, self.port), timeout=1)
            self._connection.sendall(question.encode())
        except OSError as error:
            self._again(str(error))

    def _read(self) -> bool:
        assert self._connection is not None  # noqa: S101
        try:
            answer = self._connection.recv(65_536).decode(errors="replace")
        except OSError as error:
            answer = str(error)
        if answer.startswith(("HTTP/1.0 200", "HTTP/1.1 200")):
            self.close()
            return True
        self._again(answer.rpartition("\r\n")[2])
        return False

    def _again(self, answer: str) -> None:
        self.answer = answer or self.answer
        self._not_before = time.monotonic() + _PAUSE_SECONDS
        self.close()
