"""Secrets are planted in a running Toygres, then searched for wherever they might have gone.

Each is told what it is and where it belongs; one that is found elsewhere fails the test with that place's name.
tests/unit/test_canary_search.py shows that the search finds one in each kind of place.
"""

from __future__ import annotations

import json
import os
import re
import resource
import secrets
import shutil
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import canary
import httpx
import psutil
import psycopg
import pytest
import redis
from canary import Canary, Place, leaks
from cryptography.fernet import Fernet

from tests.acceptance.conftest import READY, Up, World, await_that, make_world
from toygres.domain import ids
from toygres.home import Home
from toygres.platforms.local import observe, place
from toygres.platforms.local.layout import Layout
from toygres.processes import child, flower
from toygres.processes.broker import Broker

pytestmark = [pytest.mark.acceptance, pytest.mark.timeout(600)]

Json = dict[str, Any]

CHECKOUT = Path(__file__).parents[2]
# All of this is slow where much else goes on.
PATIENCE = 150.0
ENDED = ("succeeded", "failed", "cancelled", "superseded")
CREDENTIALS = "file home/credentials/*.json"
# Whoever may log in to an instance may read its password there.
LOGIN = (CREDENTIALS, "api /v1/instances/*/credentials", "page /instances/*/connection", "said by up", "said by uri")


def planted(what: str) -> str:
    """A password that is written differently in nearly every form."""
    return f"""{what}-{secrets.token_hex(8)} '"<&%41\\"""


