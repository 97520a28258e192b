"""The page: what one sees, what one can order, and what stays hidden."""

from __future__ import annotations

import re
from html.parser import HTMLParser
from pathlib import Path

import pytest
from apiflask import APIFlask

import web.ui
from tests.api.conftest import Json, Person, Program
from toygres.store.session import Store

TEMPLATES = Path(web.ui.__file__).parent / "templates"


@pytest.fixture
def demo(program: Program) -> Json:
    """An instance called demo, just ordered."""
    return program.post("/v1/instances", {"name": "demo"})


def test_an_empty_list_says_so(idle_person: Person):
    assert "There are none here" in idle_person.see("/")


def test_the_list_shows_each_instance_with_its_state(person: Person, demo: Json):
    page = person.see("/")
    assert f'href="/instances/{demo["instance"]["id"]}"' in page
    assert "requested" in page


def test_the_list_and_an_instance_at_rest_are_looked_at_again_and_what_goes_on_is_followed(
    person: Person, store: Store, demo: Json
):
    assert "data-refresh" in person.see("/")
    assert "data-refresh" not in person.see("/instances/demo")
    person.send(f"/operations/{demo['operation']['id']}/cancel")
    store.run("UPDATE toygres.instances SET state = 'ready', released_at = NULL")
    page = person.see("/instances/demo")
    assert "data-refresh" in page
    assert "data-follow" not in page


def test_what_a_page_asks_for_by_itself_is_logged_for_debugging_only(
    person: Person, capsys: pytest.CaptureFixture[str]
):
    for sent, level in (("document", "info"), ("empty", "debug")):
        capsys.readouterr()
        assert person.client.get("/", headers={"Sec-Fetch-Dest": sent}).status_code == 200
        assert level in capsys.readouterr().out


def test_commands_in_a_sentence_look_like_commands(person: Person):
    answer = person.client.get("/instances/none", headers={"Accept": "text/html"})
    assert "<code>toygres list</code>" in answer.text


def test_an_instance_is_shown_with_its_spec_and_what_is_going_on(person: Person, demo: Json):
    page = person.see("/instances/demo")
    assert "PostgreSQL" in page
    assert "not enforced on this platform" in page
    assert "apply storage" in page
    assert f'data-follow="/operations/{demo["operation"]["id"]}/changes"' in page


def test_a_timeline_shows_the_steps_to_come_in_order(person: Person, demo: Json):
    page = person.see(f"/operations/{demo['operation']['id']}")
    shown = re.findall(r'data-label="Step">([a-z ]+)', page)
    assert shown == [step["name"].replace("_", " ") for step in demo["operation"]["steps"]]
    assert "Cancel this operation" in page


def test_the_fragment_is_the_timeline_alone(person: Person, demo: Json):
    fragment = person.see(f"/operations/{demo['operation']['id']}/changes?after_revision=-1")
    assert "<html" not in fragment
    assert f'data-revision="{demo["operation"]["revision"]}"' in fragment


def test_an_instance_can_be_ordered_with_the_form(person: Person, program: Program):
    answer = person.send(
        "/create", name="demo", version="", storage="2Gi", parameters="shared_buffers = 16MB\n\nwork_mem=4MB"
    )
    assert answer.status_code == 303
    assert answer.headers["Location"].startswith("/operations/op_")
    spec = program.get("/v1/instances/demo")["spec"]
    assert spec["storage"] == "2Gi"
    assert spec["parameters"] == {"shared_buffers": "16MB", "work_mem": "4MB"}
    assert program.get("/v1/operations")["items"][0]["actor"] == "page"


def test_a_refused_form_comes_back_with_what_was_typed_but_the_password(idle_person: Person):
    answer = idle_person.send("/create", name="Demo!", storage="2Gi", password="correct-horse-battery", parameters="x")
    assert answer.status_code == 422
    answer = idle_person.send("/create", name="Demo!", storage="2Gi", password="correct-horse-battery")
    assert 'role="alert"' in answer.text
    assert 'value="Demo!"' in answer.text
    assert 'value="2Gi"' in answer.text
    assert "a to z" in answer.text
    assert "correct-horse-battery" not in answer.text


def test_what_was_typed_is_shown_as_text_and_not_as_markup(idle_person: Person):
    answer = idle_person.send("/create", name='"><script>alert(1)</script>', parameters="<b>")
    assert "<script>alert" not in answer.text


def test_deleting_needs_the_name_typed(person: Person, program: Program, demo: Json):
    assert "all its data will be gone" in person.see("/instances/demo/delete")
    assert person.send("/instances/demo/delete").status_code == 422
    assert person.send("/instances/demo/delete", name="demi").status_code == 422
    assert program.get("/v1/instances/demo")["status"]["state"] == "requested"
    assert person.send("/instances/demo/delete", name="demo").status_code == 303
    assert program.get(f"/v1/instances/{demo['instance']['id']}")["status"]["state"] == "deleting"


