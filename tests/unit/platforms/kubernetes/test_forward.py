"""A port of this machine that leads to a port of a pod."""

from __future__ import annotations

import os
import queue
import socket
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path

import psutil
import pytest
from manifest_subject import NAMESPACE
from meddling import World
from stub_api import PATIENCE, Asked, Reply, StubApi
from stub_tunnel import BINARY, CLOSE, PING, PONG, FarEnd, echo, frame, tcp_server

from toygres.errors import Cause, CauseCode
from toygres.platforms.kubernetes.client import Cluster
from toygres.platforms.kubernetes.forward import Forward, forward

POD = "demo-0"
SPEC = {"containers": [{"name": "postgres", "image": "i"}]}


@pytest.fixture
def pod(world: World) -> str:
    """A pod that runs, with nothing behind it."""
    made = world.put(
        "pods", POD, spec={"containers": [{"name": "postgres", "image": "i"}]}, status={"phase": "Running"}
    )
    return str(made["metadata"]["uid"])


@pytest.fixture
def echoing(world: World, pod: str) -> Iterator[None]:
    """The pod's port answers with whatever it is sent."""
    with tcp_server(echo) as address:
        world.fake.addresses[pod] = address
        yield


def _connect(way: Forward) -> socket.socket:
    return socket.create_connection(("127.0.0.1", way.port), timeout=PATIENCE)


def _read(near: socket.socket, many: int) -> bytes:
    data = b""
    while len(data) < many and (part := near.recv(65536)):
        data += part
    return data


def _failed(way: Forward) -> Cause | None:
    """Connect, and wait until the other side hangs up; why it did."""
    with _connect(way) as near, suppress(ConnectionResetError):
        assert near.recv(1) == b""
    return way.cause


def test_bytes_go_there_and_back(world: World, echoing: None) -> None:
    with forward(world.cluster, NAMESPACE, POD) as way, _connect(way) as near:
        near.sendall(b"hello")
        assert _read(near, 5) == b"hello"
        assert way.cause is None


def test_much_goes_both_ways_at_once(world: World, echoing: None) -> None:
    sent = os.urandom(5_000_000)
    with forward(world.cluster, NAMESPACE, POD) as way, _connect(way) as near, ThreadPoolExecutor(1) as pool:
        reading = pool.submit(_read, near, len(sent))
        near.sendall(sent)
        assert reading.result(PATIENCE) == sent


def test_many_connections_are_carried_at_once(world: World, echoing: None) -> None:
    together = threading.Barrier(16)

    def talk(number: int) -> bool:
        with _connect(way) as near:
            together.wait(PATIENCE)
            text = f"number {number}".encode()
            near.sendall(text)
            return _read(near, len(text)) == text

    with forward(world.cluster, NAMESPACE, POD) as way, ThreadPoolExecutor(16) as pool:
        assert all(pool.map(talk, range(16)))


def test_what_the_server_says_last_arrives_before_the_end(world: World, pod: str) -> None:
    with tcp_server(lambda connection: connection.sendall(b"x" * 300_000)) as address:
        world.fake.addresses[pod] = address
        with forward(world.cluster, NAMESPACE, POD) as way, _connect(way) as near:
            assert len(_read(near, 10**9)) == 300_000
            assert way.cause is None


def test_a_port_that_nothing_listens_on_is_told(world: World, pod: str) -> None:
    with forward(world.cluster, NAMESPACE, POD) as way:
        cause = _failed(way)
    assert cause is not None
    assert cause.code is CauseCode.CONNECTION_REFUSED
    assert cause.message == "Nothing listens on port 5432 in pod demo-0 yet."
    assert "dial tcp4 127.0.0.1:5432" in cause.evidence[0]


def test_a_pod_that_isnt_there_is_told(world: World) -> None:
    with forward(world.cluster, NAMESPACE, POD) as way:
        cause = _failed(way)
    assert cause is not None
    assert cause.code is CauseCode.PLATFORM_UNREACHABLE
    assert cause.message == "Pod demo-0 isn't there."


