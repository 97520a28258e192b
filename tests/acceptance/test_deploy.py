"""`toygres deploy` as its users run it: in a process of its own, on a fake cluster and on this machine."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from cryptography.fernet import Fernet
from fake_cluster import FakeCluster
from fake_cluster.real_server import RealServers

from tests.acceptance.conftest import Up, World, await_that, make_world
from toygres.store.session import Store

KINDS = (
    *("configmaps", "secrets", "persistentvolumeclaims", "services", "statefulsets.apps", "pods"),
    "networkpolicies.networking.k8s.io",
)
SIZES = ("--storage", "1Gi", "--memory", "256Mi")
PASSWORD = "a horse that is correct"


@pytest.fixture(scope="module")
def cluster() -> Iterator[FakeCluster]:
    with FakeCluster(servers=RealServers()) as made:
        yield made


@pytest.fixture(scope="module")
def deploying(cluster: FakeCluster, instance_ports: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    """A home with nothing running, on the cluster."""
    made = make_world(instance_ports)
    made.variables |= {
        "KUBECONFIG": str(cluster.kubeconfig(tmp_path_factory.mktemp("kube") / "kubeconfig")),
        "TOYGRES_PLATFORM": "kubernetes",
    }
    yield made
    made.clean_up()


def begin(world: World, *arguments: str, **variables: str) -> Up:
    """Start `toygres deploy`; all that it says, in the order in which it says it, is in `said`."""
    started = Up(
        subprocess.Popen(
            [sys.executable, "-u", "-m", "toygres", "deploy", *arguments],
            env=world.environment(**variables),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
        )
    )
    world.ups.append(started)
    return started


def left_of(cluster: FakeCluster, name: str, namespace: str = "toygres") -> list[str]:
    return [
        f"{kind} {each['metadata']['name']}"
        for kind in KINDS
        for each in cluster.list(kind, namespace)
        if each["metadata"].get("labels", {}).get("app.kubernetes.io/instance") == name
    ]


def test_one_is_made_tried_printed_and_removed(cluster: FakeCluster, deploying: World) -> None:
    ran = deploying.toygres("deploy", *SIZES, POSTGRES_PASSWORD=PASSWORD)
    assert ran.returncode == 0, ran.stderr
    assert ran.stdout == "postgresql://postgres:{password}@test-pg-1.toygres.svc.cluster.local:5432/postgres\n"
    assert re.search(r"Deploying on kubernetes: http://127.0.0.1:\d+ \(context fake of .*namespace toygres", ran.stderr)
    steps = re.findall(r"^  (\w+): done, \d", ran.stderr, re.MULTILINE)
    assert steps[:6] == [
        *("apply_credentials", "apply_storage", "apply_server", "apply_service", "await_server", "verify_login")
    ]
    assert re.search(r"Connected as postgres at its pod's address: wrote a row .* in \d+ ms\. That doesn't", ran.stderr)
    assert "Nothing of test-pg-1 is left." in ran.stderr
    assert PASSWORD not in ran.stderr
    assert left_of(cluster, "test-pg-1") == []
    assert deploying.processes() == []


def test_what_is_given_by_the_environment_is_overridden_by_options(
    cluster: FakeCluster, world: World, deploying: World
) -> None:
    variables = {
        "KUBECONFIG": deploying.variables["KUBECONFIG"],
        "TOYGRES_PLATFORM": "kubernetes",
        "AKS_NAMESPACE": "fleet",
        "INSTANCE_NAME": "named",
        "POSTGRES_PASSWORD": PASSWORD,
    }
    shown = world.toygres("deploy", *SIZES, "--show-password", **variables)
    assert shown.stdout == (
        "postgresql://postgres:a%20horse%20that%20is%20correct@named.fleet.svc.cluster.local:5432/postgres\n"
    )
    other = world.toygres(
        "deploy", "--name", "other", "--namespace", "fleet", **(variables | {"AKS_NAMESPACE": "none"})
    )
    assert "@other.fleet.svc.cluster.local:5432/postgres\n" in other.stdout
    assert left_of(cluster, "named", "fleet") == left_of(cluster, "other", "fleet") == []
    elsewhere = world.toygres("deploy", *SIZES, **(variables | {"AKS_NAMESPACE": "toygres"}))
    assert elsewhere.returncode == 78
    assert "A home of its own (TOYGRES_HOME)" in elsewhere.stderr
    refused = world.toygres("deploy", *SIZES, **(variables | {"AKS_NAMESPACE": "never-made"}))
    assert refused.returncode == 78
    assert cluster.get("namespaces", "", "never-made") is None


def test_nobody_who_reads_the_uri_leaves_nothing_behind_either(cluster: FakeCluster, deploying: World) -> None:
    with subprocess.Popen(
        [sys.executable, "-m", "toygres", "deploy", "--name", "unread", *SIZES],
        env=deploying.environment(),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as deploy:
        assert deploy.stdout is not None
        deploy.stdout.close()
        assert deploy.stderr is not None
        said = deploy.stderr.read()
    assert deploy.returncode == 1, said
    assert "the URI can't be written" in said
    assert "Nothing of unread is left." in said
    assert left_of(cluster, "unread") == []


def test_each_call_is_shown_when_asked_for_and_the_password_by_nobody(cluster: FakeCluster, deploying: World) -> None:
    running = begin(
        deploying,
        "--name",
        "chatty",
        *SIZES,
        TOYGRES_LOG="debug",
        POSTGRES_PASSWORD=PASSWORD,
        TOYGRES_LOG_FORMAT="json",
    )
    running.await_line(r"apply_server: ")
    seen = [
        (folder / name).read_bytes()
        for folder in map(Path, (f"/proc/{each.pid}" for each in deploying.processes()))
        for name in ("cmdline", "environ")
        if folder.exists()
    ]
    assert seen
    assert running.await_end() == 0, running.said
    assert re.search(
        r'"method": "PATCH", "path": "/api/v1/namespaces/toygres/secrets/chatty-credentials"', running.said
    )
    places = [*seen, running.said.encode()]
    places += [path.read_bytes() for path in deploying.home.path.rglob("*") if path.is_file()]
    assert not [place for place in places if PASSWORD.encode() in place]


def test_what_cannot_come_up_says_why_and_leaves_nothing(cluster: FakeCluster, deploying: World) -> None:
    cluster.scenarios.play("image-not-found", "imageless")
    ran = deploying.toygres("deploy", "--name", "imageless", *SIZES, "--keep")
    assert (ran.returncode, ran.stdout) == (1, "")
    assert "create of imageless failed.\nImageMissing: The image postgres:16 doesn't exist" in ran.stderr
    assert "See whether TOYGRES_KUBE_IMAGE_PREFIX" in ran.stderr
    assert left_of(cluster, "imageless") == []
    assert deploying.processes() == []


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_told_to_stop_in_the_middle_it_leaves_nothing(
    cluster: FakeCluster, deploying: World, number: signal.Signals
) -> None:
    name = f"halted-{number.value}"
    cluster.scenarios.play("unschedulable", name)
    running = begin(deploying, "--name", name, *SIZES, "--keep")
    running.await_line(r"await_server: waiting, .*[Nn]o node")
    assert len(left_of(cluster, name)) == 10
    running.process.send_signal(number)
    assert running.await_end() == 130, running.said
    assert "Interrupted; cleaning up." in running.said
    assert f"Nothing of {name} is left." in running.said
    assert left_of(cluster, name) == []
    assert deploying.processes() == []


def test_told_twice_it_says_what_is_left_and_how_to_remove_it(cluster: FakeCluster, deploying: World) -> None:
    cluster.scenarios.play("unschedulable", "stuck")
    running = begin(deploying, "--name", "stuck", *SIZES)
    running.await_line(r"await_server: waiting")
    refused = cluster.faults.fail("503", verbs=("delete",))
    try:
        running.process.send_signal(signal.SIGINT)
        running.await_line(r"remove_service: waiting")
        running.process.send_signal(signal.SIGINT)
        assert running.await_end() == 130, running.said
    finally:
        cluster.faults.stop(refused)
    assert "Left behind: StatefulSet stuck\n" in running.said
    remedy = re.search(r"Remove it: toygres (deploy --remove --name stuck)\. `toygres up`", running.said)
    assert remedy is not None
    ran = deploying.toygres(*remedy[1].split())
    assert ran.returncode == 0, ran.stderr
    assert left_of(cluster, "stuck") == []


def test_one_that_is_kept_stays_until_it_is_removed(cluster: FakeCluster, deploying: World) -> None:
    kept = deploying.toygres("deploy", "--name", "kept", *SIZES, "--keep")
    assert kept.returncode == 0, kept.stderr
    assert "kept stays. Remove it and its data: toygres deploy --remove --name kept\n" in kept.stderr
    assert len(left_of(cluster, "kept")) == 10
    assert deploying.processes() == []
    again = deploying.toygres("deploy", "--name", "kept", *SIZES)
    assert again.returncode == 4
    assert "kept exists already, and is ready." in again.stderr
    assert "toygres deploy --remove --name kept" in again.stderr
    assert len(left_of(cluster, "kept")) == 10
    removed = deploying.toygres("deploy", "--remove", "--name", "kept")
    assert (removed.returncode, removed.stdout) == (0, "")
    assert left_of(cluster, "kept") == []
    assert deploying.toygres("deploy", "--remove", "--name", "kept").returncode == 3


def test_killed_in_the_middle_the_next_one_takes_it_up(cluster: FakeCluster, deploying: World) -> None:
    waits = cluster.scenarios.play("unschedulable", "killed")
    running = begin(deploying, "--name", "killed", *SIZES)
    running.await_line(r"await_server: waiting")
    running.process.kill()
    running.process.wait()
    await_that(lambda: not deploying.processes())
    cluster.scenarios.end(waits)
    ran = deploying.toygres("deploy", "--name", "killed", *SIZES)
    assert ran.returncode == 0, ran.stderr
    assert "An earlier deploy of killed ended in the middle; what it left is removed first." in ran.stderr
    assert "@killed.toygres.svc" in ran.stdout
    assert left_of(cluster, "killed") == []


def test_two_at_once_share_the_metadata_db_whoever_ends_first(cluster: FakeCluster, deploying: World) -> None:
    waits = cluster.scenarios.play("unschedulable", "longer")
    first = begin(deploying, "--name", "shorter", *SIZES)
    first.await_line(r"Create an instance: shorter")
    second = begin(deploying, "--name", "longer", *SIZES)
    second.await_line(r"await_server: waiting")
    same = deploying.toygres("deploy", "--name", "longer", *SIZES)
    assert same.returncode == 4
    assert "belongs to another `toygres deploy`, which is at work" in same.stderr
    assert first.await_end() == 0, first.said
    # The first had run the DB: the second runs it from now on.
    cluster.scenarios.end(waits)
    assert second.await_end() == 0, second.said
    assert left_of(cluster, "shorter") == left_of(cluster, "longer") == []
    assert deploying.processes() == []


def test_a_metadata_db_that_is_killed_is_run_again(cluster: FakeCluster, deploying: World) -> None:
    waits = cluster.scenarios.play("unschedulable", "shaken")
    running = begin(deploying, "--name", "shaken", *SIZES)
    running.await_line(r"await_server: waiting")
    postmasters = [each for each in deploying.processes() if "-D" in each.cmdline() and each.name() == "postgres"]
    assert len(postmasters) == 1
    os.kill(postmasters[0].pid, signal.SIGKILL)
    postmasters[0].wait()
    cluster.scenarios.end(waits)
    assert running.await_end() == 0, running.said
    assert left_of(cluster, "shaken") == []
    assert deploying.processes() == []


def test_with_a_metadata_db_of_somebody_elses_it_runs_none(
    cluster: FakeCluster, world: World, deploying: World, database_url: str, store: Store
) -> None:
    variables = {
        "KUBECONFIG": deploying.variables["KUBECONFIG"],
        "TOYGRES_PLATFORM": "kubernetes",
        "DATABASE_URL": database_url,
        "TOYGRES_SECRET_KEYS": Fernet.generate_key().decode(),
    }
    ran = world.toygres("deploy", "--name", "guest", *SIZES, **variables)
    assert ran.returncode == 0, ran.stderr
    assert "@guest.toygres.svc" in ran.stdout
    assert left_of(cluster, "guest") == []
    ended = store.all("SELECT kind, state FROM toygres.operations ORDER BY id")
    assert [(row.kind, row.state) for row in ended] == [("create", "succeeded"), ("delete", "succeeded")]
    assert not list(world.home.path.rglob("PG_VERSION"))
    assert not world.home.metadata_place.exists()
    assert world.processes() == []


def test_on_this_machine_nothing_is_left_either(world: World) -> None:
    ran = world.toygres("deploy", POSTGRES_PASSWORD=PASSWORD)
    assert ran.returncode == 0, ran.stderr
    assert re.fullmatch(r"postgresql://postgres:\{password\}@127.0.0.1:\d+/postgres\n", ran.stdout)
    assert re.search(r"Connected as postgres at 127.0.0.1:\d+: wrote a row", ran.stderr)
    assert world.processes() == []
    refused = world.toygres("deploy", "-p", "shared_buffers=plenty")
    assert refused.returncode == 2
    assert "parameters.shared_buffers 'plenty'" in refused.stderr
    halted = begin(world)
    halted.await_line(r"apply_storage: running")
    assert halted.interrupt() == 130, halted.said
    assert "Nothing of test-pg-1 is left." in halted.said
    assert world.processes() == []


def test_beside_an_up_of_the_home_it_uses_that_ones_metadata_db(running: World) -> None:
    before = running.pid_of("metadata")
    ran = running.toygres("deploy", "--name", "beside")
    assert ran.returncode == 0, ran.stderr
    listed = running.toygres("operations", "-o", "json")
    assert '"deploy:' in listed.stdout, listed.stderr
    assert running.pid_of("metadata") == before
    assert running.toygres("get", "demo").returncode == 0


def test_an_up_that_begins_meanwhile_takes_the_metadata_db_over(cluster: FakeCluster, deploying: World) -> None:
    waits = cluster.scenarios.play("unschedulable", "overtaken")
    running = begin(deploying, "--name", "overtaken", *SIZES)
    running.await_line(r"await_server: waiting")
    up = deploying.up().await_ready()
    cluster.scenarios.end(waits)
    assert running.await_end() == 0, running.said
    assert left_of(cluster, "overtaken") == []
    assert deploying.toygres("operations").returncode == 0
    assert up.interrupt() == 0, up.said
    assert deploying.processes() == []


def test_after_an_up_that_was_killed_it_runs_the_metadata_db_itself(world: World) -> None:
    up = world.up().await_ready()
    up.process.kill()
    up.process.wait()
    assert world.home.running.exists()
    ran = world.toygres("deploy")
    assert ran.returncode == 0, ran.stderr
    assert world.processes() == []
