"""Who gets in: the token guards every route but the open ones, and only this server's names are answered to."""

from __future__ import annotations

import pytest
from apiflask import APIFlask
from werkzeug.routing import Rule

from tests.api.conftest import Person, Program
from web.auth import OPEN_ENDPOINTS


def _path(rule: Rule) -> str:
    values = {name: "stop" if name == "change" else "x" for name in rule.arguments}
    return str(rule.build(values)[1])  # type: ignore[index]


def test_every_route_but_the_open_ones_answers_401_to_nobody(idle_app: APIFlask):
    let_in = set()
    for rule in idle_app.url_map.iter_rules():
        for method in rule.methods or ():
            if idle_app.test_client(use_cookies=False).open(_path(rule), method=method).status_code != 401:
                let_in.add(rule.endpoint)
    assert let_in == OPEN_ENDPOINTS


@pytest.mark.parametrize(
    "value",
    ["", "Bearer", "Bearer ", "Bearer wrong", "Basic dGVzdDp0ZXN0", "Bearer test-token-0123456789x", "Bearer \xe9\xff"],
)
def test_a_wrong_token_is_refused_with_a_challenge(idle_app: APIFlask, value: str):
    answer = idle_app.test_client(use_cookies=False).get("/v1/instances", headers={"Authorization": value})
    assert answer.status_code == 401
    assert answer.headers["WWW-Authenticate"].startswith("Bearer")
    assert answer.get_json(force=True)["type"].endswith("/unauthorized")


def test_the_token_lets_a_program_in_but_not_to_the_page(idle_program: Program):
    idle_program.get("/v1/instances")
    assert idle_program.call("GET", "/").status_code == 401


@pytest.mark.parametrize("host", ["127.0.0.1", "127.0.0.1:8000", "localhost:1", "[::1]:8000", "LOCALHOST", "127.1.2.3"])
def test_loopback_names_are_answered_to(idle_app: APIFlask, host: str):
    assert idle_app.test_client(use_cookies=False).get("/healthz", headers={"Host": host}).status_code == 200


@pytest.mark.parametrize(
    "host", ["evil.example", "localhost.evil.example", "10.0.0.1", "a@localhost", "", "[::1", "0x7f.1"]
)
def test_a_foreign_host_header_is_refused_even_with_the_token(idle_program: Program, host: str):
    answer = idle_program.call("GET", "/v1/instances", headers={"Host": host})
    assert answer.status_code == 421
    assert "TOYGRES_ALLOWED_HOSTS" in answer.get_json(force=True)["remedy"]


def test_a_signed_in_browser_is_not_let_into_the_api(idle_person: Person):
    assert idle_person.client.get("/v1/instances").status_code == 401


@pytest.mark.parametrize(
    "headers",
    [
        {"Origin": "http://localhost:9999"},
        {"Origin": "https://evil.example"},
        {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "same-site"},
    ],
)
def test_a_form_from_another_site_or_port_is_refused(idle_person: Person, headers: dict[str, str]):
    answer = idle_person.client.post("/create", data={"csrf": idle_person.csrf, "name": "demo"}, headers=headers)
    assert answer.status_code == 403


@pytest.mark.parametrize("csrf", [{}, {"csrf": ""}, {"csrf": "guess"}, {"csrf": "\xff"}])
def test_a_form_without_the_sessions_own_token_is_refused(idle_person: Person, csrf: dict[str, str]):
    assert idle_person.client.post("/create", data={**csrf, "name": "demo"}).status_code == 403


def test_every_answer_carries_the_headers_that_guard_it(idle_app: APIFlask, idle_person: Person):
    for answer in (
        idle_app.test_client(use_cookies=False).get("/healthz"),
        idle_app.test_client(use_cookies=False).get("/nowhere"),
        idle_person.client.get("/"),
        idle_app.test_client(use_cookies=False).get("/v1/instances"),
    ):
        assert "default-src 'self'" in answer.headers["Content-Security-Policy"]
        assert "frame-ancestors 'none'" in answer.headers["Content-Security-Policy"]
        assert answer.headers["X-Content-Type-Options"] == "nosniff"
        assert answer.headers["Referrer-Policy"] == "no-referrer"
        assert answer.headers["Cache-Control"] == "no-store"


def test_a_sane_request_id_is_kept_and_another_is_replaced(idle_app: APIFlask):
    kept = idle_app.test_client(use_cookies=False).get("/healthz", headers={"X-Request-Id": "abc-123"})
    replaced = idle_app.test_client(use_cookies=False).get("/healthz", headers={"X-Request-Id": "abc 123;DROP"})
    assert kept.headers["X-Request-Id"] == "abc-123"
    assert replaced.headers["X-Request-Id"].startswith("req_")
