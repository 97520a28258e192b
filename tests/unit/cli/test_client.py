"""Where the CLI finds its Toygres, and what each answer becomes."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from toygres.cli.client import Client
from toygres.errors import Bug, Conflict, Invalid, Misconfigured, NotFound, Rejected, Unauthorized, Unavailable
from toygres.home import Home


def test_every_call_carries_the_token_a_request_id_and_a_user_agent(wire: Any) -> None:
    wire.answer("GET", "/v1/platforms", {"items": [], "next_cursor": None})
    Client.find().get("/v1/platforms")
    headers = wire.seen[0].headers
    assert headers["Authorization"] == "Bearer a-token-for-tests"
    assert len(headers["X-Request-Id"]) == 32
    assert headers["User-Agent"].startswith("toygres-cli/")


def test_a_running_up_is_found_by_its_home(wire: Any, tmp_path: Path) -> None:
    home = Home(tmp_path / "home")
    home.make()
    home.running.write_text(json.dumps({"url": wire.url}))
    home.token.write_text("the-homes-token\n")
    wire.answer("GET", "/v1/platforms", {"items": [], "next_cursor": None})
    assert Client.from_home(home).url == wire.url


def test_a_home_without_a_running_up_is_told_how_to_start_one(tmp_path: Path) -> None:
    with pytest.raises(Unavailable) as told:
        Client.from_home(Home(tmp_path))
    assert "toygres up" in told.value.remedy


def test_the_homes_token_is_not_sent_to_another_toygres(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TOYGRES_URL", "http://elsewhere.example")
    with pytest.raises(Misconfigured, match="TOYGRES_TOKEN_FILE"):
        Client.find()


def test_a_token_file_that_cannot_be_read_is_named(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("TOYGRES_URL", "http://127.0.0.1:1")
    monkeypatch.setenv("TOYGRES_TOKEN_FILE", str(tmp_path / "missing"))
    with pytest.raises(Misconfigured, match="missing"):
        Client.find()


def test_a_token_that_cannot_travel_in_a_header_is_refused_and_not_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TOYGRES_URL", "http://127.0.0.1:1")
    monkeypatch.setenv("TOYGRES_TOKEN", "sécret")
    with pytest.raises(Misconfigured) as told:
        Client.find()
    assert "sécret" not in str(told.value)


def test_the_token_is_not_in_the_clients_repr() -> None:
    assert "hidden" not in repr(Client("http://127.0.0.1:1", "hidden"))


@pytest.mark.parametrize(
    ("status", "kind"), [(400, Rejected), (401, Unauthorized), (404, NotFound), (409, Conflict), (503, Unavailable)]
)
def test_a_problem_becomes_the_error_that_it_began_as(wire: Any, status: int, kind: type[Exception]) -> None:
    problem = {"title": "t", "status": status, "detail": "What is wrong.", "remedy": "What to do."}
    wire.answer("GET", "/v1/instances/demo", problem, status=status)
    with pytest.raises(kind, match="What is wrong") as told:
        Client.find().get("/v1/instances/demo")
    assert told.value.remedy == "What to do."  # type: ignore[attr-defined]


def test_a_422_names_each_field_with_what_is_allowed(wire: Any) -> None:
    errors = [{"field": "version", "value": "9", "message": "isn't offered", "allowed": "16, 18"}]
    wire.answer("POST", "/v1/instances", {"title": "t", "status": 422, "detail": "d", "errors": errors}, status=422)
    with pytest.raises(Invalid) as told:
        Client.find().post("/v1/instances", {"name": "demo"})
    assert told.value.errors[0].field == "version"
    assert told.value.errors[0].allowed == "16, 18"


def test_a_500_is_a_bug_that_names_its_request(wire: Any) -> None:
    wire.answer("GET", "/v1/platforms", {"title": "t", "detail": "It broke.", "request_id": "abc"}, status=500)
    with pytest.raises(Bug, match="abc"):
        Client.find().get("/v1/platforms")


def test_a_stranger_on_the_port_is_not_taken_for_toygres(wire: Any) -> None:
    wire.answer("GET", "/v1/platforms", "<html>hello</html>")
    with pytest.raises(Unavailable, match="isn't Toygres"):
        Client.find().get("/v1/platforms")


def test_a_refused_connection_says_how_to_start_one(serve: Any, wire: Any) -> None:
    gone = serve(type(wire)())
    url = f"http://127.0.0.1:{gone.server_port}"
    gone.shutdown()
    gone.server_close()
    with pytest.raises(Unavailable, match="No Toygres answers at") as told:
        Client(url, "t").get("/v1/platforms")
    assert "toygres up" in told.value.remedy


def test_an_address_that_is_none_is_refused() -> None:
    with pytest.raises(Misconfigured, match="isn't an address"):
        Client("127.0.0.1:8000", "t").get("/v1/platforms")


def test_a_proxy_in_the_environment_does_not_see_what_is_meant_for_loopback(
    wire: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:1")
    wire.answer("GET", "/v1/platforms", {"items": [], "next_cursor": None})
    assert Client.find().get("/v1/platforms")["items"] == []


def test_a_list_is_read_to_its_last_page(wire: Any) -> None:
    pages = [{"items": [{"n": 1}], "next_cursor": "c"}, {"items": [{"n": 2}], "next_cursor": None}]
    wire.answer("GET", "/v1/instances", *pages)
    assert [item["n"] for item in Client.find().items("/v1/instances")] == [1, 2]
    assert "cursor=c" in wire.seen[1].path
