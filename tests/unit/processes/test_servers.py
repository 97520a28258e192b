from __future__ import annotations

import os
import select
import shutil
import signal
import stat
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import psutil
import psycopg
import pytest
from kombu import Connection

from tests.unit.processes.conftest import await_end, runs
from toygres.errors import Misconfigured
from toygres.home import Home
from toygres.platforms.local import binaries, place
from toygres.processes import child
from toygres.processes.broker import Broker
from toygres.processes.metadata import Metadata
from toygres.processes.supervisor import Supervisor

SECONDS = 30


@pytest.fixture
def bare() -> Iterator[Home]:
    folder = Path(tempfile.mkdtemp(prefix="tg-"))
    home = Home(folder / "home of 'toygres'")
    home.make()
    yield home
    place.forget(home)
    shutil.rmtree(folder)


@pytest.fixture
def metadata(bare: Home) -> Metadata:
    return Metadata(bare, place.find(bare, place.Tenant.METADATA))


@pytest.fixture
def broker(bare: Home) -> Iterator[Broker]:
    made = Broker(bare)
    yield made
    made.clear()


def start(supervisor: Supervisor, server: Metadata | Broker) -> int:
    command = server.prepare()
    supervisor.start(command)
    supervisor.await_ready(command.name, server.ready, SECONDS)
    return supervisor.pids()[command.name]


def write(metadata: Metadata) -> None:
    with psycopg.connect(metadata.url) as connection:
        connection.execute("CREATE TABLE kept AS SELECT 42 AS answer")


def read(metadata: Metadata) -> object:
    with psycopg.connect(metadata.url) as connection:
        return connection.execute("SELECT answer FROM kept").fetchone()


def test_the_metadata_db_lets_us_in_without_a_password_and_by_its_socket_only(
    supervisor: Supervisor, metadata: Metadata
):
    pid = start(supervisor, metadata)
    with psycopg.connect(metadata.url) as connection:
        shown = {
            name: connection.execute(f"SHOW {name}").fetchone()[0]  # type: ignore[index]
            for name in ("listen_addresses", "fsync", "full_page_writes", "synchronous_commit", "data_checksums")
        }
        connection.execute("SET ROLE none")
    assert shown.pop("listen_addresses") == ""
    assert set(shown.values()) == {"on"}
    assert not [
        found
        for found in psutil.Process(pid).net_connections()
        if found.status == psutil.CONN_LISTEN and found.laddr[1:]
    ]
    assert stat.S_IMODE(metadata.sockets.stat().st_mode) == 0o700
    assert stat.S_IMODE(metadata.data.stat().st_mode) == 0o700
    assert supervisor.stop(["metadata"], 5.0) == []
    metadata.clear()
    assert not metadata.sockets.exists()


def test_the_metadata_db_keeps_what_was_written_when_it_is_killed(supervisor: Supervisor, metadata: Metadata):
    supervisor.settle()
    pid = start(supervisor, metadata)
    write(metadata)
    os.kill(pid, signal.SIGKILL)
    await_end(pid)
    supervisor.await_ready("metadata", lambda: supervisor.pids().get("metadata") not in (None, pid), SECONDS)
    # Until the new one has begun, the file of the killed one says that it's ready.
    supervisor.await_ready("metadata", lambda: metadata._pid_lines()[:1] not in ([], [str(pid)]), SECONDS)
    supervisor.await_ready("metadata", metadata.ready, SECONDS)
    assert read(metadata) == (42,)
    assert supervisor.stop(["metadata"], 5.0) == []


def test_a_metadata_db_that_was_left_running_is_replaced(supervisor: Supervisor, metadata: Metadata):
    left = child.spawn(metadata.prepare())
    supervisor.await_ready("metadata", metadata.ready, SECONDS)
    write(metadata)
    assert start(supervisor, metadata) != left.pid
    assert left.wait(5) == 0
    assert read(metadata) == (42,)
    assert supervisor.stop(["metadata"], 5.0) == []


def test_a_pid_file_that_names_another_process_stops_nobody_and_no_start(supervisor: Supervisor, metadata: Metadata):
    start(supervisor, metadata)
    assert supervisor.stop(["metadata"], 5.0) == []
    (metadata.data / "postmaster.pid").write_text(f"{os.getppid()}\n{metadata.data}\n")
    start(supervisor, metadata)
    assert runs(os.getppid())
    assert supervisor.stop(["metadata"], 5.0) == []


