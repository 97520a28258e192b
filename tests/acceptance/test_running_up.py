"""What a running `up` lets one do, and what it keeps to itself."""

from __future__ import annotations

import base64
import json
import os
import re
import signal
import stat
import sys
from pathlib import Path
from typing import Any

import httpx
import psutil
import psycopg
import pytest

from tests.acceptance.conftest import World, await_that
from toygres.domain import ids
from toygres.platforms.local import place, processes
from toygres.platforms.local.layout import Layout
from toygres.processes import flower

pytestmark = [pytest.mark.acceptance, pytest.mark.timeout(240)]

CELERY = (str(Path(sys.executable).with_name("celery")), "-A", "worker")
STEPS = ("apply_credentials", "apply_storage", "apply_server", "apply_service", "await_server", "verify_login")


def flower_get(world: World, path: str, **more: str) -> httpx.Response:
    login = f"{flower.USER}:{flower.password(world.home)}".encode()
    headers = {"Authorization": f"Basic {base64.b64encode(login).decode()}", **more}
    return httpx.get(world.running()["flower_url"] + path, headers=headers, timeout=10)


def celery(world: World, *arguments: str) -> str:
    """The Celery CLI, told nothing but the home."""
    kept = [f"{name}={os.environ[name]}" for name in ("PATH", "HOME") if name in os.environ]
    found = world.run("env", "-i", *kept, f"TOYGRES_HOME={world.home.path}", *CELERY, *arguments)
    assert found.returncode == 0, found.stderr
    return found.stdout


def test_a_second_up_says_that_one_runs_and_where(running: World):
    second = running.up()
    assert second.await_end() == 4
    assert f"process {running.ups[0].process.pid}, {running.running()['url']}" in second.said
    assert httpx.get(running.running()["url"] + "/readyz").status_code == 200


def test_the_celery_cli_finds_it_by_the_home_alone(running: World):
    assert "pong" in celery(running, "inspect", "ping")
    assert "1 node online" in celery(running, "status")


def test_flower_shows_each_step_by_its_name_and_with_ids_only(running: World):
    created = running.toygres("create", "watched")
    assert created.returncode == 0, created.stderr
    tasks: dict[str, Any] = {}

    def all_shown() -> bool:
        tasks.update(flower_get(running, "/api/tasks").json())
        return set(STEPS) <= {task["name"] for task in tasks.values() if task["state"] == "SUCCESS"}

    await_that(all_shown)
    for task in tasks.values():
        # Flower doesn't know those of a task of which it saw the end only.
        assert re.fullmatch(r"None|[\[(]('op_[0-9a-z]{26}',?)?[\])]", str(task["args"])), task["args"]
        assert str(task["kwargs"]) in ("None", "{}"), task["kwargs"]
    assert any("op_" in str(task["args"]) for task in tasks.values())
    assert running.toygres("delete", "watched", "--yes").returncode == 0


def test_flower_wants_its_password(running: World):
    await_that(lambda: _answers(running.running()["flower_url"]))
    assert httpx.get(running.running()["flower_url"] + "/tasks").status_code == 401
    assert flower_get(running, "/tasks").status_code == 200


@pytest.mark.parametrize("path", ["/", "/api/tasks", "/metrics", "/healthcheck", "/static/js/flower.js", "/nothing"])
def test_flower_answers_to_no_foreign_name_even_with_its_password(running: World, path: str):
    await_that(lambda: _answers(running.running()["flower_url"]))
    for name, expected in (("evil.example", 421), ("127.0.0.1.evil.example:5555", 421), ("LOCALHOST:5555", None)):
        answer = flower_get(running, path, Host=name)
        assert (answer.status_code == 421) == (expected == 421), (name, answer.status_code)
        assert expected is None or "celery" not in answer.text.lower()


def _answers(url: str) -> bool:
    try:
        return httpx.get(url).status_code > 0
    except httpx.TransportError:
        return False


def test_everything_listens_on_loopback_only(running: World):
    listening = [
        connection.laddr.ip
        for process in running.processes()
        for connection in process.net_connections("inet")
        if connection.status == psutil.CONN_LISTEN
    ]
    assert listening
    assert set(listening) == {"127.0.0.1"}


def test_no_secret_is_in_arguments_or_environments_of_our_processes(running: World):
    demo = json.loads(running.toygres("uri", "demo", "-o", "json").stdout)
    secrets = {
        "token": running.home.token.read_text().strip(),
        "key": running.home.secret_keys.read_text().strip(),
        "flower": flower.password(running.home) or "",
        "demo": demo["password"],
    }
    assert all(secrets.values())
    for process in running.processes():
        seen = "\n".join([*process.cmdline(), *process.environ().values()])
        assert not [name for name, secret in secrets.items() if secret in seen], process.cmdline()


def test_the_home_and_its_files_are_ours_alone(running: World):
    assert stat.S_IMODE(running.home.path.stat().st_mode) == 0o700
    readable = [
        path
        for path in running.home.path.rglob("*")
        if path.lstat().st_mode & 0o077 and not path.is_symlink() and "servers" not in path.parts
    ]
    assert readable == []


@pytest.mark.parametrize("name", ["metadata", "broker", "web", "worker", "flower"])
def test_a_killed_process_is_back_soon_and_the_rest_goes_on(running: World, name: str):
    before = running.pid_of(name)
    os.kill(before, signal.SIGKILL)
    await_that(lambda: running.pid_of(name) != before)
    running.ups[0].await_line(rf"{name} was ended by SIGKILL; it is started again")
    url = running.running()["url"] + "/readyz"
    await_that(lambda: httpx.get(url, timeout=30).status_code == 200)
    for command in (("create", f"after-{name}"), ("delete", f"after-{name}", "--yes")):
        ran = running.toygres(*command)
        assert ran.returncode == 0, ran.stderr


def ask(world: World, *arguments: str) -> Any:
    """The JSON that a command answers with."""
    ran = world.toygres(*arguments, "-o", "json")
    assert ran.returncode == 0, ran.stderr
    return json.loads(ran.stdout)


def test_a_killed_server_is_back_soon_and_what_was_done_tells_why(running: World):
    assert running.toygres("create", "killed").returncode == 0
    where = place.find(running.home)
    instance = ids.parse(ids.INSTANCE, ask(running, "get", "killed")["id"])
    assert instance is not None
    server = processes.postmaster(Layout(where, instance))
    assert server is not None
    server.kill()
    await_that(lambda: ask(running, "operations", "killed")["items"][0]["actor"] == "observer")
    started = ask(running, "operations", "killed")["items"][0]
    assert running.toygres("operations", started["id"], "--follow").returncode == 0
    assert started["cause"]["code"] == "ServerExited"
    with psycopg.connect(ask(running, "uri", "killed")["uri"]) as connection:
        assert connection.execute("SELECT 1").fetchone() == (1,)
    again = processes.postmaster(Layout(where, instance))
    assert again is not None
    assert again.pid != server.pid
    assert running.toygres("delete", "killed", "--yes").returncode == 0
