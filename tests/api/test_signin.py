"""Signing in: a link that works once, for five minutes, and a session that it begins."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from apiflask import APIFlask
from werkzeug.test import TestResponse

from tests.api.conftest import Person, Program
from toygres.services import Services
from web.app import create_app


@pytest.fixture
def link(program: Program) -> str:
    """A sign-in link, not used yet."""
    return str(program.post("/v1/signins", status=201)["url"])


def _cookie(answer: TestResponse) -> str:
    return answer.headers.get("Set-Cookie", "")


def test_a_link_signs_a_browser_in_once(app: APIFlask, link: str):
    first, second = app.test_client(), app.test_client()
    answer = first.get(link)
    assert answer.status_code == 303
    assert answer.headers["Location"] == "/"
    assert first.get("/").status_code == 200
    refused = second.get(link)
    assert refused.status_code == 410
    assert "used already" in refused.text
    assert second.get("/").status_code == 401


def test_a_link_lasts_five_minutes(idle_program: Program):
    expires_at = datetime.fromisoformat(idle_program.post("/v1/signins", status=201)["expires_at"])
    assert timedelta(minutes=4) < expires_at - datetime.now(UTC) <= timedelta(minutes=5)


def test_an_old_link_is_refused(app: APIFlask, services: Services, link: str):
    services.store.run("UPDATE toygres.signins SET expires_at = expires_at - interval '301 seconds'")
    assert app.test_client().get(link).status_code == 410


@pytest.mark.parametrize("code", ["x", "a" * 2000, "é", "%2e%2e"])
def test_a_made_up_code_is_refused(idle_app: APIFlask, code: str):
    assert idle_app.test_client().get(f"/signin/{code}").status_code == 410


def test_the_code_itself_is_not_stored(services: Services, link: str):
    rows = services.store.all("SELECT s::text AS row FROM toygres.signins s")
    assert rows
    assert link.rpartition("/")[2] not in str(rows)


@pytest.mark.parametrize(
    ("method", "headers"), [("HEAD", {}), ("GET", {"Sec-Purpose": "prefetch"}), ("GET", {"Purpose": "prefetch"})]
)
def test_a_preview_does_not_use_the_link_up(app: APIFlask, link: str, method: str, headers: dict[str, str]):
    client = app.test_client()
    assert "Set-Cookie" not in client.open(link, method=method, headers=headers).headers
    assert client.get(link).status_code == 303


def test_the_session_cookie_is_out_of_reach_of_scripts_and_other_sites(app: APIFlask, link: str):
    cookie = _cookie(app.test_client().get(link))
    assert "HttpOnly" in cookie
    assert "SameSite=Strict" in cookie
    assert "Expires=" in cookie


def test_a_link_followed_from_another_site_lands_on_a_page_that_goes_on_by_itself(app: APIFlask, link: str):
    answer = app.test_client().get(link, headers={"Sec-Fetch-Site": "cross-site"})
    assert answer.status_code == 200
    assert 'http-equiv="refresh"' in answer.text


def test_a_session_holds_in_every_web_process(services: Services, link: str, app: APIFlask):
    client = app.test_client()
    cookie = _cookie(client.get(link)).partition(";")[0]
    other = create_app(services).test_client(use_cookies=False)
    assert other.get("/", headers={"Cookie": cookie}).status_code == 200
    assert other.get("/", headers={"Cookie": cookie[:-2] + "xx"}).status_code == 401


def test_signing_out_ends_the_session(person: Person):
    assert person.send("/signout").status_code == 303
    person.see("/", status=401)


def test_whoever_is_not_signed_in_is_told_how(idle_app: APIFlask):
    answer = idle_app.test_client().get("/")
    assert answer.status_code == 401
    assert "POST /v1/signins" in answer.text