def test_a_pod_that_doesnt_run_yet_is_told(world: World) -> None:
    huge = {"name": "postgres", "image": "i", "resources": {"requests": {"cpu": "500"}}}
    world.put("pods", POD, spec={"containers": [huge]}, status={"phase": "Pending"})
    with forward(world.cluster, NAMESPACE, POD) as way:
        cause = _failed(way)
    assert cause is not None
    assert "pod is not running" in cause.message


def test_a_missing_right_is_told(world: World, pod: str) -> None:
    rule = {"apiGroups": [""], "resources": ["pods"], "verbs": ["get"]}
    token = world.fake.user("system:serviceaccount:toygres:weak", {NAMESPACE: [rule]})
    path = Path(world.cluster.describe().source).with_name("weak")
    weak = Cluster(kubeconfig=str(world.fake.kubeconfig(path, token=token)))
    with forward(weak, NAMESPACE, POD) as way:
        cause = _failed(way)
    assert cause is not None
    assert cause.code is CauseCode.FORBIDDEN


def test_the_next_connection_gets_through_once_the_pod_is_there(world: World) -> None:
    with forward(world.cluster, NAMESPACE, POD) as way:
        assert _failed(way) is not None
        made = world.put("pods", POD, spec=SPEC, status={"phase": "Running"})
        with tcp_server(echo) as address:
            world.fake.addresses[str(made["metadata"]["uid"])] = address
            with _connect(way) as near:
                near.sendall(b"hello")
                assert _read(near, 5) == b"hello"
                assert way.cause is None


def test_a_connection_that_is_cut_below_is_closed(world: World, echoing: None) -> None:
    with forward(world.cluster, NAMESPACE, POD) as way, _connect(way) as near:
        near.sendall(b"hello")
        assert _read(near, 5) == b"hello"
        world.fake.cut_forwards()
        assert near.recv(1) == b""


def test_at_its_end_no_thread_and_no_socket_is_left(world: World, pod: str) -> None:
    ended: queue.Queue[None] = queue.Queue()

    def serve(connection: socket.socket) -> None:
        echo(connection)
        connection.close()
        ended.put(None)

    def five() -> None:
        with forward(world.cluster, NAMESPACE, POD) as way:
            held = [_connect(way) for _ in range(5)]
            for near in held:
                near.sendall(b"hello")
                assert _read(near, 5) == b"hello"
        assert not [each for each in threading.enumerate() if each.name.startswith("forward-")]
        for near in held:
            assert near.recv(1) == b""
            near.close()
            ended.get(timeout=PATIENCE)

    with tcp_server(serve) as address:
        world.fake.addresses[pod] = address
        five()
        before = psutil.Process().num_fds()
        for _ in range(3):
            five()
        # The other ends are this process's, too, and may still be closing one or two.
        assert psutil.Process().num_fds() <= before + 3


def test_an_api_server_that_says_nothing_is_given_up(api: StubApi, cluster: Cluster) -> None:
    api.does(lambda _asked, reply: reply.hang())
    with forward(cluster, NAMESPACE, POD, connect_seconds=0.1) as way:
        cause = _failed(way)
    assert cause is not None
    assert cause.code is CauseCode.PLATFORM_UNREACHABLE
    assert "timed out" in cause.message


def test_an_end_while_it_connects_is_no_waiting(api: StubApi, cluster: Cluster) -> None:
    asked = threading.Event()

    def stuck(_asked: Asked, reply: Reply) -> None:
        asked.set()
        reply.hang()

    api.does(stuck)
    with forward(cluster, NAMESPACE, POD, connect_seconds=60) as way:
        near = _connect(way)
        assert asked.wait(PATIENCE)
        began = time.monotonic()
    assert time.monotonic() - began < 5
    near.close()


def test_a_refused_token_is_read_again_for_the_next(api: StubApi, cluster: Cluster) -> None:
    def guarded(asked: Asked, reply: Reply) -> None:
        if asked.headers.get("authorization") != "Bearer token-2":
            reply.refuse(401, "Unauthorized", "Unauthorized")
            return
        far = FarEnd(reply)
        far.greet()
        far.send(b"\x00hello")
        reply.hang()

    api.does(guarded)
    cluster.describe()
    api.kubeconfig("token-2")
    with forward(cluster, NAMESPACE, POD) as way:
        cause = _failed(way)
        assert cause is not None
        assert cause.code is CauseCode.PLATFORM_LOGIN_REFUSED
        with _connect(way) as near:
            assert _read(near, 5) == b"hello"


