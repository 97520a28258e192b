"""The real app on a metadata DB of the test's own, and the three who call it: nobody, a program, a person."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import tempfile
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from apiflask import APIFlask
from cryptography.fernet import Fernet
from flask.testing import FlaskClient
from making_stack import forget_connections
from werkzeug.test import TestResponse

from tests.conftest import MetadataServer
from toygres import config
from toygres.config import Settings, load
from toygres.domain import ids
from toygres.engine import Engine, Outcome
from toygres.home import Home, write_private
from toygres.platforms.local import place
from toygres.processes.broker import Broker
from toygres.services import Services, connect
from toygres.store import operations, sweeps, workers
from web.app import create_app
from worker.timers import Timer

Json = dict[str, Any]


@pytest.fixture(scope="session")
def broker() -> Iterator[str]:
    """The URL of a Valkey for a whole run."""
    home = Home(Path(tempfile.mkdtemp(prefix="tg-broker-")))
    home.make()
    valkey = Broker(home)
    command = valkey.prepare()
    process = subprocess.Popen(command.arguments, cwd=command.folder, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    with process, process.stdout as said:
        assert any("Ready to accept connections" in line for line in said)
        yield valkey.url
        process.terminate()
    valkey.clear()
    shutil.rmtree(home.path)


@pytest.fixture
def settings(home: Home, database_url: str, broker: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[Settings]:
    """Settings on the test's own home and metadata DB, and keys of its own in the run's broker."""
    monkeypatch.setenv("REDIS_URL", broker)
    monkeypatch.setenv("TOYGRES_REDIS_PREFIX", f"{uuid4().hex}:")
    config.settings.cache_clear()
    forget_connections()
    yield load(home=home.path, database_url=database_url)
    config.settings.cache_clear()


@pytest.fixture
def app(services: Services) -> Iterator[APIFlask]:
    """The app as gunicorn would serve it."""
    made = create_app(services)
    yield made
    made.extensions["toygres"].changes.close()


@pytest.fixture
def nobody(app: APIFlask) -> FlaskClient:
    """Somebody without token and session."""
    return app.test_client(use_cookies=False)


@dataclass
class Program:
    """A program with the token."""

    client: FlaskClient
    token: str

    def call(self, method: str, path: str, **more: Any) -> TestResponse:
        """Any call, as it is answered."""
        headers = {"Authorization": f"Bearer {self.token}", **more.pop("headers", {})}
        return self.client.open(path, method=method, headers=headers, **more)

    def get(self, path: str, status: int = 200, **query: Any) -> Json:
        """The JSON at `path`."""
        return self._json(self.call("GET", path, query_string=query), status)

    def post(self, path: str, body: object = None, status: int = 202) -> Json:
        """The JSON that an order is answered with."""
        return self._json(self.call("POST", path, **({} if body is None else {"json": body})), status)

    def delete(self, path: str, status: int = 202) -> Json:
        """The JSON that a delete is answered with."""
        return self._json(self.call("DELETE", path), status)

    def _json(self, answer: TestResponse, status: int) -> Json:
        assert answer.status_code == status, answer.text
        found = answer.get_json(force=True)
        assert isinstance(found, dict)
        return found


@pytest.fixture
def program(nobody: FlaskClient, services: Services) -> Program:
    """A program with the token."""
    return Program(nobody, services.settings.home_folder.token.read_text())


@dataclass
class Person:
    """A browser that is signed in; its forms are sent as they stand on the page."""

    client: FlaskClient
    csrf: str

    def see(self, path: str, status: int = 200) -> str:
        """The page at `path`."""
        answer = self.client.get(path)
        assert answer.status_code == status, answer.text
        return answer.text

    def send(self, path: str, **fields: str) -> TestResponse:
        """Send a form."""
        return self.client.post(path, data={"csrf": self.csrf, **fields})


@pytest.fixture
def person(app: APIFlask, program: Program) -> Person:
    """A browser that is signed in."""
    return sign_in(app, program)


@pytest.fixture(scope="module")
def idle_app(metadata_server: MetadataServer) -> Iterator[APIFlask]:
    """An app for the tests of a file that order nothing: they may share it."""
    folder = Path(tempfile.mkdtemp(prefix="tg-"))
    home = Home(folder / "home")
    home.make()
    write_private(home.token, "test-token-0123456789")
    write_private(home.secret_keys, Fernet.generate_key().decode())
    url = metadata_server.fresh()
    connected = connect(load(home=home.path, database_url=url))
    yield create_app(connected)
    connected.close()
    metadata_server.drop(url)
    place.forget(home)
    shutil.rmtree(folder)


@pytest.fixture(scope="module")
def idle_program(idle_app: APIFlask) -> Program:
    """A program with the token that orders nothing."""
    return Program(idle_app.test_client(use_cookies=False), "test-token-0123456789")


@pytest.fixture(scope="module")
def idle_person(idle_app: APIFlask, idle_program: Program) -> Person:
    """A browser that is signed in and orders nothing."""
    return sign_in(idle_app, idle_program)


def sign_in(app: APIFlask, program: Program) -> Person:
    """A browser that has followed a sign-in link."""
    client = app.test_client()
    assert client.get(program.post("/v1/signins", status=201)["url"]).status_code == 303
    found = re.search(r'name="csrf" value="([^"]+)"', client.get("/create").text)
    assert found is not None
    return Person(client, found[1])


@dataclass
class InProcess:
    """A worker inside the test: the real engine and the real platform, without broker and messages."""

    services: Services
    engine: Engine
    presence: workers.Presence
    condition: workers.Condition = field(default_factory=workers.Condition)
    beating: threading.Lock = field(default_factory=threading.Lock)

    def beat(self) -> None:
        """Say that it lives, and how it is."""
        with self.beating:
            self.presence.beat(self.condition)

    def tell(self, condition: workers.Condition) -> None:
        """Be so from now on, whatever the truth is."""
        self.condition = condition
        self.beat()

    def carry_out(self, operation: Json) -> None:
        """Run an operation's steps until it has ended."""
        operation_id = ids.parse(ids.OPERATION, operation["id"])
        instance_id = ids.parse(ids.INSTANCE, operation["instance"]["id"])
        assert operation_id is not None
        assert instance_id is not None
        changed, stop = threading.Event(), threading.Event()
        platform = self.services.platforms["local"]
        watching = threading.Thread(target=platform.watch, args=(lambda _: changed.set(), stop))
        watching.start()
        try:
            while left := operations.remaining(self.services.store, operation_id):
                changed.clear()
                if self.engine.run_step(operation_id, left[0]) is Outcome.WAITING:
                    changed.wait(timeout=1)
                    sweeps.wake(self.services.store, [instance_id])
        finally:
            stop.set()
            watching.join()


@pytest.fixture
def worker(services: Services) -> Iterator[InProcess]:
    """A worker inside the test."""
    presence = workers.Presence(services.store, "test", os.getpid())
    engine = Engine(services, presence.arrive())
    # However slow the test is: a worker that isn't seen for seconds counts as none.
    made = InProcess(services, engine, presence)
    heartbeat = Timer("heartbeat", 1.0, made.beat)
    heartbeat.start()
    yield made
    heartbeat.stop()
    heartbeat.join(30)
    presence.leave()