@dataclass
class Hunt:
    """One Toygres in which secrets are planted, and everything in which they are searched for."""

    world: World
    canaries: list[Canary] = field(default_factory=list)
    seen: list[Place] = field(default_factory=list)
    # What the processes were while the test went on, by its hash.
    sampled: dict[tuple[int, str], Place] = field(default_factory=dict)
    cookies: httpx.Cookies = field(default_factory=httpx.Cookies)
    refused: str = field(default_factory=lambda: planted("refused"))

    def __post_init__(self) -> None:
        self.plant("a password that was refused", self.refused)

    @property
    def spawns(self) -> Path:
        return self.world.home.path.parent / "spawns"

    def variables(self) -> dict[str, str]:
        """What has every Python process of this home write down what it starts."""
        return {"PYTHONPATH": f"{CHECKOUT / 'tests' / 'audit'}:{CHECKOUT}", "CANARY_SPAWNS": str(self.spawns)}

    def plant(self, name: str, secret: str, *belongs: str) -> str:
        self.canaries.append(Canary(name, secret, belongs))
        return secret

    def says(self, command: str, ran: subprocess.CompletedProcess[str], code: int = 0) -> str:
        """What a command said is a place as well."""
        assert ran.returncode == code, ran.stderr
        self.seen.append(Place(f"said by {command}", (ran.stdout + ran.stderr).encode()))
        return ran.stdout

    @contextmanager
    def sampling(self) -> Iterator[None]:
        """Look at the processes again and again; those that are gone before are in what was written down of them."""
        over = threading.Event()

        def sample() -> None:
            while not over.wait(1.0):
                for found in canary.processes(self.world.processes()):
                    self.sampled[hash(found.content), found.name] = found

        thread = threading.Thread(target=sample)
        thread.start()
        try:
            yield
        finally:
            over.set()
            thread.join()

    def client(self) -> httpx.Client:
        """The API, with its token."""
        headers = {"Authorization": f"Bearer {self.world.home.token.read_text().strip()}"}
        return httpx.Client(base_url=self.world.running()["url"], headers=headers, timeout=PATIENCE)

    def post(self, path: str, body: Any, status: int = 202) -> Json:
        with self.client() as client:
            got = client.post(path, json=body)
        assert got.status_code == status, got.text
        self.seen.append(canary.answer("api", got))
        answered: Json = got.json()
        return answered

    def get(self, path: str) -> Json:
        with self.client() as client:
            answered: Json = client.get(path).raise_for_status().json()
        return answered

    def order(self, name: str, **asked: Any) -> Json:
        """Order an instance; its operation once that has ended."""
        return self.ended(self.post("/v1/instances", {"name": name, **asked})["operation"])

    def ended(self, operation: Json) -> Json:
        while operation["state"] not in ENDED:
            query = f"after_revision={operation['revision']}&wait_seconds=25"
            operation = self.get(f"/v1/operations/{operation['id']}?{query}")
        return operation

    def plant_logins(self) -> None:
        """Whatever passwords were generated by now: the users' and the monitors'."""
        known = {found.secret for found in self.canaries}
        for path in (self.world.home.path / "credentials").glob("*.json"):
            logins = json.loads(path.read_text())
            self.plant("a monitor's password", logins["monitor"]["password"], CREDENTIALS)
            if logins["user"]["password"] not in known:
                self.plant("a generated password", logins["user"]["password"], *LOGIN)

    def everywhere(self) -> Iterator[Place]:
        """Every place there is, but what the test itself has seen."""
        yield from self.all_files()
        yield from self.everything_asked()
        yield from self.pages()
        yield from self.flowers_pages()
        yield from canary.spawns(self.spawns)
        yield from self.sampled.values()
        yield from canary.processes(self.world.processes())
        yield from self.seen
        for up in self.world.ups:
            yield Place("said by up", up.said.encode())

    def all_files(self) -> Iterator[Place]:
        """The home, and where servers and the metadata DB live when that is elsewhere; programs hold no secrets."""
        home = self.world.home
        yield from canary.files("home", home.path, skip=["servers/binaries"])
        for tenant in place.Tenant:
            if not tenant.record(home).exists():
                continue
            where = place.find(home, tenant)
            for folder in {where.root, where.sockets}:
                if home.path not in folder.parents:
                    yield from canary.files(str(tenant), folder, skip=["binaries"])

    def everything_asked(self) -> Iterator[Place]:
        """Every address of the API that can be read, for all that there is, and every page that leads to another."""
        with self.client() as client:
            document = client.get("/openapi.json").raise_for_status()
            yield canary.answer("api", document)
            for path, methods in document.json()["paths"].items():
                if "get" in methods:
                    yield from canary.answers("api", client, sorted(self.filled(path)))

    def filled(self, path: str) -> set[str]:
        """The path for each thing that it may be about, and for one that there isn't."""
        about = {
            "{instance}": [each[key] for each in self.get("/v1/instances")["items"] for key in ("id", "name")],
            "{operation_id}": [each["id"] for each in self.get("/v1/operations?limit=200")["items"]],
            "{platform}": ["local"],
        }
        found = {path}
        for parameter in re.findall(r"\{\w+\}", path):
            values = [*about[parameter], "nothing"]
            found = {one.replace(parameter, value) for one in found for value in values}
        return found

    def sign_in(self) -> None:
        """Open a link, as a browser does."""
        with self.client() as client:
            link = client.post("/v1/signins").json()["url"]
        self.plant("the code of a link", urlsplit(link).path.rpartition("/")[2])
        with httpx.Client() as browser:
            browser.get(link)
            self.cookies = browser.cookies
        (cookie,) = self.cookies.values()
        self.plant("a session's cookie", cookie)

    def pages(self) -> Iterator[Place]:
        """Every page that somebody who has signed in comes to by opening all links."""
        left, opened = ["/", "/create", "/signin", "/nothing"], set[str]()
        with httpx.Client(base_url=self.world.running()["url"], cookies=self.cookies, timeout=PATIENCE) as browser:
            while left:
                path = left.pop()
                if path not in opened:
                    opened.add(path)
                    got = browser.get(path)
                    yield canary.answer("page", got)
                    left += re.findall(r'href="(/[^"]*)"', got.text)
            yield from self.forms(browser)

    def forms(self, browser: httpx.Client) -> Iterator[Place]:
        """Of the pages that come after a form: the one with the password, and one that can't take what was typed."""
        (csrf,) = set(re.findall(r'name="csrf" value="([^"]+)"', browser.get("/create").text))
        yield canary.answer("page", browser.post("/instances/asked/connection", data={"csrf": csrf}))
        typed = {"csrf": csrf, "name": "No Name", "password": self.refused}
        refused = browser.post("/create", data=typed)
        assert refused.status_code == 422
        yield canary.answer("page", refused)

    def flowers_pages(self) -> Iterator[Place]:
        """Flower's pages and API, for each worker and task that it knows, and its answers to who doesn't know it."""
        login = (flower.USER, flower.password(self.world.home) or "")
        paths = ["/", "/workers", "/tasks", "/broker", "/api/workers?refresh=1", "/api/tasks", "/api/task/types"]
        paths += ["/api/queues/length", "/metrics", "/healthcheck", "/nothing", "/task/nothing", "/worker/nothing"]
        url = self.world.running()["flower_url"]
        with httpx.Client(base_url=url, timeout=PATIENCE) as stranger:
            yield from canary.answers("flower without a password", stranger, paths)
        with httpx.Client(base_url=url, timeout=30, auth=login) as client:
            yield from canary.answers("flower", client, paths)
            tasks, workers = client.get("/api/tasks").json(), client.get("/api/workers").json()
            assert tasks
            assert workers
            paths = [address for task in tasks for address in (f"/task/{task}", f"/api/task/info/{task}")]
            yield from canary.answers("flower", client, [*paths, *(f"/worker/{worker}" for worker in workers)])
            table = {"draw": 1, "start": 0, "length": 100, "search[value]": "", "order[0][column]": 0}
            columns = {"columns[0][data]": "name", "order[0][dir]": "asc"}
            yield canary.answer("flower", client.get("/tasks/datatable", params={**table, **columns}))