def test_an_operation_can_be_cancelled_from_its_page(person: Person, program: Program, demo: Json):
    assert person.send(f"/operations/{demo['operation']['id']}/cancel").status_code == 303
    assert program.get(f"/v1/operations/{demo['operation']['id']}")["cancel_requested_at"]


def test_an_operation_that_was_cancelled_can_be_tried_again_from_its_page(person: Person, program: Program, demo: Json):
    page = f"/operations/{demo['operation']['id']}"
    assert "Try again" not in person.see(page)
    person.send(f"{page}/cancel")
    assert "Try again" in person.see(page)
    answer = person.send(f"{page}/retry", password="correct-horse-battery")
    assert answer.status_code == 303
    again = program.get(f"/v1{answer.headers['Location']}")
    assert (again["retry_of"], again["actor"]) == (demo["operation"]["id"], "page")
    assert "Try again" not in person.see(page)
    assert f'href="{page}"' in person.see(answer.headers["Location"])
    assert person.send(f"{page}/retry").status_code == 409


def test_a_restart_is_asked_about_and_then_ordered(person: Person, program: Program, store: Store, demo: Json):
    person.send(f"/operations/{demo['operation']['id']}/cancel")
    store.run("UPDATE toygres.instances SET state = 'stopped', released_at = NULL")
    assert "Restart…" not in person.see("/instances/demo")
    store.run("UPDATE toygres.instances SET state = 'ready'")
    page = person.see("/instances/demo")
    assert 'href="/instances/' in page
    assert "Restart…" in page
    assert "nobody can log in until the server runs again" in person.see("/instances/demo/restart")
    answer = person.send("/instances/demo/restart")
    assert answer.status_code == 303
    assert program.get(f"/v1{answer.headers['Location']}")["kind"] == "restart"


def test_a_conflict_is_a_page_that_links_to_what_is_in_the_way(person: Person, demo: Json):
    answer = person.send("/instances/demo/connection")
    assert answer.status_code == 409
    assert f'href="/operations/{demo["operation"]["id"]}"' in answer.text


def test_the_connection_is_shown_only_to_a_form_that_asks(person: Person, demo: Json):
    assert person.client.get("/instances/demo/connection").status_code == 405


@pytest.mark.parametrize(
    "path", ["/instances/none", "/operations/none", "/instances/none/delete", "/instances/x/start"]
)
def test_a_page_that_is_not_there_says_so(idle_person: Person, path: str):
    assert idle_person.client.get(path, headers={"Accept": "text/html"}).status_code in (404, 405)


class _Checker(HTMLParser):
    """Collects what the content policy or a keyboard would trip over."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[str] = []
        self.labelled: set[str] = set()
        self.fields: set[str] = set()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = dict(attrs)
        if "style" in given or tag == "style" or any(name.startswith("on") for name in given):
            self.found.append(f"inline style or script on <{tag}>")
        if tag == "script" and "src" not in given:
            self.found.append("inline script")
        if any("//" in (given.get(name) or "") for name in ("src", "href", "action")):
            self.found.append(f"<{tag}> leads elsewhere")
        if tag == "label":
            self.labelled.add(given.get("for") or "")
        if tag in ("input", "select", "textarea") and given.get("type") != "hidden":
            self.fields.add(given.get("id") or "without id")


def test_a_page_with_a_retry_keeps_the_same_rules(person: Person, demo: Json):
    person.send(f"/operations/{demo['operation']['id']}/cancel")
    checker = _Checker()
    checker.feed(person.see(f"/operations/{demo['operation']['id']}"))
    assert checker.found == []
    assert checker.fields == {"password"} == checker.labelled


@pytest.mark.parametrize(
    "path",
    ["/", "/create", "/instances/demo", "/instances/demo/restart", "/instances/demo/delete", "/signin"],
)
def test_pages_hold_nothing_inline_nothing_foreign_and_a_label_for_each_field(person: Person, demo: Json, path: str):
    page = person.see(path)
    checker = _Checker()
    checker.feed(page)
    assert checker.found == []
    assert checker.fields <= checker.labelled
    assert page.count("<h1") == 1
    assert '<html lang="en">' in page


@pytest.mark.parametrize("name", ["page.css", "follow.js", "icon.svg"])
def test_static_files_are_served_to_all(idle_app: APIFlask, name: str):
    with idle_app.test_client().get(f"/static/{name}") as answer:
        assert answer.status_code == 200
