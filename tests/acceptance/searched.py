"""Where the planted secrets are searched for: everything that a Toygres keeps, says and answers."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from fnmatch import fnmatchcase

import canary
import httpx
from canary import Place

from tests.acceptance.conftest import await_that
from tests.acceptance.hunt import PATIENCE, Hunt
from toygres.platforms.local import place
from toygres.processes import flower

WANTED = (
    *("file home/logs/worker.log", "file */instances/*/log", "file */instances/*/data/pg_wal/0*"),
    *("cmdline of *", "environ of *", "arguments of a started celery", "environment of a started gunicorn"),
    *("api /v1/instances/*/credentials", "page /instances/*/connection", "flower /task/*", "flower /worker/*"),
)
OF_OUR_STORES = ("file home/broker/appendonlydir/*.aof", "file */metadata/pg_wal/0*")


def everywhere(hunt: Hunt) -> Iterator[Place]:
    """Every place there is, but what the test itself has seen."""
    yield from all_files(hunt)
    yield from everything_asked(hunt)
    yield from pages(hunt)
    yield from flowers_pages(hunt)
    yield from canary.spawns(hunt.spawns)
    yield from hunt.sampled.values()
    yield from canary.processes(hunt.world.processes())
    yield from hunt.seen
    for up in hunt.world.ups:
        yield Place("said by up", up.said.encode())


def all_files(hunt: Hunt) -> Iterator[Place]:
    """The home, and where servers and the metadata DB live when that is elsewhere; programs hold no secrets."""
    home = hunt.world.home
    yield from canary.files("home", home.path, skip=["servers/binaries"])
    for tenant in place.Tenant:
        if not tenant.record(home).exists():
            continue
        where = place.find(home, tenant)
        for folder in {where.root, where.sockets}:
            if home.path not in folder.parents:
                yield from canary.files(str(tenant), folder, skip=["binaries"])


def everything_asked(hunt: Hunt) -> Iterator[Place]:
    """Every address of the API that can be read, for all that there is, and every page that leads to another."""
    with hunt.client() as client:
        document = client.get("/openapi.json").raise_for_status()
        yield canary.answer("api", document)
        for path, methods in document.json()["paths"].items():
            if "get" in methods:
                yield from canary.answers("api", client, sorted(filled(hunt, path)))


def filled(hunt: Hunt, path: str) -> set[str]:
    """The path for each thing that it may be about, and for one that there isn't."""
    about = {
        "{instance}": [each[key] for each in hunt.get("/v1/instances")["items"] for key in ("id", "name")],
        "{operation_id}": [each["id"] for each in hunt.get("/v1/operations?limit=200")["items"]],
        "{platform}": ["local"],
    }
    found = {path}
    for parameter in re.findall(r"\{\w+\}", path):
        values = [*about[parameter], "nothing"]
        found = {one.replace(parameter, value) for one in found for value in values}
    return found


def pages(hunt: Hunt) -> Iterator[Place]:
    """Every page that somebody who has signed in comes to by opening all links."""
    left, opened = ["/", "/create", "/signin", "/nothing"], set[str]()
    with httpx.Client(base_url=hunt.world.running()["url"], cookies=hunt.cookies, timeout=PATIENCE) as browser:
        while left:
            path = left.pop()
            if path not in opened:
                opened.add(path)
                got = browser.get(path)
                yield canary.answer("page", got)
                left += re.findall(r'href="(/[^"]*)"', got.text)
        yield from forms(hunt, browser)


def forms(hunt: Hunt, browser: httpx.Client) -> Iterator[Place]:
    """Of the pages that come after a form: the one with the password, and one that can't take what was typed."""
    (csrf,) = set(re.findall(r'name="csrf" value="([^"]+)"', browser.get("/create").text))
    yield canary.answer("page", browser.post("/instances/asked/connection", data={"csrf": csrf}))
    typed = {"csrf": csrf, "name": "No Name", "password": hunt.refused}
    refused = browser.post("/create", data=typed)
    assert refused.status_code == 422
    yield canary.answer("page", refused)


def flowers_pages(hunt: Hunt) -> Iterator[Place]:
    """Flower's pages and API, for each worker and task that it knows, and its answers to who doesn't know it."""
    login = (flower.USER, flower.password(hunt.world.home) or "")
    paths = ["/", "/workers", "/tasks", "/broker", "/api/workers?refresh=1", "/api/tasks", "/api/task/types"]
    paths += ["/api/queues/length", "/metrics", "/healthcheck", "/nothing", "/task/nothing", "/worker/nothing"]
    url = hunt.world.running()["flower_url"]
    with httpx.Client(base_url=url, timeout=PATIENCE) as stranger:
        yield from canary.answers("flower without a password", stranger, paths)
    with httpx.Client(base_url=url, timeout=30, auth=login) as client:
        # It hears of tasks by events, and on a busy machine may begin to listen after the first ones have run.
        await_that(lambda: client.get("/api/tasks").json(), PATIENCE)
        yield from canary.answers("flower", client, paths)
        tasks, workers = client.get("/api/tasks").json(), client.get("/api/workers").json()
        assert tasks
        assert workers
        paths = [address for task in tasks for address in (f"/task/{task}", f"/api/task/info/{task}")]
        yield from canary.answers("flower", client, [*paths, *(f"/worker/{worker}" for worker in workers)])
        table = {"draw": 1, "start": 0, "length": 100, "search[value]": "", "order[0][column]": 0}
        columns = {"columns[0][data]": "name", "order[0][dir]": "asc"}
        yield canary.answer("flower", client.get("/tasks/datatable", params={**table, **columns}))


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
