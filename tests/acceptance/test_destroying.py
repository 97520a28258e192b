"""`toygres destroy-everything` where instances live in a cluster: none is left that nobody knows any more."""

from __future__ import annotations

import os
import pty
import re
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from cryptography.fernet import Fernet
from fake_cluster import FakeCluster
from fake_cluster.real_server import RealServers

from tests.acceptance.conftest import Up, World, await_that, make_world
from tests.acceptance.test_deploy import KINDS, SIZES, begin, left_of
from toygres.processes.metadata import find_data

DESTROY = ("destroy-everything", "--yes")
CLUSTER = r"http://127.0.0.1:\d+ \(context fake of \S+\), namespace toygres"
PLACE = rf"\({CLUSTER}; ins_\w+\)"
PROMPT = rf"1 instance with all data on kubernetes \({CLUSTER}\), and everything else of Toygres in "
LEAVING = rf"1 instance with all data on kubernetes \({CLUSTER}\) will be left, and no Toygres"


@pytest.fixture(scope="module")
def cluster() -> Iterator[FakeCluster]:
    with FakeCluster(servers=RealServers()) as made:
        yield made


def make(cluster: FakeCluster, instance_ports: str, folder: Path) -> World:
    """A home that orders in the cluster."""
    made = make_world(instance_ports)
    made.variables |= {"KUBECONFIG": str(cluster.kubeconfig(folder / "kubeconfig")), "TOYGRES_PLATFORM": "kubernetes"}
    return made


@pytest.fixture
def world(cluster: FakeCluster, instance_ports: str, tmp_path: Path) -> Iterator[World]:
    made = make(cluster, instance_ports, tmp_path)
    yield made
    made.clean_up()


@pytest.fixture(scope="module")
def kept(cluster: FakeCluster, instance_ports: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    """A home that knows an instance, for tests that leave it."""
    made = make(cluster, instance_ports, tmp_path_factory.mktemp("kube"))
    half_made(cluster, made, "kept")
    yield made
    # A delete reads no password.
    made.home.secret_keys.unlink()
    assert made.toygres(*DESTROY).returncode == 0
    assert left_of(cluster, "kept") == []
    assert_all_gone(made)
    made.clean_up()


def half_made(cluster: FakeCluster, world: World, name: str) -> None:
    """An instance whose create was killed while no node took its pod."""
    cluster.scenarios.play("unschedulable", name)
    running = begin(world, "--name", name, *SIZES)
    running.await_line(r"await_server: waiting")
    running.process.kill()
    running.process.wait()
    await_that(lambda: not world.processes())
    assert len(left_of(cluster, name)) == 10


def begin_destroying(world: World, **variables: str) -> Up:
    started = Up(
        subprocess.Popen(
            [sys.executable, "-u", "-m", "toygres", *DESTROY],
            env=world.environment(**variables),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
        )
    )
    world.ups.append(started)
    return started


def of_home(world: World) -> set[str]:
    """All files of the home and of its metadata DB's settings, but those that come and go with a server."""
    found = {path for path in world.home.path.rglob("*") if not {"metadata", "logs"} & set(path.parts)}
    data = find_data(world.home)
    assert data is not None
    return {str(path) for path in (*found, data / "PG_VERSION", data / "global" / "pg_control") if path.exists()}


@contextmanager
def stays(world: World) -> Iterator[None]:
    before = of_home(world)
    yield
    assert of_home(world) == before
    assert world.processes() == []


def assert_all_gone(world: World) -> None:
    assert not world.home.path.exists()
    assert world.processes() == []


def test_what_only_the_home_knows_is_deleted_first(cluster: FakeCluster, world: World) -> None:
    up = world.up("whole").await_ready()
    # As whoever started it would: one that has ended and isn't waited for is looked for until the time is over.
    threading.Thread(target=up.await_end, daemon=True).start()
    cluster.scenarios.play("unschedulable", "half")
    assert world.toygres("create", "half", *SIZES, "--no-wait").returncode == 0
    await_that(lambda: len(left_of(cluster, "half")) == 10)
    # Another terminal, which has none of the variables.
    for variable in ("KUBECONFIG", "TOYGRES_PLATFORM"):
        del world.variables[variable]
    ran = world.toygres(*DESTROY)
    assert ran.returncode == 0, ran.stderr
    for name in ("whole", "half"):
        assert re.search(rf"(?m)^removed  {name} on kubernetes {PLACE}$", ran.stdout), ran.stdout
        assert left_of(cluster, name) == []
    order = ("stopped  `toygres up`", "removed  whole", "removed  half", f"removed  {world.home.path}/")
    places = [ran.stdout.index(each) for each in order]
    assert places == sorted(places)
    assert_all_gone(world)


def test_a_cluster_that_does_not_answer_keeps_the_home(cluster: FakeCluster, kept: World) -> None:
    before = left_of(cluster, "kept")
    with stays(kept), cluster.outage():
        ran = kept.toygres(*DESTROY)
    assert ran.returncode == 5
    assert re.search(rf"(?m)^left     kept on kubernetes {PLACE}: \S.*\.$", ran.stdout), ran.stdout
    assert "removed" not in ran.stdout
    assert f"Nothing of {kept.home.path} was removed: nobody else knows 1 instance" in ran.stderr
    assert "--leave-clusters" in ran.stderr
    assert left_of(cluster, "kept") == before != []


def test_another_cluster_is_neither_taken_for_it_nor_written_to(
    cluster: FakeCluster, kept: World, tmp_path: Path
) -> None:
    with FakeCluster() as other:
        with stays(kept):
            ran = kept.toygres(*DESTROY, KUBECONFIG=str(other.kubeconfig(tmp_path / "kubeconfig")))
        assert ran.returncode == 5
        assert "isn't the one that this metadata DB knows. Set TOYGRES_KUBE_CONTEXT" in ran.stdout
        assert [made.get("namespaces", "", "toygres") is None for made in (cluster, other)] == [False, True]


def test_a_delete_that_is_not_through_in_time_keeps_the_home(cluster: FakeCluster, kept: World) -> None:
    refused = cluster.faults.fail("503", verbs=("delete",), resources=("configmaps",))
    try:
        with stays(kept):
            ran = kept.toygres(*DESTROY, TOYGRES_UNDO_SECONDS="3")
    finally:
        cluster.faults.stop(refused)
    assert ran.returncode == 5, ran.stderr
    assert re.search(
        r"^left     kept on kubernetes .*: Its delete isn't through after 3 s\. \S", ran.stdout, re.MULTILINE
    )


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL])
def test_ended_in_the_middle_it_leaves_the_home_for_the_next_run(
    cluster: FakeCluster, kept: World, number: signal.Signals
) -> None:
    refused = cluster.faults.fail("503", verbs=("delete",), resources=("configmaps",))
    try:
        with stays(kept):
            running = begin_destroying(kept)
            running.await_line(r"remove_credentials: waiting")
            running.process.send_signal(number)
            code = running.await_end()
            await_that(lambda: not kept.processes())
    finally:
        cluster.faults.stop(refused)
    if number is not signal.SIGKILL:
        assert code == 130, running.said
        assert f"Interrupted. Nothing of {kept.home.path} was removed: run it again to go on." in running.said


