"""The search for planted secrets finds one in every kind of place: were it blind to one, a leak would pass there."""

from __future__ import annotations

import base64
import html
import json
import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from urllib.parse import quote

import canary
import httpx
import psutil
import psycopg
import pytest
import redis
from canary import Canary, Place, leaks

from tests.acceptance.conftest import await_that
from toygres.home import Home
from toygres.processes import child
from toygres.processes.broker import Broker

SECRET = """it's a "canary" <%&\\>"""
PLANTED = Canary("the password", SECRET, ("file home/credentials/*",))
AUDIT = Path(__file__).parents[1] / "audit"


def found(places: Iterator[Place]) -> bool:
    """Whether the search finds the secret; each of them says what and where."""
    told = leaks([PLANTED], places)
    assert all(line.startswith("the password in ") for line in told)
    return bool(told)


@pytest.mark.parametrize("before", ["", "a", "ab", "abc"])
def test_it_is_found_in_every_form(before: str):
    texts = [SECRET, quote(SECRET), html.escape(SECRET), json.dumps(SECRET), SECRET.replace("'", "''")]
    written = [f"{before}{text} and more".encode() for text in texts]
    plain = f"{before}{SECRET}{before}".encode()
    written += [
        base64.b64encode(plain),
        base64.urlsafe_b64encode(plain),
        plain.hex().encode(),
        plain.hex().upper().encode(),
    ]
    for content in written:
        assert found(iter([Place("anywhere", content)])), content
    assert not found(iter([Place("anywhere", plain.replace(b"canary", b"parrot"))]))


def test_it_may_be_where_it_belongs_and_nowhere_else(tmp_path: Path):
    for name in ("credentials/1.json", "logs/web.log"):
        (tmp_path / name).parent.mkdir()
        (tmp_path / name).write_text(json.dumps({"password": SECRET}))
    assert leaks([PLANTED], canary.files("home", tmp_path)) == ["the password in file home/logs/web.log"]
    assert leaks([PLANTED], canary.files("home", tmp_path, skip=["logs"])) == []
    (tmp_path / "link").symlink_to(SECRET)
    assert "the password in file home/link" in leaks([PLANTED], canary.files("home", tmp_path))


def test_a_secret_that_is_too_short_to_be_found_is_refused():
    with pytest.raises(AssertionError, match="too short"):
        Canary("the password", "short")


@pytest.fixture
def broker_pid(home: Home) -> Iterator[int]:
    """A broker of the test's own."""
    broker = Broker(home)
    process = child.spawn(broker.prepare())
    await_that(broker.ready)
    yield process.pid
    process.kill()
    process.wait()


@pytest.mark.parametrize("kind", ["string", "list", "set", "zset", "hash", "stream", "key"])
def test_it_is_found_in_the_broker_and_in_its_memory_and_files(home: Home, broker_pid: int, kind: str):
    broker = Broker(home)
    assert not found(canary.keys(broker.url))
    with redis.Redis(unix_socket_path=str(broker.socket)) as client:
        # Long enough to be compressed in a dump, where the kind's own reading must find it.
        value = f"{'x' * 200}{SECRET}{'x' * 200}"
        plant = {
            "string": lambda: client.set("planted", value),
            "list": lambda: client.rpush("planted", "other", value),
            "set": lambda: client.sadd("planted", value),
            "zset": lambda: client.zadd("planted", {value: 1.0}),
            "hash": lambda: client.hset("planted", "field", value),
            "stream": lambda: client.xadd("planted", {"field": value}),
            "key": lambda: client.set(SECRET, "value"),
        }
        plant[kind]()
        client.execute_command("WAITAOF", 1, 0, 5000)
    assert found(canary.keys(broker.url))
    assert found(canary.memory("broker", broker_pid))
    assert found(canary.files("home", home.broker))


@pytest.mark.parametrize("value", ["%s", "convert_to(%s, 'UTF8')"])
def test_it_is_found_in_the_metadata_db(database_url: str, value: str):
    assert not found(canary.dump(database_url))
    with psycopg.connect(database_url) as connection:
        connection.execute(f"CREATE TABLE planted AS SELECT {value} AS held", (SECRET,), binary=False)
    assert found(canary.dump(database_url))


@pytest.mark.parametrize("where", ["arguments", "environment"])
def test_it_is_found_in_a_process(where: str):
    command = [sys.executable, "-S", "-c", "print(flush=True); input()", *([SECRET] if where == "arguments" else [])]
    environment = {**os.environ, "PLANTED": SECRET} if where == "environment" else dict(os.environ)
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
    with subprocess.Popen(command, env=environment, **pipes) as process:
        assert process.stdout is not None
        process.stdout.readline()
        assert found(canary.processes([psutil.Process(process.pid)]))
        process.communicate(b"\n")


@pytest.mark.parametrize(
    "start",
    [
        "subprocess.run([sys.executable, '-c', '', {secret!r}])",
        "subprocess.run(['true'], env={{'PLANTED': {secret!r}}})",
        "os.execv('/bin/true', ['true', {secret!r}])",
        "os.environ['PLANTED'] = {secret!r}; subprocess.run(['true'])",
    ],
)
def test_it_is_found_in_a_process_that_has_long_ended(tmp_path: Path, start: str):
    noted = tmp_path / "spawns"
    environment = {**os.environ, "PYTHONPATH": str(AUDIT), "CANARY_SPAWNS": str(noted)}
    # From a file: the secret isn't in what the test itself starts.
    (tmp_path / "program.py").write_text("import os, subprocess, sys\n" + start.format(secret=SECRET))
    subprocess.run([sys.executable, str(tmp_path / "program.py")], env=environment, check=True, timeout=30)
    assert found(canary.spawns(noted))


@pytest.mark.parametrize("where", ["body", "header"])
def test_it_is_found_in_an_answer(where: str):
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(500)
            self.send_header("X-Planted", quote(SECRET) if where == "header" else "nothing")
            self.end_headers()
            self.wfile.write(html.escape(SECRET if where == "body" else "nothing").encode())

        def log_message(self, *_: object) -> None: ...

    with HTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.handle_request).start()
        with httpx.Client(base_url=f"http://127.0.0.1:{server.server_port}") as client:
            told = leaks([PLANTED], canary.answers("page", client, ["/broken"]))
    assert told == ["the password in page /broken"]
