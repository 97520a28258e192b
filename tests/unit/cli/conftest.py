"""A small HTTP server that answers in the API's recorded shapes, and the CLI run against it in this process."""

from __future__ import annotations

import json
import os
import signal
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from toygres.cli import main

Json = dict[str, Any]
TOKEN = "a-token-for-tests"
MOMENT = "2026-11-23T10:00:00.000Z"


@dataclass
class Seen:
    """One request that arrived."""

    method: str
    path: str
    headers: dict[str, str]
    body: Json | None


@dataclass
class Wire:
    """What to answer, and what arrived. Of several answers for one path, each is given once, the last for ever.

    With `interrupts`, whoever reads anything is pressing Ctrl-C at that moment.
    """

    url: str = ""
    answers: dict[tuple[str, str], list[tuple[int, Any]]] = field(default_factory=dict)
    seen: list[Seen] = field(default_factory=list)
    interrupts: bool = False

    def answer(self, method: str, path: str, *bodies: Any, status: int = 200) -> None:
        """Answer `method` on `path`, without its query, with each of `bodies` in turn."""
        self.answers.setdefault((method, path), []).extend((status, body) for body in bodies)

    def next_for(self, method: str, path: str) -> tuple[int, Any]:
        """The answer whose turn it is."""
        queue = self.answers.get((method, path.partition("?")[0]))
        if not queue:
            return 404, {"title": "Not found", "status": 404, "detail": f"There is no {path}.", "remedy": "List them."}
        return queue.pop(0) if len(queue) > 1 else queue[0]


def handler_for(wire: Wire) -> type[BaseHTTPRequestHandler]:
    """A request handler that answers from `wire`."""

    class Handler(BaseHTTPRequestHandler):
        def _answer(self) -> None:
            length = int(self.headers.get("Content-Length") or 0)
            body = json.loads(self.rfile.read(length)) if length else None
            wire.seen.append(Seen(self.command, self.path, dict(self.headers), body))
            status, answer = wire.next_for(self.command, self.path)
            if wire.interrupts and self.command == "GET":
                os.kill(os.getpid(), signal.SIGINT)
                answer = None
            if answer is None:
                # As a server does that is killed in the middle of a call.
                self.close_connection = True
                return
            sent = (answer if isinstance(answer, str) else json.dumps(answer)).encode()
            self.send_response(status)
            self.send_header("Content-Length", str(len(sent)))
            self.end_headers()
            self.wfile.write(sent)

        do_GET = do_POST = do_DELETE = _answer  # noqa: N815, the names that http.server calls

        def log_message(self, *_: object) -> None:
            """Keep the tests' output to the CLI's."""

    return Handler


@pytest.fixture
def serve() -> Iterator[Callable[..., ThreadingHTTPServer]]:
    """Serve a wire on a port of loopback; every server ends with the test."""
    running: list[tuple[ThreadingHTTPServer, threading.Thread]] = []

    def begin(wire: Wire, port: int = 0) -> ThreadingHTTPServer:
        server = ThreadingHTTPServer(("127.0.0.1", port), handler_for(wire))
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        running.append((server, thread))
        wire.url = f"http://127.0.0.1:{server.server_port}"
        return server

    yield begin
    for server, thread in running:
        server.shutdown()
        server.server_close()
        thread.join()


@pytest.fixture(autouse=True)
def _no_other_toygres(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in ("TOYGRES_URL", "TOYGRES_TOKEN", "TOYGRES_TOKEN_FILE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("TOYGRES_HOME", str(tmp_path / "home"))


@pytest.fixture
def wire(serve: Callable[..., ThreadingHTTPServer], monkeypatch: pytest.MonkeyPatch) -> Wire:
    """A Toygres stand-in that the environment names."""
    wire = Wire()
    serve(wire)
    monkeypatch.setenv("TOYGRES_URL", wire.url)
    monkeypatch.setenv("TOYGRES_TOKEN", TOKEN)
    return wire


@dataclass
class Ran:
    """How a command ended."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        """Its standard output, read as JSON."""
        return json.loads(self.out)


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Callable[..., Ran]:
    """Run one `toygres` command in this process."""

    def command(*arguments: str) -> Ran:
        monkeypatch.setattr("sys.argv", ["toygres", *arguments])
        with pytest.raises(SystemExit) as ended:
            main()
        captured = capsys.readouterr()
        return Ran(int(ended.value.code or 0), captured.out, captured.err)

    return command


@pytest.fixture
def instance() -> Callable[..., Json]:
    """An instance as the API answers it."""

    def make(state: str = "ready", **changes: Any) -> Json:
        return {
            "id": "ins_01h455vb4pex5vsknk084sn02q",
            "name": "demo",
            "project": "default",
            "platform": "local",
            "spec": {
                "version": "18",
                "storage": "1Gi",
                "storage_bytes": 1073741824,
                "cpu": "1",
                "cpu_millicores": 1000,
                "memory": "512Mi",
                "memory_bytes": 536870912,
                "parameters": {"shared_buffers": "16MB"},
                "user": "postgres",
                "database": "postgres",
                "storage_class": None,
                "service_type": "ClusterIP",
                "allowed_cidrs": [],
                "allowed_namespaces": [],
                "generation": 1,
            },
            "status": {
                "state": state,
                "endpoint": {"host": "127.0.0.1", "port": 20000} if state == "ready" else None,
                "observed_generation": 1,
                "not_enforced": ["storage"],
                "login_seconds": 0.0412 if state == "ready" else None,
            },
            "available": {"value": state == "ready", "since": MOMENT, "cause": None},
            "operation": None,
            "created_at": MOMENT,
            "updated_at": MOMENT,
            **changes,
        }

    return make


@pytest.fixture
def step() -> Callable[..., Json]:
    """A step as the API answers it."""

    def make(name: str, state: str = "pending", position: int = 0, **changes: Any) -> Json:
        return {
            "position": position,
            "name": name,
            "undoes": None,
            "state": state,
            "attempts": 0 if state == "pending" else 1,
            "looks": 0,
            "waited_seconds": 0.0,
            "worked_seconds": 0.0 if state == "pending" else 0.25,
            "started_at": None,
            "ended_at": None,
            "cause": None,
            "told": None,
            "login_seconds": None,
            **changes,
        }

    return make


@pytest.fixture
def operation(step: Callable[..., Json]) -> Callable[..., Json]:
    """An operation as the API answers it, with two steps."""

    def make(state: str = "queued", revision: int = 1, **changes: Any) -> Json:
        done = {"succeeded": "done", "queued": "pending"}.get(state, "running")
        return {
            "id": "op_01h455vb4pex5vsknk084sn02q",
            "kind": "create",
            "title": "Create an instance",
            "state": state,
            "instance": {"id": "ins_01h455vb4pex5vsknk084sn02q", "name": "demo"},
            "project": "default",
            "actor": "token",
            "request_id": "a-request",
            "retry_of": None,
            "revision": revision,
            "created_at": MOMENT,
            "started_at": None,
            "ended_at": None,
            "deadline_at": None,
            "cancel_requested_at": None,
            "cause": None,
            "leftovers": [],
            "steps": [step("apply_server", done, 0), step("verify_login", done, 1)],
            **changes,
        }

    return make


@pytest.fixture
def cause() -> Json:
    """A cause as the API answers it."""
    return {
        "code": "ParametersRejected",
        "message": "The server refused its parameters.",
        "remedy": "Delete it and order it with others.",
        "evidence": [f"line {number}" for number in range(1, 13)],
    }
