"""The control plane's way to a server: its Service, its pod's address, or a port-forward."""

from __future__ import annotations

import socket
import ssl
from collections.abc import Iterator
from contextlib import contextmanager

import psycopg
import pytest
from fake_cluster import FakeCluster
from making import Subject, subjects
from making_cluster import cluster_platform

from toygres import postgres
from toygres.domain.instance import Login, Way
from toygres.errors import CauseCode

WRONG = Login(user="postgres", password="a wrong password")


@contextmanager
def _up(**cluster: object) -> Iterator[tuple[FakeCluster, Subject]]:
    with cluster_platform(cluster) as (fake, platform), subjects(platform) as make:
        subject = make()
        subject.bring_up()
        yield fake, subject


@contextmanager
def _way(subject: Subject) -> Iterator[Way]:
    with subject.platform.reach(subject.instance) as way:
        assert way is not None
        yield way


@pytest.mark.parametrize(
    ("cluster", "told", "unproved"),
    [
        ({}, "at its pod's address", "Service"),
        ({"pods_answer": False}, "through a port-forward", "network policy"),
    ],
)
def test_a_login_says_which_way_it_went_and_what_that_does_not_prove(
    cluster: dict[str, object], told: str, unproved: str
) -> None:
    with _up(**cluster) as (_, subject), _way(subject) as way:
        assert way.told == told
        assert unproved in way.unproved
        assert postgres.test_connection(way, "postgres", subject.credentials.user) is None
        assert postgres.check_health(way, "postgres", subject.credentials.monitor) is None
        refused = postgres.test_connection(way, "postgres", WRONG)
        assert refused is not None
        assert refused.code is CauseCode.WRONG_PASSWORD


def test_a_greeting_finds_the_server_out_and_leaves_no_line_in_its_log() -> None:
    with _up() as (_, subject), _way(subject) as way:
        assert way.address is not None
        assert way.authority is not None
        before = subject.platform.evidence(subject.instance)
        with socket.create_connection((way.address, way.endpoint.port), timeout=10) as line:
            postgres.greet(line, way.authority, way.endpoint.host)
        with (
            socket.create_connection((way.address, way.endpoint.port), timeout=10) as line,
            pytest.raises(ssl.SSLCertVerificationError),
        ):
            postgres.greet(line, way.authority, "another.toygres.svc")
        assert postgres.test_connection(way, "postgres", subject.credentials.user) is None
        assert before
        assert subject.platform.evidence(subject.instance) == before


def test_the_servers_certificate_must_be_signed_by_the_projects_authority() -> None:
    with _up() as (_, one), _way(one) as way:
        from dataclasses import replace
        from datetime import UTC, datetime

        from toygres.platforms.kubernetes import certificates

        another = certificates.make_authority("another", datetime.now(UTC)).certificate
        refused = postgres.test_connection(replace(way, authority=another), "postgres", one.credentials.user)
        assert refused is not None
        assert refused.code is CauseCode.TLS_UNTRUSTED


def test_no_password_is_in_the_servers_environment() -> None:
    with _up() as (_, subject), _way(subject) as way:
        login = subject.credentials.user
        with psycopg.connect(
            host=way.address, port=way.port or way.endpoint.port, user=login.user, password=login.password,
            dbname="postgres", sslmode="require",
        ) as connection:  # fmt: skip
            connection.execute("CREATE TEMPORARY TABLE seen (line text)")
            # What it starts has what it has.
            connection.execute("COPY seen FROM PROGRAM 'env'")
            seen = " ".join(line for (line,) in connection.execute("SELECT line FROM seen").fetchall())
    assert "PGDATA" in seen
    assert login.password not in seen


def test_the_server_shows_the_certificate_that_its_secret_has() -> None:
    with _up() as (_, subject), _way(subject) as way:
        wanted = subject.platform.certificate(subject.instance)
        assert wanted is not None
        assert postgres.shows(way, wanted)
        assert way.authority is not None
        assert not postgres.shows(way, way.authority)
        assert postgres.reload(way, "postgres", subject.credentials.user) is None