@pytest.mark.parametrize(("options", "told"), [((), PROMPT), (("--leave-clusters",), LEAVING)])
def test_the_question_tells_what_is_where(kept: World, options: tuple[str, ...], told: str) -> None:
    ours, theirs = pty.openpty()
    os.write(ours, b"no\n")
    asked = subprocess.run(
        (sys.executable, "-m", "toygres", "destroy-everything", *options),
        env=kept.environment(COLUMNS="500"),
        stdin=theirs,
        capture_output=True,
        text=True,
        check=False,
    )
    os.close(ours)
    os.close(theirs)
    assert asked.returncode == 2, asked.stderr
    assert re.search(told, asked.stderr), asked.stderr
    assert "Nothing was removed" in asked.stderr
    assert kept.home.token.exists() or kept.home.secret_keys.exists()


def test_clusters_that_are_left_are_named_by_what_removes_them(cluster: FakeCluster, world: World) -> None:
    half_made(cluster, world, "left")
    # As older versions made it.
    world.home.outside.unlink()
    with cluster.outage():
        ran = world.toygres(*DESTROY, "--leave-clusters")
    assert ran.returncode == 0, ran.stderr
    found = re.search(rf"(?m)^left     left on kubernetes {PLACE}; `KUBECONFIG=\S+ (.*)` removes it$", ran.stdout)
    assert found is not None, ran.stdout
    command = r"kubectl --context fake --namespace toygres delete (\S+) --selector toygres.io/instance-id=(\S+)"
    words = re.fullmatch(command, found[1])
    assert words is not None
    selected = [
        each
        for kind in KINDS
        if kind.partition(".")[0] in words[1].split(",")
        for each in cluster.list(kind, "toygres")
        if each["metadata"].get("labels", {}).get("toygres.io/instance-id") == words[2]
    ]
    # The pod goes with its set.
    assert len(selected) == len(left_of(cluster, "left")) - 1 == 9
    assert_all_gone(world)


def test_what_a_metadata_db_of_others_knows_stays_there(cluster: FakeCluster, world: World, database_url: str) -> None:
    world.variables |= {"DATABASE_URL": database_url, "TOYGRES_SECRET_KEYS": Fernet.generate_key().decode()}
    half_made(cluster, world, "theirs")
    ran = world.toygres(*DESTROY)
    assert ran.returncode == 0, ran.stderr
    told = r"(?m)^left     the schema `toygres` in .*\n(.*\n)*left     1 instance on other platforms, which that schema"
    assert re.search(told, ran.stdout), ran.stdout
    assert len(left_of(cluster, "theirs")) == 10
    assert_all_gone(world)