def core_files_wanted() -> None:
    """In a child that is about to begin: whatever keeps no memory dump of ours is our own doing."""
    _, most = resource.getrlimit(resource.RLIMIT_CORE)
    resource.setrlimit(resource.RLIMIT_CORE, (most, most))


@pytest.fixture
def hunt(instance_ports: str) -> Iterator[Hunt]:
    made = Hunt(make_world(instance_ports))
    made.world.variables |= made.variables() | {"TOYGRES_STEP_ATTEMPTS": "2"}
    yield made
    made.world.clean_up()


@pytest.fixture
def script(tmp_path: Path) -> Path:
    """bin/toygres, in a checkout whose environment is the one that runs this test."""
    shutil.copytree(CHECKOUT / "bin", tmp_path / "checkout" / "bin")
    (tmp_path / "checkout" / ".venv").symlink_to(sys.prefix)
    uv = tmp_path / "tools" / "uv"
    uv.parent.mkdir()
    uv.write_text("#!/bin/sh\n")
    uv.chmod(0o755)
    return tmp_path / "checkout" / "bin" / "toygres"


def start_by_script(hunt: Hunt, script: Path, name: str, password: str) -> Up:
    """`POSTGRES_PASSWORD=… bin/toygres up NAME`."""
    path = f"{script.parents[2] / 'tools'}:{os.environ['PATH']}"
    up = Up(
        subprocess.Popen(
            [script, "up", name],
            env=hunt.world.environment(POSTGRES_PASSWORD=password, PATH=path),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            preexec_fn=core_files_wanted,  # noqa: PLW1509
        )
    )
    hunt.world.ups.append(up)
    return up


def test_no_secret_is_anywhere_that_it_does_not_belong(hunt: Hunt, script: Path):
    given = hunt.plant("the password given by POSTGRES_PASSWORD", planted("given"), *LOGIN)
    up = start_by_script(hunt, script, "given", given)
    # Whoever is given it in the environment has it there until it has begun anew.
    up.await_line("Starting Toygres", PATIENCE)
    with hunt.sampling():
        up.await_line(READY, PATIENCE)
        plant_what_up_made(hunt)
        order_and_use(hunt, given)
        refuse_requests(hunt)
        fail_and_retry(hunt)
        break_sessions(hunt)
        crash(hunt)
    again = hunt.plant("a password for a name that is taken", planted("again"))
    hunt.says("create", hunt.world.toygres("create", "asked", POSTGRES_PASSWORD=again), code=4)
    hunt.plant_logins()
    hunt.sign_in()
    with wide(hunt.everywhere(), *OF_OUR_STORES, "arguments of a started psql") as places:
        assert leaks(hunt.canaries, places) == []
    assert leaks(hunt.canaries, stores(hunt)) == []
    assert up.interrupt() == 0
    assert leaks(hunt.canaries, hunt.all_files()) == []


