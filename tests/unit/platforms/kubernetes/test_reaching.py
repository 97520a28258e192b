"""The control plane's way to a server: its Service, its pod's address, or a port-forward."""

from __future__ import annotations

import socket
import ssl
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

import psycopg
import pytest
from fake_cluster import FakeCluster
from making import Subject, subjects
from making_cluster import cluster_platform

from toygres import postgres
from toygres.domain.instance import Endpoint, Login, ServiceType, Way
from toygres.errors import CauseCode
from toygres.platforms.kubernetes.names import hosts
from toygres.platforms.protocol import ServerPhase

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


@contextmanager
def _resolving(**addresses: str) -> Iterator[None]:
    """What the cluster's DNS does: this process knows these names."""
    look_up = socket.getaddrinfo

    def known(host: str, *arguments: Any, **more: Any) -> Any:
        return look_up(addresses.get(host, host), *arguments, **more)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(socket, "getaddrinfo", known)
        yield


def _service(fake: FakeCluster, subject: Subject) -> dict[str, Any]:
    found = fake.get("services", "toygres", subject.instance.name)
    assert found is not None
    return found


def test_where_its_name_is_known_a_login_goes_through_its_service() -> None:
    with _up(services_answer=True) as (fake, subject):
        names = hosts(subject.instance.name, "toygres")
        with _resolving(**{names[-1]: _service(fake, subject)["spec"]["clusterIP"]}), _way(subject) as way:
            assert (way.endpoint.host, way.address) == (names[-1], None)
            assert (way.told, way.unproved) == ("through its Service", "")
            assert postgres.test_connection(way, "postgres", subject.credentials.user) is None
            assert postgres.check_health(way, "postgres", subject.credentials.monitor) is None
        with _way(subject) as way:
            assert way.told == "at its pod's address"


def test_a_balanced_login_goes_through_the_load_balancer() -> None:
    with (
        cluster_platform({"services_answer": True}, kube_load_balancers=True) as (fake, platform),
        subjects(platform) as make,
    ):
        subject = make()
        balanced = {"service_type": ServiceType.LOAD_BALANCER, "allowed_cidrs": ("10.0.0.0/8",)}
        subject.instance = replace(subject.instance, spec=replace(subject.instance.spec, **balanced))
        subject.bring_up()
        subject.take(lambda target: _publish(subject, platform.await_address(target)))
        # The server must show the certificate that holds for this address.
        platform.stop_server(subject.target)
        subject.until(ServerPhase.STOPPED)
        platform.apply_server(subject.target)
        subject.until(ServerPhase.UP)
        with _way(subject) as way:
            assert way.endpoint.host == _service(fake, subject)["status"]["loadBalancer"]["ingress"][0]["ip"]
            assert (way.told, way.unproved) == ("through its load balancer", "")
            assert postgres.test_connection(way, "postgres", subject.credentials.user) is None
        with platform.reach(subject.instance, inside=True) as inside:
            assert inside is not None
            assert inside.told == "at its pod's address"


def _publish(subject: Subject, endpoint: Endpoint) -> None:
    subject.instance = replace(subject.instance, endpoint=endpoint)


def test_the_servers_certificate_must_be_signed_by_the_projects_authority() -> None:
    with _up() as (_, one), _way(one) as way:
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
