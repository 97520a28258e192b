"""`toygres psql` and `uri --forward` reach a server on a cluster, and say what their way doesn't prove."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psycopg
import pytest
from fake_cluster import FakeCluster
from making import Subject, subjects
from making_cluster import cluster_platform

from toygres.cli.reaching import reached

# All that a port-forward takes.
FORWARD = {"apiGroups": [""], "resources": ["pods/portforward"], "verbs": ["create", "get"]}


@contextmanager
def _up(**cluster: object) -> Iterator[tuple[FakeCluster, Subject]]:
    with cluster_platform(cluster) as (fake, platform), subjects(platform) as make:
        subject = make()
        subject.bring_up()
        yield fake, subject


def _answered(subject: Subject) -> tuple[dict[str, Any], dict[str, Any]]:
    """What the API says of the instance, and its credentials."""
    kept = subject.platform.credentials(subject.instance)
    assert kept is not None
    host = f"{subject.instance.name}.toygres.svc.cluster.local"
    found = {"host": host, "port": 5432, "database": "postgres", "ca_certificate": kept.authority}
    return {"name": subject.instance.name}, found | dataclasses.asdict(kept.user)


def _logs_in(subject: Subject) -> dict[str, str]:
    """Log in by the way that is found, as psql would; what libpq was told."""
    instance, found = _answered(subject)
    with reached(instance, found) as way:
        login = {"host": found["host"], "user": found["user"], "password": found["password"], "dbname": "postgres"}
        with psycopg.connect(**login, **way) as connection:
            assert connection.execute("SELECT 1").fetchone() == (1,)
    return way


def test_a_pod_that_answers_is_met_at_its_address(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    with _up() as (fake, subject):
        monkeypatch.setenv("KUBECONFIG", str(fake.kubeconfig(tmp_path / "kubeconfig")))
        way = _logs_in(subject)
        (pod,) = fake.list("pods", "toygres")
        assert (way["hostaddr"], way["port"]) == (pod["status"]["podIP"], "5432")
        assert fake.requests["create", "pods/portforward"] + fake.requests["get", "pods/portforward"] == 0
    assert capsys.readouterr().err == (
        "Connecting at its pod's address, which doesn't prove that its Service leads there.\n"
    )


def test_a_pod_that_does_not_answer_is_met_by_a_port_forward(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    with _up(pods_answer=False) as (fake, subject):
        monkeypatch.setenv("KUBECONFIG", str(fake.kubeconfig(tmp_path / "kubeconfig")))
        assert _logs_in(subject)["hostaddr"] == "127.0.0.1"
    assert capsys.readouterr().err == (
        "Connecting through a port-forward, "
        "which doesn't prove that its Service and its network policy let anybody in.\n"
    )


def test_who_may_not_look_at_the_pod_gets_a_port_forward_without_a_word(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    with _up() as (fake, subject):
        token = fake.user("somebody", {"toygres": [FORWARD]})
        monkeypatch.setenv("KUBECONFIG", str(fake.kubeconfig(tmp_path / "kubeconfig", token=token)))
        assert _logs_in(subject)["hostaddr"] == "127.0.0.1"
    told = capsys.readouterr().err
    assert told.startswith("Connecting through a port-forward")
    assert len(told.splitlines()) == 1
