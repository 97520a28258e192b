"""Which addresses can be reached from here, and what is remembered of those that can't."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable

import pytest

from toygres.platforms.kubernetes import probing
from toygres.platforms.kubernetes.probing import Kind, Probes

HOSTS = ("10.0.0.1", "10.0.0.2", "10.0.0.3")


class Network:
    """Stands for the machine's: what a connection meets, by host; how often each was tried."""

    def __init__(self) -> None:
        self.tried: list[str] = []
        self.now = 1000.0
        self.meets: dict[str, Callable[[], None]] = {}

    def connect(self, address: tuple[str, int], timeout: float) -> socket.socket:
        self.tried.append(address[0])
        self.meets.get(address[0], _refused)()
        return socket.socket()


def _fine() -> None:
    pass


def _refused() -> None:
    raise ConnectionRefusedError


def _silent() -> None:
    raise TimeoutError


def _nameless() -> None:
    raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")


@pytest.fixture
def network(monkeypatch: pytest.MonkeyPatch) -> Network:
    found = Network()
    monkeypatch.setattr(probing.socket, "create_connection", found.connect)
    monkeypatch.setattr(probing.time, "monotonic", lambda: found.now)
    return found


def test_a_pod_that_refuses_is_reached_and_a_service_that_refuses_leads_nowhere(network: Network) -> None:
    probes = Probes()
    assert probes.open(Kind.POD, HOSTS[0], 5432)
    assert not probes.open(Kind.SERVICE, "demo.toygres.svc", 5432)
    assert not probes.open(Kind.SERVICE, "demo.toygres.svc", 5432)
    assert network.tried == [HOSTS[0], "demo.toygres.svc", "demo.toygres.svc"]


def test_a_silent_host_speaks_for_itself_alone_until_another_is_silent_too(network: Network) -> None:
    probes = Probes()
    network.meets = {HOSTS[0]: _silent, HOSTS[1]: _fine}
    for _ in range(2):
        assert not probes.open(Kind.POD, HOSTS[0], 5432)
        assert probes.open(Kind.POD, HOSTS[1], 5432)
    assert network.tried == [HOSTS[0], HOSTS[1], HOSTS[1]]
    network.now += 60
    network.meets[HOSTS[1]] = _silent
    for host in HOSTS:
        assert not probes.open(Kind.POD, host, 5432)
    assert network.tried[3:] == [HOSTS[0], HOSTS[1]]
    network.now += 599
    assert not probes.open(Kind.POD, HOSTS[2], 5432)
    network.now += 1
    network.meets = {}
    assert probes.open(Kind.POD, HOSTS[2], 5432)


def test_a_name_that_nobody_knows_speaks_for_all_of_its_kind(network: Network) -> None:
    probes = Probes()
    network.meets = {"one.toygres.svc": _nameless}
    assert not probes.open(Kind.SERVICE, "one.toygres.svc", 5432)
    assert not probes.open(Kind.SERVICE, "other.toygres.svc", 5432)
    assert probes.open(Kind.POD, HOSTS[0], 5432)
    assert network.tried == ["one.toygres.svc", HOSTS[0]]


def test_load_balancers_that_are_silent_speak_for_themselves(network: Network) -> None:
    probes = Probes()
    network.meets = {HOSTS[0]: _silent, HOSTS[1]: _silent, HOSTS[2]: _fine}
    assert [probes.open(Kind.BALANCER, host, 5432) for host in (*HOSTS, *HOSTS)] == [False, False, True] * 2
    assert network.tried == [*HOSTS, HOSTS[2]]


def test_a_look_up_that_hangs_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    ended = threading.Event()
    monkeypatch.setattr(probing, "_NAME_SECONDS", 0.05)

    def hang(*_: object, **__: object) -> socket.socket:
        ended.wait(30)
        return socket.socket()

    monkeypatch.setattr(probing.socket, "create_connection", hang)
    try:
        assert not Probes().open(Kind.SERVICE, "demo.toygres.svc", 5432)
    finally:
        ended.set()
