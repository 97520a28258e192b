"""The life and death of `up` and of the servers: what is stopped comes back, what is killed is taken over."""

from __future__ import annotations

import json
import signal
from typing import Any

import psutil
import psycopg
import pytest
from cryptography.fernet import Fernet

from tests.acceptance.conftest import World, await_that
from toygres.platforms.local import place, processes
from toygres.platforms.local.layout import Layout, all_ids
from toygres.store.session import Store

pytestmark = [pytest.mark.acceptance, pytest.mark.timeout(300)]

Json = dict[str, Any]


def servers(world: World) -> list[psutil.Process]:
    """The first process of each instance's server."""
    where = place.find(world.home)
    found = [processes.postmaster(Layout(where, instance)) for instance in all_ids(where)]
    return [process for process in found if process is not None]


def ask(world: World, *arguments: str) -> Any:
    """The JSON that a command answers with."""
    ran = world.toygres(*arguments, "-o", "json")
    assert ran.returncode == 0, ran.stderr
    return json.loads(ran.stdout)


def operations(world: World, instance: str) -> list[Json]:
    """An instance's operations, newest first."""
    found: list[Json] = ask(world, "operations", instance)["items"]
    return found


def kill(found: list[psutil.Process]) -> None:
    """End all of these processes without a word, as near to at once as can be."""
    for process in found:
        process.send_signal(signal.SIGSTOP)
    for process in found:
        process.kill()
    psutil.wait_procs(found, timeout=20)


def test_whatever_hangs_all_is_stopped_and_the_rows_say_so_and_the_next_up_goes_on(
    world: World, database_url: str, store: Store
):
    """Its metadata DB is another's, so that one can look into it when all has stopped."""
    settings = {"DATABASE_URL": database_url, "TOYGRES_SECRET_KEYS": Fernet.generate_key().decode()}
    world.variables.update(settings)
    up = world.up("demo").await_ready()
    uri = up.uri("demo")
    psutil.Process(world.pid_of("worker")).suspend()
    # Nobody works on these: both are going on when all is stopped, and so does the second `up` with the first.
    for command in (("create", "later", "--no-wait"), ("restart", "demo", "--no-wait")):
        assert world.toygres(*command).returncode == 0
    assert up.interrupt() == 0
    assert "worker didn't stop in time and was killed." in up.said
    assert "demo: stopped" in up.said
    assert world.processes() == []
    rows = store.all("SELECT name, state, available, available_cause->>'code' AS code FROM toygres.instances")
    assert {row.name: (row.state, row.available, row.code) for row in rows} == {
        "demo": ("stopped", False, "ShutDown"),
        "later": ("requested", False, None),
    }
    ends = store.all("SELECT kind, state FROM toygres.operations ORDER BY id")
    assert [(row.kind, row.state) for row in ends] == [
        ("create", "succeeded"), ("create", "queued"), ("restart", "failed"),
    ]  # fmt: skip

    again = world.up("demo").await_ready()
    assert "demo: ready" in again.said
    assert again.uri("demo") == uri
    (create,) = operations(world, "later")
    assert world.toygres("operations", create["id"], "--follow").returncode == 0
    assert again.interrupt() == 0
    assert "later: stopped" in again.said
    assert world.processes() == []
    assert {row.state for row in store.all("SELECT state FROM toygres.instances")} == {"stopped"}


def test_a_stop_lets_a_create_go_on_at_the_next_up_and_down_stops_the_server_that_a_killed_up_leaves(world: World):
    up = world.up().await_ready()
    psutil.Process(world.pid_of("worker")).suspend()
    assert world.toygres("create", "demo", "--no-wait").returncode == 0
    (create,) = operations(world, "demo")
    psutil.Process(world.pid_of("worker")).resume()
    await_that(lambda: servers(world))
    assert up.interrupt() == 0
    assert world.processes() == []
    again = world.up().await_ready()
    followed = world.toygres("operations", create["id"], "--follow")
    assert followed.returncode == 0, followed.stderr

    uri = ask(world, "uri", "demo")["uri"]
    again.process.kill()
    again.await_end()
    stopped = world.toygres("down")
    home = world.home.path
    said = f"`toygres up` had ended; stopped the 1 server that it left running on {home}.\n"
    assert (stopped.returncode, stopped.stderr) == (0, said)
    assert world.processes() == []
    with pytest.raises(psycopg.OperationalError):
        psycopg.connect(uri)
    assert world.toygres("down").stderr == f"Nothing runs on {home}.\n"


def test_after_a_kill_of_all_the_next_up_takes_the_servers_over_or_starts_those_that_are_gone(world: World):
    up = world.up("demo").await_ready()
    (server,) = servers(world)
    history = operations(world, "demo")
    kill(world.control_plane())
    up.await_end()
    assert server.is_running()

    adopting = world.up().await_ready()
    assert [found.pid for found in servers(world)] == [server.pid]
    assert operations(world, "demo") == history
    assert ask(world, "get", "demo")["available"]["value"] is True

    # As when the machine is switched off.
    kill(world.processes())
    adopting.await_end()
    again = world.up("demo").await_ready()
    assert "demo: its server ended while no Toygres ran" in again.said
    with psycopg.connect(again.uri("demo")) as connection:
        assert connection.execute("SELECT 1").fetchone() == (1,)
    started, *before = operations(world, "demo")
    assert before == history
    assert (started["kind"], started["actor"], started["cause"]["code"]) == ("start", "observer", "ServerExited")
    assert again.interrupt() == 0
    assert world.processes() == []
    assert not world.home.lock.exists()
    assert not list(world.home.path.rglob("*.sock"))
