"""Which addresses can be reached from here, and what is remembered of those that can't."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from typing import Any

import pytest

from toygres.platforms.kubernetes import probing
from toygres.platforms.kubernetes.certificates import make_authority
from toygres.platforms.kubernetes.probing import Kind, Probes

AUTHORITY, NAME = "an authority", "demo.toygres.svc"
HOSTS = ("10.0.0.1", "10.0.0.2", "10.0.0.3")


class Network:
    """Stands for the machine's: what a connection meets, by host; who was tried, and who had to prove what it is."""

    def __init__(self) -> None:
        self.tried: list[str] = []
        self.greeted: list[tuple[str, str]] = []
        self.now = 1000.0
        self.meets: dict[str, Callable[[], None]] = {}
        self.proves: Callable[[], None] = _fine

    def look_up(self, host: str, port: int, **_: object) -> list[tuple[object, ...]]:
        if self.meets.get(host) is _nameless:
            self.tried.append(host)
            _nameless()
        return [(socket.AF_INET, socket.SOCK_STREAM, 0, "", (host, port))]

    def connect(self, address: tuple[str, int], timeout: float) -> socket.socket:
        self.tried.append(address[0])
        self.meets.get(address[0], _fine)()
        return socket.socket()

    def greet(self, _line: socket.socket, authority: str, name: str) -> None:
        self.greeted.append((authority, name))
        self.proves()


def _fine() -> None:
    pass


def _refused() -> None:
    raise ConnectionRefusedError


def _silent() -> None:
    raise TimeoutError


def _nameless() -> None:
    raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")


def _foreign() -> None:
    raise ConnectionError("no PostgreSQL with TLS is there")


@pytest.fixture
def network(monkeypatch: pytest.MonkeyPatch) -> Network:
    found = Network()
    monkeypatch.setattr(probing.socket, "getaddrinfo", found.look_up)
    monkeypatch.setattr(probing.socket, "create_connection", found.connect)
    monkeypatch.setattr(probing.postgres, "greet", found.greet)
    monkeypatch.setattr(probing.time, "monotonic", lambda: found.now)
    return found


def _open(probes: Probes, kind: Kind, host: str) -> bool:
    return probes.open(kind, host, 5432, AUTHORITY, NAME)


def test_the_first_of_a_kind_proves_for_all_that_it_leads_to_a_server(network: Network) -> None:
    probes = Probes()
    assert all(_open(probes, Kind.POD, host) for host in HOSTS)
    assert network.greeted == [(AUTHORITY, NAME)]
    assert _open(probes, Kind.SERVICE, NAME)
    assert len(network.greeted) == 2
    network.now += 600
    assert _open(probes, Kind.POD, HOSTS[0])
    assert len(network.greeted) == 3


def test_what_answers_and_is_no_server_of_ours_leads_nowhere(network: Network) -> None:
    probes = Probes()
    network.proves = _foreign
    for _ in range(2):
        assert not any(_open(probes, Kind.POD, host) for host in HOSTS)
    assert network.tried == [*HOSTS]


def test_what_refuses_leads_nowhere_and_is_tried_again(network: Network) -> None:
    probes = Probes()
    network.meets = {HOSTS[0]: _refused}
    assert not _open(probes, Kind.POD, HOSTS[0])
    network.meets = {}
    assert _open(probes, Kind.POD, HOSTS[0])


def test_a_silent_host_speaks_for_itself_alone_until_another_is_silent_too(network: Network) -> None:
    probes = Probes()
    network.meets = {HOSTS[0]: _silent}
    for _ in range(2):
        assert not _open(probes, Kind.POD, HOSTS[0])
        assert _open(probes, Kind.POD, HOSTS[1])
    assert network.tried == [HOSTS[0], HOSTS[1], HOSTS[1]]
    network.now += 60
    network.meets[HOSTS[1]] = _silent
    for host in HOSTS:
        assert not _open(probes, Kind.POD, host)
    assert network.tried[3:] == [HOSTS[0], HOSTS[1]]
    network.now += 599
    assert not _open(probes, Kind.POD, HOSTS[2])
    network.now += 1
    network.meets = {}
    assert _open(probes, Kind.POD, HOSTS[2])


def test_a_name_that_nobody_knows_speaks_for_all_of_its_kind(network: Network) -> None:
    probes = Probes()
    network.meets = {"one.toygres.svc": _nameless}
    assert not _open(probes, Kind.SERVICE, "one.toygres.svc")
    assert not _open(probes, Kind.SERVICE, "other.toygres.svc")
    assert _open(probes, Kind.POD, HOSTS[0])
    assert network.tried == ["one.toygres.svc", HOSTS[0]]


def test_load_balancers_speak_for_themselves_and_need_prove_nothing(network: Network) -> None:
    probes = Probes()
    network.meets = {HOSTS[0]: _silent, HOSTS[1]: _silent}
    assert [_open(probes, Kind.BALANCER, host) for host in (*HOSTS, *HOSTS)] == [False, False, True] * 2
    assert network.tried == [*HOSTS, HOSTS[2]]
    assert network.greeted == []


def test_pods_that_were_silent_long_ago_or_before_a_service_answered_say_nothing_of_others(network: Network) -> None:
    probes = Probes()
    network.meets = dict.fromkeys(HOSTS[:2], _silent)
    assert not _open(probes, Kind.POD, HOSTS[0])
    network.now += 61
    assert not _open(probes, Kind.POD, HOSTS[1])
    assert _open(probes, Kind.SERVICE, NAME)
    network.now += 30
    network.meets = {HOSTS[2]: _silent}
    assert not _open(probes, Kind.POD, HOSTS[2])
    assert _open(probes, Kind.POD, HOSTS[0])


def test_a_look_up_that_hangs_is_given_up_for_every_name(monkeypatch: pytest.MonkeyPatch) -> None:
    ended, asked = threading.Event(), []
    monkeypatch.setattr(probing, "_NAME_SECONDS", 0.05)
    monkeypatch.setattr(probing, "_GREETING_SECONDS", 0.05)

    def hang(host: str, *_: object, **__: object) -> list[Any]:
        asked.append(host)
        ended.wait(30)
        raise TimeoutError

    monkeypatch.setattr(probing.socket, "getaddrinfo", hang)
    probes = Probes()
    try:
        assert not any(_open(probes, Kind.SERVICE, name) for name in (NAME, "other.toygres.svc"))
    finally:
        ended.set()
    assert asked == [NAME]


@pytest.fixture
def proxy() -> Iterator[int]:
    """The port of something that takes every connection, and speaks of nothing that was asked."""
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def answer() -> None:
            while True:
                try:
                    line, _ = listener.accept()
                except OSError:
                    return
                with line:
                    line.recv(1024)
                    line.sendall(b"HTTP/1.1 400 Bad Request\r\n\r\n")

        thread = threading.Thread(target=answer, daemon=True)
        thread.start()
        yield int(listener.getsockname()[1])
        listener.shutdown(socket.SHUT_RDWR)
    thread.join(10)


def test_a_proxy_that_takes_every_connection_is_no_way(proxy: int) -> None:
    assert not Probes().open(Kind.POD, "127.0.0.1", proxy, make_authority("p", datetime.now(UTC)).certificate, NAME)
