"""docker-compose.yml and the Dockerfile, run by hand: from nothing to a database that is reached from outside."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import psutil
import pytest

from tests.acceptance.containers import Stack
from tests.acceptance.isolated import Isolated, can_isolate
from tests.acceptance.rewriting import Rewriting
from toygres.home import Home

pytestmark = [pytest.mark.acceptance, pytest.mark.timeout(600)]

SERVICES = ("web", "worker", "beat", "flower")
STOPPED = ("flower", "beat", "worker", "web", "broker", "metadata")
# The first one is put through all of the story, the other only through what the database needs.
STACKS = (Isolated, Rewriting) if can_isolate() else (Rewriting,)

LOGIN = """
import sys, psycopg
host, port, uri, statement = sys.argv[1:]
with psycopg.connect(uri, host=host, port=port, connect_timeout=10) as connection:
    cursor = connection.execute(statement)
    while cursor.nextset():
        pass
    print(*cursor.fetchone())
"""
GET = """
import sys, http.client
host, port, path = sys.argv[1:]
page = http.client.HTTPConnection(host, int(port), timeout=20)
page.request("GET", path, headers={"Host": f"127.0.0.1:{port}"})
print(page.getresponse().status)
"""


@pytest.fixture(params=STACKS, ids=lambda kind: kind.__name__.lower())
def stack(request: pytest.FixtureRequest) -> Iterator[Stack]:
    made: Stack = request.param()
    try:
        made.prepare()
        yield made
    finally:
        made.close()


def toygres(stack: Stack, *arguments: str) -> str:
    """What `docker compose exec web toygres …` prints."""
    ran = stack.execute("web", "toygres", *arguments)
    assert ran.returncode == 0, ran.stderr
    return ran.stdout.strip()


def get(stack: Stack, port: int, path: str) -> str:
    host, reached = stack.published(port)
    return stack.outside(GET, host, str(reached), path).strip()


def query(stack: Stack, uri: str, statement: str) -> str:
    """What a client on this machine reads, which knows an instance by its published port."""
    host, port = stack.published(20000)
    return stack.outside(LOGIN, host, str(port), uri, statement).strip()


def log_of_server(stack: Stack) -> str:
    home = Home(stack.volume("home"))
    root = json.loads(home.place.read_text())["root"]
    return next((Path(root) if root else home.path / "servers").glob("instances/*/log")).read_text()


def processes(stack: Stack) -> dict[str, list[psutil.Process]]:
    """Everything that runs, by service."""
    running = {name: box for name, box in stack.containers.items() if box.process.poll() is None}
    return {name: [box.inner, *box.inner.children(recursive=True)] for name, box in running.items()}


def secrets(stack: Stack) -> dict[str, str]:
    """What nobody may find in arguments or environments."""
    files = {
        "metadata": "metadata-server/password",
        "broker": "broker-client/url",
        "token": "home/token",
        "keys": "home/secret-keys",
        "flower": "flower/flowerconfig.py",
    }
    texts = {name: (stack.folder / "volumes" / file).read_text().strip() for name, file in files.items()}
    texts["broker"] = urlsplit(texts["broker"]).password or ""
    texts["flower"] = texts["flower"].partition("'toygres:")[2].partition("'")[0]
    assert all(len(text) > 20 for text in texts.values())
    return texts


def assert_without_rights(stack: Stack) -> None:
    for name, running in processes(stack).items():
        for process in running:
            status = Path(f"/proc/{process.pid}/status").read_text()
            lines = dict(line.split(":\t", 1) for line in status.splitlines() if ":\t" in line)
            assert {lines["CapEff"], lines["CapPrm"], lines["CapBnd"]} == {"0" * 16}, (name, process)
            assert lines["NoNewPrivs"] == "1"
            assert lines["Uid"].split()[0] == ("999" if name in ("metadata", "broker") else "10001")


def test_the_file_brings_up_databases_that_are_reached_from_outside_and_outlive_their_worker(stack: Stack):
    whole = isinstance(stack, STACKS[0])
    services = SERVICES if whole else SERVICES[:2]
    for name in services:
        stack.up(name)
    for name in services:
        stack.await_healthy(name)
    assert get(stack, 8000, "/readyz") == "200"

    assert "is ready" in toygres(stack, "create", "demo")
    uri = toygres(stack, "uri", "demo")
    assert query(stack, uri, "CREATE TABLE kept AS SELECT 42 AS answer; SELECT answer FROM kept") == "42"
    assert_no_secret_is_seen(stack)
    if isinstance(stack, Isolated):
        assert_without_rights(stack)

    if whole:
        assert get(stack, 5555, "/tasks") == "401"
        assert_a_second_worker_is_refused(stack)
        assert_servers_outlive_their_worker(stack)
        assert query(stack, uri, "SELECT answer FROM kept") == "42"
        assert_preparing_again_changes_nothing(stack)

    toygres(stack, "delete", "demo", "--yes")
    assert [process for process in processes(stack)["worker"] if process.status() == psutil.STATUS_ZOMBIE] == []
    running = [name for name in STOPPED if name in stack.containers]
    assert {name: stack.down(name) for name in running} == dict.fromkeys(running, 0)


def assert_no_secret_is_seen(stack: Stack) -> None:
    for name, running in processes(stack).items():
        seen = "\n".join(word for process in running for word in (*process.cmdline(), *process.environ().values()))
        assert not [secret for secret, text in secrets(stack).items() if text in seen], name


def assert_a_second_worker_is_refused(stack: Stack) -> None:
    first = stack.containers["worker"]
    second = stack.up("worker")
    stack.containers["worker"] = first
    assert second.await_end() != 0
    assert "Another worker runs the local servers" in second.said()


def assert_servers_outlive_their_worker(stack: Stack) -> None:
    assert stack.down("worker") == 0
    assert "database system is shut down" in log_of_server(stack)
    assert json.loads(toygres(stack, "get", "demo", "-o", "json"))["available"]["cause"]["code"] == "ShutDown"
    stack.up("worker")
    stack.await_healthy("worker")


def assert_preparing_again_changes_nothing(stack: Stack) -> None:
    before = secrets(stack)
    again = stack.up("prepare")
    assert again.await_end() == 0
    assert secrets(stack) == before
