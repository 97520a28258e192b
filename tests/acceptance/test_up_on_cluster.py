"""`toygres up` on a cluster as its users run it: processes, REST, the page; nothing is written before it says where."""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import psycopg
import pytest
from fake_cluster import FakeCluster
from fake_cluster.real_server import RealServers

from tests.acceptance.conftest import READY, Up, World, await_that
from toygres.platforms.kubernetes.labels import INSTANCE_ID

pytestmark = pytest.mark.acceptance


@dataclass
class Said:
    """What `up` has said, and what it had said when it first wrote to the cluster."""

    file: Path
    before_writing: list[str] = field(default_factory=list)

    def __call__(self) -> str:
        return self.file.read_text()

    def note(self, _kind: str, _value: dict[str, Any]) -> None:
        """A rule of the cluster's, which forbids nothing."""
        if not self.before_writing:
            self.before_writing.append(self())


@pytest.fixture
def cluster() -> Iterator[FakeCluster]:
    with FakeCluster(servers=RealServers()) as made:
        yield made


@pytest.fixture
def said(cluster: FakeCluster, world: World, tmp_path: Path) -> Said:
    """What an `up demo` says that was just begun."""
    made = Said(tmp_path / "said")
    cluster.policies.append(made.note)
    kubeconfig = str(cluster.kubeconfig(tmp_path / "kubeconfig"))
    world.variables |= {"KUBECONFIG": kubeconfig, "TOYGRES_PLATFORM": "kubernetes"}
    with made.file.open("wb") as file:
        command = [sys.executable, "-u", "-m", "toygres", "up", "demo"]
        started = subprocess.Popen(
            command, env=world.environment(), stdin=subprocess.DEVNULL, stdout=file, stderr=subprocess.STDOUT
        )
    world.ups.append(Up(started))
    return made


def of_instances(cluster: FakeCluster) -> list[str]:
    return [
        f"{kind} {found['metadata']['name']}"
        for kind, found in cluster.store.everything()
        if INSTANCE_ID in (found["metadata"].get("labels") or {})
    ]


def assert_lets_in(cluster: FakeCluster, credentials: dict[str, str], authority: Path) -> None:
    """A client that has what the API handed out gets in, and trusts nobody else."""
    authority.write_text(credentials["ca_certificate"])
    pod = cluster.get("pods", "toygres", "demo-0")
    assert pod is not None
    with psycopg.connect(
        credentials["uri"], hostaddr=pod["status"]["podIP"], sslmode="verify-full", sslrootcert=str(authority)
    ) as connection:
        assert connection.execute("SELECT 42").fetchone() == (42,)


def test_an_instance_is_made_seen_used_and_deleted(cluster: FakeCluster, world: World, said: Said) -> None:
    (up,) = world.ups
    await_that(lambda: READY in said() or up.process.poll() is not None, 90)
    assert READY in said(), said()
    (before,) = said.before_writing
    where = f"{cluster.host} (context fake of {world.variables['KUBECONFIG']}), namespace toygres"
    assert f"Instances on kubernetes: {where}\n" in before
    assert "apply_credentials" not in before
    assert re.search(r"\ndemo: postgresql://postgres:\S+@demo\.toygres\.svc\.cluster\.local:5432/", said())

    token = {"Authorization": f"Bearer {world.home.token.read_text().strip()}"}
    with httpx.Client(base_url=world.running()["url"], follow_redirects=True) as person:
        credentials = person.get("/v1/instances/demo/credentials", headers=token).raise_for_status().json()
        (operation,) = person.get("/v1/operations", headers=token).raise_for_status().json()["items"]
        person.get(person.post("/v1/signins", headers=token).raise_for_status().json()["url"]).raise_for_status()
        page = person.get(f"/operations/{operation['id']}").raise_for_status().text
    assert all(step in page for step in ("apply credentials", "verify login", "at its pod&#39;s address"))

    assert_lets_in(cluster, credentials, world.home.path.parent / "ca.crt")
    assert of_instances(cluster)
    deleted = world.toygres("delete", "demo", "--yes")
    assert deleted.returncode == 0, deleted.stderr
    cluster.wait(lambda: of_instances(cluster) == [])
    up.process.terminate()
    up.process.wait(60)
    assert "Everything has stopped." in said()
    assert world.processes() == []