def test_it_asks_for_the_port_of_the_pod_with_its_credentials(api: StubApi, cluster: Cluster) -> None:
    def greets(_asked: Asked, reply: Reply) -> None:
        FarEnd(reply).greet()

    api.does(greets)
    with forward(cluster, NAMESPACE, POD, 6000) as way:
        _failed(way)
    asked = api.asked[0]
    assert (asked.method, asked.path) == ("GET", f"/api/v1/namespaces/{NAMESPACE}/pods/{POD}/portforward")
    assert asked.query == {"ports": "6000"}
    assert asked.headers["authorization"] == "Bearer token-1"
    assert "v4.channel.k8s.io" in asked.headers["sec-websocket-protocol"]


def test_over_tls_frames_that_come_in_one_piece_are_all_read(safe_api: StubApi) -> None:
    def in_one_piece(_asked: Asked, reply: Reply) -> None:
        far = FarEnd(reply)
        far.greet()
        far.write(b"".join(frame(b"\x00" + bytes([65 + number]) * 100) for number in range(20)))
        far.receive()

    safe_api.does(in_one_piece)
    with forward(Cluster(kubeconfig=safe_api.kubeconfig()), NAMESPACE, POD) as way, _connect(way) as near:
        assert _read(near, 2000) == b"".join(bytes([65 + number]) * 100 for number in range(20))


def test_over_tls_an_untrusted_server_is_told(safe_api: StubApi) -> None:
    safe_api.authority = None
    with forward(Cluster(kubeconfig=safe_api.kubeconfig()), NAMESPACE, POD) as way:
        cause = _failed(way)
    assert cause is not None
    assert "CERTIFICATE_VERIFY_FAILED" in cause.message


def test_a_ping_is_answered_and_a_message_in_parts_is_put_together(api: StubApi, cluster: Cluster) -> None:
    heard: queue.Queue[tuple[int, bytes]] = queue.Queue()

    def odd(_asked: Asked, reply: Reply) -> None:
        far = FarEnd(reply)
        far.greet()
        far.send(b"are you there", PING)
        far.send(b"\x00hel", BINARY, last=False)
        far.send(b"lo", 0)
        heard.put(far.receive())
        heard.put(far.receive())

    api.does(odd)
    with forward(cluster, NAMESPACE, POD) as way, _connect(way) as near:
        assert _read(near, 5) == b"hello"
        near.sendall(b"yes")
        assert heard.get(timeout=PATIENCE) == (PONG, b"are you there")
        assert heard.get(timeout=PATIENCE) == (BINARY, b"\x00yes")


@pytest.mark.parametrize("goodbye", [(b"\xff\x00", BINARY), (b"\x03\xe8", CLOSE)])
def test_both_ways_of_saying_goodbye_end_it_without_a_cause(
    api: StubApi, cluster: Cluster, goodbye: tuple[bytes, int]
) -> None:
    def leaves(_asked: Asked, reply: Reply) -> None:
        far = FarEnd(reply)
        far.greet()
        far.send(b"\x00bye")
        far.send(*goodbye)
        reply.hang()

    api.does(leaves)
    with forward(cluster, NAMESPACE, POD) as way, _connect(way) as near:
        assert _read(near, 10) == b"bye"
        assert way.cause is None


def test_what_the_error_channel_says_is_kept(api: StubApi, cluster: Cluster) -> None:
    def breaks(_asked: Asked, reply: Reply) -> None:
        far = FarEnd(reply)
        far.greet()
        far.send(b"\x01lost connection\n to pod")
        reply.hang()

    api.does(breaks)
    with forward(cluster, NAMESPACE, POD) as way:
        cause = _failed(way)
    assert cause is not None
    assert cause.message == "The way to port 5432 of pod demo-0 through the API server broke: lost connection to pod"
