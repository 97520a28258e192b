"""The real app on a metadata DB of the test's own, and the three who call it: nobody, a program, a person."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest
from apiflask import APIFlask
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from toygres.services import Services
from web.app import create_app

Json = dict[str, Any]


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
    client = app.test_client()
    assert client.get(program.post("/v1/signins", status=201)["url"]).status_code == 303
    found = re.search(r'name="csrf" value="([^"]+)"', client.get("/create").text)
    assert found is not None
    return Person(client, found[1])
