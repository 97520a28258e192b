"""What breaks while it holds secrets: sessions, a server, and the processes of the control plane."""

from __future__ import annotations

import os
import signal
import threading
from contextlib import suppress

import httpx
import psutil
import psycopg
import pytest
from canary import Place

from tests.acceptance.conftest import await_that
from tests.acceptance.hunt import PATIENCE, Hunt, planted
from toygres.domain import ids
from toygres.platforms.local import observe, place
from toygres.platforms.local.layout import Layout


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