def plant_what_up_made(hunt: Hunt) -> None:
    home = hunt.world.home
    hunt.plant("the API's token", home.token.read_text().strip(), "file home/token")
    hunt.plant("the secret key", home.secret_keys.read_text().strip(), "file home/secret-keys")
    hunt.plant("Flower's password", flower.password(home) or "", "file home/flowerconfig.py")
    (link,) = re.findall(r"/signin/(\S+)", hunt.world.ups[0].said)
    hunt.plant("the code of the first link", link, "said by up")


def order_and_use(hunt: Hunt, given: str) -> None:
    """Instances with passwords of every origin, and every command that has to do with one."""
    toygres = hunt.world.toygres
    asked = hunt.plant("the password that a request gave", planted("asked"), *LOGIN)
    assert hunt.order("asked", password=asked)["state"] == "succeeded"
    hunt.says("create", toygres("create", "generated"))
    assert json.loads(hunt.says("uri", toygres("uri", "given", "-o", "json")))["password"] == given
    hunt.says("uri", toygres("uri", "generated"))
    hunt.says("psql", toygres("psql", "asked", "--", "-c", "SELECT 1"))
    hunt.says("signin", toygres("signin"))
    for command in (("get", "asked"), ("list",), ("operations",), ("platforms",)):
        hunt.says(command[0], toygres(*command, "-o", "json"))
    hunt.says("keys", toygres("keys", "rotate"))
    hunt.plant("the new key", hunt.world.home.secret_keys.read_text().split()[0], "file home/secret-keys")


def refuse_requests(hunt: Hunt) -> None:
    """Requests that can't be carried out, whose answers tell what was wrong with them."""
    refused = hunt.refused
    hunt.post("/v1/instances", {"name": "No Name", "password": refused}, 422)
    hunt.post("/v1/instances", {"name": "refused", "password": refused * 10}, 422)
    hunt.post("/v1/instances", {"name": "refused", "password": [refused]}, 422)
    hunt.post("/v1/instances", {"name": "refused", "password": {"password": refused}}, 422)
    hunt.post("/v1/instances", [{"password": refused}], 422)
    hunt.post("/v1/instances", {"name": "refused", "pasword": refused}, 422)
    with hunt.client() as client:
        headers = {"Content-Type": "application/json"}
        broken = client.post("/v1/instances", content=f'{{"password": "{refused}"', headers=headers)
        assert broken.status_code == 400
        hunt.seen.append(canary.answer("api", broken))
        hunt.seen.append(canary.answer("api", client.get(f"/v1/instances/{refused}")))


def fail_and_retry(hunt: Hunt) -> None:
    """A create that the server refuses, and one during which a worker meets what nobody foresaw."""
    failing = hunt.plant("the password of a create that failed", planted("failing"))
    failed = hunt.order("failing", password=failing, parameters={"shared_buffers": "7TB"})
    assert failed["state"] == "failed"
    assert failed["cause"]["evidence"]
    unexpected = hunt.plant("the password that a worker stumbled over", planted("unexpected"))
    credentials = hunt.world.home.path / "credentials"
    aside = credentials.rename(credentials.with_name("credentials-aside"))
    credentials.touch()
    try:
        stumbled = hunt.post("/v1/instances", {"name": "unexpected", "password": unexpected})["operation"]
        await_that(lambda: hunt.get(f"/v1/operations/{stumbled['id']}")["state"] in ("undoing", *ENDED), PATIENCE)
    finally:
        credentials.unlink()
        aside.rename(credentials)
    assert hunt.ended(stumbled)["cause"]["code"] == "Unexpected"
    again = hunt.plant("the password that a retry gave", planted("retried"), *LOGIN)
    retried = hunt.post(f"/v1/operations/{stumbled['id']}/retry", {"password": again})["operation"]
    assert hunt.ended(retried)["state"] == "succeeded"
    once_more = hunt.plant("the password of a retry that failed", planted("failed-again"))
    hunt.ended(hunt.post(f"/v1/operations/{failed['id']}/retry", {"password": once_more})["operation"])
    refused = hunt.plant("a password that no retry takes", planted("not-taken"))
    hunt.post(f"/v1/operations/{retried['id']}/retry", {"password": refused}, 409)
    hunt.post(f"/v1/operations/{failed['id']}/retry", {"password": refused, "pasword": refused}, 422)
    assert "Traceback" in (hunt.world.home.logs / "worker.log").read_text()


