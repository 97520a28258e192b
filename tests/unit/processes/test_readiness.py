from __future__ import annotations

import select
import socket
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from toygres.processes.readiness import Readiness

ANSWERS = [(503, b"the broker doesn't answer"), (200, b"all is well")]


class Page(BaseHTTPRequestHandler):
    left: list[tuple[int, bytes]]

    def do_GET(self) -> None:
        status, words = self.left.pop(0)
        self.send_response(status)
        self.end_headers()
        self.wfile.write(words)

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def listening() -> Iterator[socket.socket]:
    with socket.create_server(("127.0.0.1", 0)) as made:
        yield made


@pytest.fixture
def readiness(listening: socket.socket) -> Iterator[Readiness]:
    made = Readiness("127.0.0.1", listening.getsockname()[1])
    yield made
    made.close()


def serve(listening: socket.socket) -> ThreadingHTTPServer:
    Page.left = list(ANSWERS)
    server = ThreadingHTTPServer(("127.0.0.1", 0), Page, bind_and_activate=False)
    server.socket.close()
    server.socket = listening
    threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
    return server


def test_a_page_that_does_not_answer_yet_is_not_ready_and_holds_nobody_up(readiness: Readiness):
    assert [readiness() for _ in range(100)] == [False] * 100


def test_a_question_asked_before_the_page_serves_is_answered_once_it_does(
    readiness: Readiness, listening: socket.socket
):
    assert not readiness()
    server = serve(listening)
    seen = set()
    while not readiness():
        seen.add(readiness.answer)
        select.select([], [], [], 0.01)
    server.shutdown()
    assert "the broker doesn't answer" in seen
