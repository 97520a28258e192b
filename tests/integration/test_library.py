"""The library on a fake cluster with real servers: what it makes, what it tells, and what it leaves alone."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from fake_cluster import FakeCluster
from fake_cluster.real_server import RealServers

import toygres
from toygres.errors import CauseCode, Conflict, Invalid, NotFound, Refused, Unavailable
from toygres.platforms.kubernetes.labels import INSTALLATION

REPOSITORY = Path(__file__).parents[2]
SECONDS = 60.0
OURS = ("configmaps", "secrets", "persistentvolumeclaims", "services", "statefulsets.apps", "pods")
DEAR = ("kubernetes", "pydantic", "psycopg", "toygres.library")


@pytest.fixture(scope="module")
def cluster() -> Iterator[FakeCluster]:
    with FakeCluster(servers=RealServers()) as made:
        yield made


@pytest.fixture(autouse=True)
def _cluster_of_the_environment(cluster: FakeCluster, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KUBECONFIG", str(cluster.kubeconfig(tmp_path / "kubeconfig")))
    monkeypatch.setenv("TOYGRES_HOME", str(tmp_path / "home"))


def names_of(cluster: FakeCluster, name: str, namespace: str = "toygres") -> list[str]:
    """What there is of an instance."""
    return [
        f"{kind} {each['metadata']['name']}"
        for kind in (*OURS, "networkpolicies.networking.k8s.io")
        for each in cluster.list(kind, namespace)
        if each["metadata"].get("labels", {}).get("app.kubernetes.io/instance") == name
    ]


def config(name: str, **more: object) -> toygres.PostgresConfig:
    return toygres.PostgresConfig(**{"name": name, "storage": "1Gi", "memory": "256Mi", **more})  # type: ignore[arg-type]


def test_importing_loads_nothing_and_knows_no_other_names() -> None:
    program = f"import sys, toygres; print([name for name in {DEAR} if name in sys.modules])"
    ran = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=60, check=True)
    assert ran.stdout == "[]\n"
    with pytest.raises(AttributeError, match="no attribute 'create_mysql_resources'"):
        toygres.create_mysql_resources  # type: ignore[attr-defined]  # noqa: B018
    assert all(getattr(toygres, name) is not None for name in toygres.__all__)


def test_one_is_made_reached_and_removed(cluster: FakeCluster) -> None:
    made = toygres.create_postgres_resources(config("shop", password="pass word@1"), wait_seconds=SECONDS)
    assert made.uri == "postgresql://postgres:pass%20word%401@shop.toygres.svc.cluster.local:5432/postgres"
    assert "pass word" not in repr(made) + repr(config("shop", password="pass word@1"))
    assert toygres.get_service_endpoint("shop") == "shop.toygres.svc.cluster.local:5432"
    assert toygres.get_pod_status("shop") == toygres.PodStatus(name="shop", phase="up", ready=True)
    assert toygres.test_connection(made.uri)
    health = toygres.check_health(made.uri + "?sslmode=verify-full")
    assert (health.phase, health.ready, health.cause, health.told) == ("up", True, "", "at its pod's address")
    assert len(names_of(cluster, "shop")) == 10
    removed = toygres.delete_postgres_resources("shop")
    assert "StatefulSet shop" in removed
    assert names_of(cluster, "shop") == []
    assert toygres.delete_postgres_resources("shop") == ()
    absent = toygres.get_pod_status("shop")
    assert (absent.phase, absent.code) == ("absent", "Absent")
    assert absent.cause == "There is no server shop in namespace toygres."
    assert absent.remedy
    with pytest.raises(NotFound):
        toygres.get_service_endpoint("shop")
    assert not toygres.test_connection(made.uri)


def test_a_create_of_the_same_goes_on_with_what_is_there(cluster: FakeCluster) -> None:
    first = toygres.create_postgres_resources(config("twice", namespace="elsewhere", password="the first one"))
    identity = cluster.get("statefulsets.apps", "elsewhere", "twice")["metadata"]["uid"]  # type: ignore[index]
    again = toygres.create_postgres_resources(config("twice", namespace="elsewhere"), wait_seconds=SECONDS)
    assert again == first
    assert again.password == "the first one"
    assert cluster.get("statefulsets.apps", "elsewhere", "twice")["metadata"]["uid"] == identity  # type: ignore[index]
    assert toygres.test_connection(again.uri)
    toygres.delete_postgres_resources("twice", namespace="elsewhere")
    assert names_of(cluster, "twice", "elsewhere") == []


def test_a_wrong_password_is_told_and_so_is_a_server_that_nobody_has() -> None:
    made = toygres.create_postgres_resources(config("told"), wait_seconds=SECONDS)
    wrong = made.uri.replace(made.uri.split(":")[2].split("@")[0], "another-one")
    assert not toygres.test_connection(wrong)
    health = toygres.check_health(wrong)
    assert (health.phase, health.ready, health.code) == ("refused", False, "WrongPassword")
    assert "another-one" not in repr(health)
    toygres.delete_postgres_resources("told")
    nobody = toygres.check_health("postgresql://postgres:another-one@127.0.0.1:1/postgres")
    assert (nobody.phase, nobody.code) == ("unreachable", "ConnectionRefused")


def test_what_cannot_come_up_is_raised_with_its_cause_and_leaves_nothing(cluster: FakeCluster) -> None:
    cluster.scenarios.play("image-not-found", "imageless")
    with pytest.raises(Refused) as refused:
        toygres.create_postgres_resources(config("imageless"), wait_seconds=SECONDS)
    assert refused.value.cause.code is CauseCode.IMAGE_MISSING
    assert names_of(cluster, "imageless") == []


def test_without_waiting_its_status_says_why(cluster: FakeCluster) -> None:
    cluster.scenarios.play("image-not-found", "hopeless")
    toygres.create_postgres_resources(config("hopeless"))
    cluster.wait(lambda: _waiting(cluster, "hopeless"))
    status = toygres.get_pod_status("hopeless")
    assert not status.ready
    assert status.code == "ImageMissing"
    assert "doesn't exist" in status.cause
    assert status.remedy
    toygres.delete_postgres_resources("hopeless")
    assert names_of(cluster, "hopeless") == []


def _waiting(cluster: FakeCluster, name: str) -> list[str]:
    """Why its container waits that has tried to begin."""
    statuses = [
        status
        for pod in cluster.list("pods", "toygres")
        if pod["metadata"]["name"] == f"{name}-0"
        for status in pod.get("status", {}).get("containerStatuses", ())
    ]
    reasons = [status.get("state", {}).get("waiting", {}).get("reason", "") for status in statuses]
    return [reason for reason in reasons if reason in ("ErrImagePull", "ImagePullBackOff")]


def test_time_that_is_over_leaves_nothing_either(cluster: FakeCluster) -> None:
    cluster.scenarios.play("unschedulable", "nowhere")
    with pytest.raises(Unavailable, match="The time is over"):
        toygres.create_postgres_resources(config("nowhere"), wait_seconds=0.5)
    assert names_of(cluster, "nowhere") == []


def test_values_that_are_not_offered_are_all_named(cluster: FakeCluster) -> None:
    with pytest.raises(Invalid) as invalid:
        toygres.create_postgres_resources(config("Wrong", version="9", storage="much"))
    assert {error.field for error in invalid.value.errors} == {"name", "version", "storage"}


@pytest.mark.parametrize(
    "uri",
    [
        "mysql://a:secret-1@host/db",
        "postgresql://host/db",
        "postgresql://a:secret-1@host:port/db",
        "postgresql://a:secret-1@host/db?sslmode=verify-full",
        "postgresql://a:secret-1@host/db?options=-c",
        "postgresql://a:secret-1@host/db?sslrootcert=/nonexistent",
    ],
)
def test_a_uri_that_cannot_be_used_is_refused_without_being_shown(uri: str) -> None:
    with pytest.raises(Invalid) as invalid:
        toygres.test_connection(uri)
    assert "secret-1" not in str(invalid.value)


def test_a_control_planes_instance_is_seen_and_left_alone(cluster: FakeCluster) -> None:
    toygres.create_postgres_resources(config("theirs"), wait_seconds=SECONDS)
    anchor = cluster.get("configmaps", "toygres", "theirs-anchor")
    assert anchor is not None
    whose = anchor["metadata"]["labels"][INSTALLATION]
    with cluster.store.lock:
        anchor["metadata"]["labels"][INSTALLATION] = "another"
    try:
        assert toygres.get_pod_status("theirs").ready
        for change in (
            lambda: toygres.delete_postgres_resources("theirs"),
            lambda: toygres.create_postgres_resources(config("theirs")),
        ):
            with pytest.raises(Conflict, match="belongs to a Toygres control plane"):
                change()
        assert len(names_of(cluster, "theirs")) == 10
    finally:
        with cluster.store.lock:
            anchor["metadata"]["labels"][INSTALLATION] = whose
    toygres.delete_postgres_resources("theirs")
    assert names_of(cluster, "theirs") == []


def test_the_authoritys_key_is_kept_nowhere(cluster: FakeCluster) -> None:
    toygres.create_postgres_resources(config("keyless"))
    secrets = [each["data"] for each in cluster.list("secrets", "toygres")]
    keys = [key for data in secrets for key in data if key.endswith(".key")]
    assert keys == ["tls.key"]
    toygres.delete_postgres_resources("keyless")


def test_the_documents_example_runs_as_it_stands(cluster: FakeCluster, tmp_path: Path) -> None:
    found = re.search(r"```python\n(.*?)```", (REPOSITORY / "docs/library.md").read_text(), re.DOTALL)
    assert found is not None
    ran = subprocess.run(
        [sys.executable, "-c", found[1]], env=os.environ, capture_output=True, text=True, timeout=90, check=False
    )
    assert ran.returncode == 0, ran.stderr
    lines = ran.stdout.splitlines()
    assert lines[0] == "shop for clients in the cluster: shop.toygres.svc.cluster.local:5432"
    assert lines[2] == "logs in, writes, reads: True"
    assert "removed: StatefulSet shop" in lines
    assert ran.stderr == ""
    assert names_of(cluster, "shop") == []