def break_sessions(hunt: Hunt) -> None:
    """What a client says of passwords to its own server, until that server dies of it."""
    client, typo = (hunt.plant(f"what a client said in {what}", planted(what)) for what in ("CREATE", "ALTER"))
    log = "file servers/instances/*/log" if hunt.world.home.place.exists() else "file home/servers/instances/*/log"
    # PostgreSQL itself tells in its log what a session did that was killed; nothing may carry it on from there.
    killed = hunt.plant("a statement that was killed", planted("killed"), log, log.replace("home/", ""))
    uri = hunt.get("/v1/instances/asked/credentials")["uri"]
    with psycopg.connect(uri, autocommit=True) as connection:
        create = f"CREATE ROLE shop\nPASSWORD\n{_quoted(client)}"
        connection.execute(create)
        with pytest.raises(psycopg.errors.DuplicateObject):
            connection.execute(create)
        with pytest.raises(psycopg.errors.UndefinedObject):
            connection.execute("ALTER ROLE nobody_here PASSWORD " + _quoted(typo))
    with psycopg.connect(uri, autocommit=True) as connection:
        pid = connection.info.backend_pid
        ending = threading.Timer(0.5, os.kill, (pid, signal.SIGKILL))
        ending.start()
        with pytest.raises(psycopg.OperationalError):
            connection.execute(f"SELECT pg_sleep(60),\n{_quoted(killed)}")
    await_that(lambda: "was terminated by signal 9" in _evidence(hunt, "asked"), PATIENCE)
    hunt.seen.append(Place("evidence of asked", _evidence(hunt, "asked").encode()))
    os.kill(_postmaster(hunt), signal.SIGKILL)
    # Whoever looks after it has noticed, and tells what it knows.
    await_that(lambda: _is_told(hunt, "asked"), PATIENCE)


def _evidence(hunt: Hunt, name: str) -> str:
    """What an operation that failed now would keep of the server's log."""
    found = ids.parse(ids.INSTANCE, hunt.get(f"/v1/instances/{name}")["id"])
    assert found is not None
    return "\n".join(observe.evidence(Layout(place.find(hunt.world.home), found)))


