"""The main job from end to end, and the life and death of `up`."""

from __future__ import annotations

import signal
import socket
import time
from uuid import UUID

import psutil
import psycopg
import pytest

from tests.acceptance.conftest import World, await_that
from toygres.config import load
from toygres.domain import ids
from toygres.platforms.local.platform import LocalPlatform

pytestmark = [pytest.mark.acceptance, pytest.mark.timeout(240)]

LEFT_BY_A_STOP = {
    *(
        "beat-schedule",
        "beat-schedule.bak",
        "beat-schedule.dat",
        "beat-schedule.db",
        "beat-schedule.dir",
        "binaries.lock",
        "broker",
    ),
    *(
        "credentials",
        "fences",
        "flowerconfig.py",
        "logs",
        "metadata-place.json",
        "outside.json",
        "outside.lock",
        "place.json",
        "place.lock",
        "secret-keys",
    ),
    *("servers", "spares.lock", "template.lock", "token"),
}


def instance_id(world: World, name: str) -> UUID:
    shown = world.toygres("get", name, "-o", "json").stdout
    found = ids.parse(ids.INSTANCE, shown.partition('"id": "')[2].partition('"')[0])
    assert found is not None
    return found


def objects(world: World, instance: UUID) -> list[str]:
    return list(LocalPlatform("local", load(home=world.home.path)).objects(instance))


def test_a_database_from_one_command_outlives_a_restart_and_leaves_nothing_when_it_is_deleted(world: World):
    up = world.up("demo").await_ready()
    uri = up.uri("demo")
    for step in ("apply_credentials", "apply_storage", "apply_server", "apply_service", "await_server", "verify_login"):
        assert f"{step}: done" in up.said
    with psycopg.connect(uri) as connection:
        connection.execute("CREATE TABLE greeting AS SELECT 'hello' AS word")
    demo = instance_id(world, "demo")

    began = time.monotonic()
    assert up.interrupt() == 0
    took = time.monotonic() - began
    assert "demo: stopped" in up.said
    assert "Everything has stopped." in up.said
    assert world.processes() == []
    assert not list(world.home.path.rglob("*.sock"))
    assert {path.name for path in world.home.path.iterdir()} <= LEFT_BY_A_STOP
    with pytest.raises(psycopg.OperationalError):
        psycopg.connect(uri)

    again = world.up("demo").await_ready()
    assert again.uri("demo") == uri
    assert "demo: ready" in again.said
    with psycopg.connect(uri) as connection:
        assert connection.execute("SELECT word FROM greeting").fetchone() == ("hello",)

    assert objects(world, demo)
    deleted = world.toygres("delete", "demo", "--yes")
    assert deleted.returncode == 0, deleted.stderr
    assert objects(world, demo) == []
    assert world.toygres("get", "demo").returncode == 3
    with pytest.raises(psycopg.OperationalError):
        psycopg.connect(uri)
    assert again.interrupt() == 0
    assert took < 15, "stopping isn't bounded"


def test_killing_up_leaves_no_control_plane_and_the_next_up_adopts_the_servers(world: World):
    up = world.up("demo").await_ready()
    uri = up.uri("demo")
    with psycopg.connect(uri) as connection:
        connection.execute("CREATE TABLE kept AS SELECT 42 AS answer")
        postmaster = psutil.Process(connection.info.backend_pid).ppid()
    up.process.kill()
    up.await_end()
    await_that(lambda: not world.control_plane())
    with psycopg.connect(uri) as connection:
        assert connection.execute("SELECT answer FROM kept").fetchone() == (42,)

    again = world.up("demo").await_ready()
    assert again.uri("demo") == uri
    with psycopg.connect(uri) as connection:
        assert connection.execute("SELECT answer FROM kept").fetchone() == (42,)
        assert psutil.Process(connection.info.backend_pid).ppid() == postmaster
    assert again.interrupt() == 0
    assert world.processes() == []


def test_up_in_the_background_is_stopped_by_down(world: World):
    started = world.toygres("up", "--detach")
    assert started.returncode == 0, started.stderr
    assert "`toygres down` stops it" in started.stderr
    assert "/signin/" in started.stdout
    assert world.toygres("list").returncode == 0
    assert world.toygres("create", "demo").returncode == 0
    assert "/signin/" not in (world.home.logs / "up.log").read_text()
    stopped = world.toygres("down")
    assert stopped.returncode == 0
    assert "has stopped" in stopped.stderr
    assert world.processes() == []
    nothing = world.toygres("down")
    assert (nothing.returncode, nothing.stderr) == (0, f"Nothing runs on {world.home.path}.\n")
    assert world.toygres("list").returncode == 5


def test_sigterm_while_it_is_starting_leaves_nothing(world: World):
    up = world.up("demo")
    await_that(lambda: world.home.running.exists() and world.running()["processes"])
    up.process.send_signal(signal.SIGTERM)
    assert up.await_end() == 130
    assert world.processes() == []
    assert not world.home.running.exists()
    assert not world.home.lock.exists()


@pytest.mark.parametrize("variable", ["TOYGRES_PORT", "TOYGRES_FLOWER_PORT"])
def test_a_port_that_was_set_and_is_taken_is_an_error_before_anything_starts(world: World, variable: str):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        up = world.up(**{variable: str(port)})
        assert up.await_end() == 78
    assert f"Port {port}, which {variable} names, is taken." in up.said
    assert world.processes() == []
    assert not (world.home.logs / "metadata.log").exists()


def test_a_metadata_db_that_does_not_answer_is_told_with_the_last_words_of_what_failed(world: World):
    with socket.socket() as deaf:
        deaf.bind(("127.0.0.1", 0))
        up = world.up(
            DATABASE_URL=f"postgresql://us:hunter2@127.0.0.1:{deaf.getsockname()[1]}/toygres",
            TOYGRES_SECRET_KEYS="M0vCfzB9RtgxJu3Cw2qDYOY8ZTf7zrZ3yR3oOBo_7mM=",
        )
        assert up.await_end() == 1
    assert "The metadata DB can't be migrated" in up.said
    assert "hunter2" not in up.said
    assert world.processes() == []


def test_a_process_that_ends_while_starting_is_named_and_all_is_stopped(world: World):
    world.home.make()
    (world.home.path / "broker").mkdir(mode=0o700)
    (world.home.path / "broker" / "appendonlydir").write_text("in the way")
    up = world.up()
    assert up.await_end() == 1
    assert "broker ended with exit code 1" in up.said
    assert str(world.home.logs / "broker.log") in up.said
    assert world.processes() == []


def test_a_name_that_is_none_is_refused_before_anything_starts(world: World):
    up = world.up("No_Name")
    assert up.await_end() == 2
    assert not world.home.path.exists()