def test_a_server_of_the_same_folder_name_that_is_not_our_users_is_left_alone(metadata: Metadata):
    metadata.data.mkdir()
    wait = "import signal; print(flush=True); signal.pause()"
    # By its folder and its words it is the postmaster; not by its user, where we are root.
    pretending = [sys.executable, "-S", "-c", wait, "-D", str(metadata.data)]
    for command, folder in ((pretending, "/"), (pretending[:-2], metadata.data), (pretending, metadata.data)):
        with subprocess.Popen(command, cwd=folder, stdout=subprocess.PIPE) as process:
            assert process.stdout is not None
            process.stdout.readline()
            (metadata.data / "postmaster.pid").write_text(f"{process.pid}\n{metadata.data}\n")
            metadata.end_leftover()
            ours = command is pretending and folder != "/" and metadata.place.owner == os.geteuid()
            assert runs(process.pid) is not ours
            process.kill()


def test_a_link_in_the_data_folders_stead_is_refused(metadata: Metadata, tmp_path: Path):
    (tmp_path / "PG_VERSION").write_text("18\n")
    metadata.data.symlink_to(tmp_path)
    with pytest.raises(Misconfigured, match="isn't a folder of the metadata DB's"):
        metadata.prepare()
    metadata.data.unlink()


def test_an_initdb_that_outlived_its_up_disturbs_no_later_one(supervisor: Supervisor, metadata: Metadata):
    prepare = (
        "import sys; from pathlib import Path; from toygres.home import Home\n"
        "from toygres.platforms.local import place; from toygres.processes.metadata import Metadata\n"
        "home = Home(Path(sys.argv[1])); Metadata(home, place.find(home, place.Tenant.METADATA)).prepare()"
    )
    binaries.bundled(metadata.place)
    with subprocess.Popen([sys.executable, "-c", prepare, str(metadata.home.path)]) as killed:
        deadline = time.monotonic() + SECONDS
        while not (begun := list(metadata.place.root.glob("metadata.partial*/*"))):
            assert time.monotonic() < deadline
            select.select([], [], [], 0.005)
        killed.kill()
    orphans = [
        found.pid for found in psutil.process_iter(["cmdline"]) if str(begun[0].parent) in (found.info["cmdline"] or ())
    ]
    start(supervisor, metadata)
    write(metadata)
    for orphan in orphans:
        await_end(orphan, SECONDS)
    assert read(metadata) == (42,)
    assert supervisor.stop(["metadata"], 5.0) == []
    metadata.prepare()
    assert [path.name for path in metadata.place.root.glob("metadata*")] == ["metadata"]


def test_a_metadata_db_that_was_half_made_is_made_again(supervisor: Supervisor, metadata: Metadata):
    half = metadata.data.with_name("metadata.partial")
    half.mkdir()
    shutil.chown(half, metadata.place.owner, metadata.place.group)
    (half / "PG_VERSION").write_text("18\n")
    start(supervisor, metadata)
    assert not half.exists()
    assert supervisor.stop(["metadata"], 5.0) == []


def test_the_broker_listens_on_a_socket_of_ours_and_nowhere_else(supervisor: Supervisor, broker: Broker):
    pid = start(supervisor, broker)
    with Connection(broker.url) as connection:
        connection.ensure_connection(max_retries=1)
    assert stat.S_IMODE(broker.socket.stat().st_mode) == 0o700
    assert stat.S_IMODE(broker.socket.parent.stat().st_mode) == 0o700
    assert psutil.Process(pid).net_connections("inet") == []
    assert supervisor.stop(["broker"], 5.0) == []
    broker.clear()
    assert not broker.socket.exists()


def test_the_broker_keeps_what_it_holds_when_it_is_killed_or_left_running(supervisor: Supervisor, broker: Broker):
    left = child.spawn(broker.prepare())
    supervisor.await_ready("broker", broker.ready, SECONDS)
    with Connection(broker.url) as connection:
        connection.SimpleQueue("kept").put("a hint")
    pid = start(supervisor, broker)
    assert left.wait(5) == 0
    supervisor.settle()
    os.kill(pid, signal.SIGKILL)
    await_end(pid)
    supervisor.await_ready("broker", broker.ready, SECONDS)
    with Connection(broker.url) as connection:
        assert connection.SimpleQueue("kept").get(timeout=5).payload == "a hint"
    assert supervisor.stop(["broker"], 5.0) == []


def test_a_home_with_a_long_path_has_its_brokers_socket_elsewhere(bare: Home):
    long = Home(bare.path / ("long" * 30))
    broker = Broker(long)
    long.make()
    broker.prepare()
    assert len(os.fsencode(broker.socket)) <= 103
    assert stat.S_IMODE(broker.socket.parent.stat().st_mode) == 0o700
    broker.clear()
    assert not broker.socket.parent.exists()


def test_a_broker_folder_that_others_can_read_is_refused(bare: Home):
    bare.broker.mkdir(mode=0o755)
    with pytest.raises(Misconfigured, match="isn't a folder that only we can read"):
        Broker(bare).prepare()