def _quoted(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"


def _postmaster(hunt: Hunt) -> int:
    instance = hunt.get("/v1/instances/asked")
    port = str(instance["status"]["endpoint"]["port"])
    (found,) = [each.pid for each in hunt.world.processes() if f"port={port}" in each.cmdline()]
    return found


def _is_told(hunt: Hunt, name: str) -> bool:
    operations = hunt.get(f"/v1/operations?instance={name}")["items"]
    return len(operations) > 1 or not hunt.get(f"/v1/instances/{name}")["available"]["value"]


def crash(hunt: Hunt) -> None:
    """Processes that hold secrets die in the way that has the kernel write their memory down."""
    for name in ("web", "worker"):
        before = hunt.world.pid_of(name)
        os.kill(before, signal.SIGABRT)
        await_that(lambda name=name, before=before: hunt.world.pid_of(name) != before, 60)  # type: ignore[misc]
    await_that(lambda: _answers(hunt), PATIENCE)
    for process in hunt.world.control_plane():
        if process.name() not in ("postgres", "valkey-server"):
            assert process.rlimit(psutil.RLIMIT_CORE)[0] == 0, process.cmdline()


def _answers(hunt: Hunt) -> bool:
    with suppress(httpx.TransportError):
        return httpx.get(hunt.world.running()["url"] + "/readyz", timeout=PATIENCE).status_code == 200
    return False


def stores(hunt: Hunt) -> Iterator[Place]:
    """The metadata DB as its own tool dumps it, and the broker: its keys, and all of its memory."""
    settings = hunt.world.running()["settings"]
    yield from canary.dump(settings["database_url"])
    yield from canary.keys(settings["redis_url"])
    yield from canary.memory("the broker", hunt.world.pid_of("broker"))


@contextmanager
def wide(places: Iterator[Place], *more: str) -> Iterator[Iterator[Place]]:
    """The places. A search that has lost sight of one kind of them would find nothing there, and fails instead."""
    seen: set[str] = set()

    def noted() -> Iterator[Place]:
        for each in places:
            seen.add(each.name)
            yield each

    yield noted()
    assert [kind for kind in (*WANTED, *more) if not any(fnmatchcase(name, kind) for name in seen)] == []


WANTED = (
    *("file home/logs/worker.log", "file */instances/*/log", "file */instances/*/data/pg_wal/0*"),
    *("cmdline of *", "environ of *", "arguments of a started celery", "environment of a started gunicorn"),
    *("api /v1/instances/*/credentials", "page /instances/*/connection", "flower /task/*", "flower /worker/*"),
)
OF_OUR_STORES = ("file home/broker/appendonlydir/*.aof", "file */metadata/pg_wal/0*")


@pytest.fixture
def broker_with_password(tmp_path: Path) -> Iterator[str]:
    """The URL of a broker that wants a password, as a shared one does."""
    home = Home(tmp_path / "broker-home")
    home.make()
    command = Broker(home).prepare()
    password, port = secrets.token_urlsafe(24), _free_port()
    configuration = home.broker / "valkey.conf"
    guarded = f"bind 127.0.0.1\nport {port}\nrequirepass {password}\n"
    configuration.write_text(configuration.read_text().replace("port 0\n", guarded))
    process = child.spawn(command)
    url = f"redis://:{password}@127.0.0.1:{port}/0"
    with redis.Redis.from_url(url) as client:
        await_that(lambda: _pings(client), PATIENCE)
    yield url
    process.kill()
    process.wait()


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listening:
        port: int = listening.getsockname()[1]
        return port


def _pings(client: redis.Redis) -> bool:
    with suppress(redis.RedisError):
        return bool(client.ping())
    return False


def test_passwords_of_stores_that_others_run_stay_where_they_were_given(
    hunt: Hunt, database_url: str, broker_with_password: str
):
    key = Fernet.generate_key().decode()
    variables = {
        # `peer` lets us in and asks for no password: that there is one in the URL is what this is about.
        "DATABASE_URL": database_url.replace("@/", f":{secrets.token_urlsafe(24)}@/", 1),
        "REDIS_URL": broker_with_password,
        "TOYGRES_SECRET_KEYS": key,
    }
    with hunt.sampling():
        up = hunt.world.up("asked", **variables)
        given = ("file home/running.json", f"environ of {up.process.pid}")
        hunt.plant("the metadata DB's password", str(urlsplit(variables["DATABASE_URL"]).password), *given)
        hunt.plant("the broker's password", str(urlsplit(broker_with_password).password), *given)
        hunt.plant("the secret key", key, *given)
        up.await_line(READY, PATIENCE)
        hunt.sign_in()
        hunt.plant_logins()
        with wide(hunt.everywhere()) as places:
            assert leaks(hunt.canaries, places) == []
        with redis.Redis.from_url(broker_with_password) as client:
            client.shutdown(nosave=True)
        # Accepted all the same, and everybody who needs the broker says in the logs that it is gone.
        hunt.post("/v1/instances", {"name": "unpublished"})
        readiness = httpx.get(hunt.world.running()["url"] + "/readyz", timeout=PATIENCE)
        assert not readiness.json()["checks"]["broker"]["ok"]
        hunt.seen.append(canary.answer("api", readiness))
    assert leaks(hunt.canaries, [*hunt.all_files(), *hunt.seen, *hunt.sampled.values()]) == []
    unknown = hunt.world.toygres("keys", "rotate", TOYGRES_SECRET_KEYS=f"{Fernet.generate_key().decode()},{key}")
    assert unknown.returncode == 4
    assert "doesn't know the first key of TOYGRES_SECRET_KEYS" in unknown.stderr
