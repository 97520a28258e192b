"""A real PostgreSQL behind the pod, reached at the pod, through the Service and through a port-forward."""

from __future__ import annotations

import base64
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import psycopg
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from fake_cluster import FakeCluster, objects
from fake_cluster.fixtures import connected
from fake_cluster.pods import is_ready
from fake_cluster.real_server import RealServers
from kubernetes import client, config
from kubernetes.client.exceptions import ApiException
from kubernetes.stream import portforward

from tests.unit.fake_cluster.conftest import NAMESPACE, User

Json = dict[str, Any]
HOST = "demo.toy.svc"
PASSWORD = "it's/etc/secret"
CONFIGURATION = """\
hba_file = '/etc/toygres/conf/pg_hba.conf'
ssl = on
ssl_cert_file = '/etc/toygres/tls/tls.crt'
ssl_key_file = '/etc/toygres/tls/tls.key'
"""
HBA = "local all all trust\nhost all all 127.0.0.1/32 scram-sha-256\nhostssl all all all scram-sha-256\n"


def certificate() -> tuple[bytes, bytes]:
    key, now = ec.generate_private_key(ec.SECP256R1()), datetime.now(UTC)
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, HOST)])
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(HOST)]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    form = (serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    return made.public_bytes(serialization.Encoding.PEM), key.private_bytes(*form)


def the_set() -> Json:
    variables = {"PGDATA": "/var/lib/postgresql/data/pgdata", "POSTGRES_PASSWORD_FILE": "/etc/password/password"}
    mounts = {"data": "/var/lib/postgresql/data", "tls": "/etc/toygres/tls", "conf": "/etc/toygres/conf"}
    mounts |= {"password": "/etc/password", "run": "/var/run/postgresql"}
    volumes: list[Json] = [
        {"name": "data", "persistentVolumeClaim": {"claimName": "demo-data"}},
        {"name": "run", "emptyDir": {}},
        {"name": "conf", "configMap": {"name": "conf"}},
    ]
    secrets = {"tls": "tls", "password": "demo-credentials"}
    volumes += [{"name": key, "secret": {"secretName": name, "defaultMode": 0o440}} for key, name in secrets.items()]
    container = {
        "args": ["-c", "config_file=/etc/toygres/conf/postgresql.conf"],
        "env": [{"name": name, "value": value} for name, value in variables.items()],
        "volumeMounts": [{"name": name, "mountPath": path} for name, path in mounts.items()],
    }
    pod = {"volumes": volumes, "automountServiceAccountToken": False}
    return objects.stateful_set(container=container, pod=pod)


def coded(**data: bytes) -> Json:
    return {name.replace("_", "."): base64.b64encode(value).decode() for name, value in data.items()}


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[FakeCluster, User, Path]]:
    folder = tmp_path_factory.mktemp("cluster")
    public, key = certificate()
    (folder / "ca.pem").write_bytes(public)
    cluster = FakeCluster(servers=RealServers(), services_answer=True)
    with cluster, connected(cluster.kubeconfig(folder / "kubeconfig")) as dynamic:
        user = User(dynamic)
        user.of("Namespace").create(body=objects.namespace(NAMESPACE))
        user.apply(objects.secret(data=coded(password=PASSWORD.encode())))
        user.apply(objects.secret("tls", data=coded(tls_crt=public, tls_key=key)))
        user.apply(objects.config_map("conf", {"postgresql.conf": CONFIGURATION, "pg_hba.conf": HBA}))
        for body in (objects.volume_claim(), objects.service(), the_set()):
            user.apply(body)
        cluster.wait(lambda: ready(cluster))
        yield cluster, user, folder


def ready(cluster: FakeCluster, but: str = "") -> list[Json]:
    return [pod for pod in cluster.list("pods", NAMESPACE) if is_ready(pod) and pod["metadata"]["uid"] != but]


def login(folder: Path, address: str, port: int = 5432, **more: Any) -> psycopg.Connection:
    told: dict[str, Any] = {"sslmode": "verify-full", "sslrootcert": str(folder / "ca.pem"), "password": PASSWORD}
    told |= {"host": HOST, "hostaddr": address, "port": port, "user": "postgres", "connect_timeout": 10}
    return psycopg.connect(**(told | more))


@contextmanager
def forwarded(kubeconfig: Path) -> Iterator[int]:
    """A port of ours that leads through the API server, for one connection."""
    configuration = client.Configuration()
    config.load_kube_config(str(kubeconfig), client_configuration=configuration)
    api = client.CoreV1Api(client.ApiClient(configuration))
    with socket.create_server(("127.0.0.1", 0)) as listening:
        thread = threading.Thread(target=bridge, args=(listening, api), daemon=True)
        thread.start()
        yield listening.getsockname()[1]
        thread.join(10)


def bridge(listening: socket.socket, api: client.CoreV1Api):
    near, _ = listening.accept()
    forward = portforward(api.connect_get_namespaced_pod_portforward, "demo-0", NAMESPACE, ports="5432")
    far = forward.socket(5432)
    back = threading.Thread(target=copy, args=(far, near), daemon=True)
    back.start()
    copy(near, far)
    back.join(10)
    far.close()
    near.close()


def copy(one: Any, other: Any):
    while data := one.recv(65536):
        other.sendall(data)
    # The other one may have gone first.
    with suppress(OSError):
        other.shutdown(socket.SHUT_WR)


def test_the_pods_address_takes_a_verified_login(made: tuple[FakeCluster, User, Path]):
    cluster, _, folder = made
    with login(folder, ready(cluster)[0]["status"]["podIP"]) as connection:
        assert connection.execute("SELECT ssl FROM pg_stat_ssl WHERE pid = pg_backend_pid()").fetchone() == (True,)


def test_the_services_address_leads_to_the_ready_pod(made: tuple[FakeCluster, User, Path]):
    cluster, _, folder = made
    with login(folder, cluster.get("services", NAMESPACE, "demo")["spec"]["clusterIP"]) as connection:
        assert connection.execute("SELECT 1").fetchone() == (1,)


def test_who_comes_from_outside_needs_tls_and_the_password(made: tuple[FakeCluster, User, Path]):
    cluster, _, folder = made
    address = ready(cluster)[0]["status"]["podIP"]
    with pytest.raises(psycopg.OperationalError, match="no encryption"):
        login(folder, address, sslmode="disable")
    with pytest.raises(psycopg.OperationalError, match="password authentication failed"):
        login(folder, address, password="another")


def test_a_port_forward_is_the_pods_own_loopback(made: tuple[FakeCluster, User, Path]):
    _, _, folder = made
    with forwarded(folder / "kubeconfig") as port, login(folder, "127.0.0.1", port) as connection:
        assert str(connection.execute("SELECT inet_client_addr()").fetchone()[0]) == "127.0.0.1"


def test_a_port_forward_to_no_pod_is_told_by_the_handshake(made: tuple[FakeCluster, User, Path]):
    _, _, folder = made
    configuration = client.Configuration()
    config.load_kube_config(str(folder / "kubeconfig"), client_configuration=configuration)
    api = client.CoreV1Api(client.ApiClient(configuration))
    with pytest.raises(ApiException, match="Handshake status 404 Not Found") as caught:
        portforward(api.connect_get_namespaced_pod_portforward, "absent", NAMESPACE, ports="5432")
    assert caught.value.status == 0


def test_its_log_is_the_pods(made: tuple[FakeCluster, User, Path]):
    cluster, _, _ = made
    path = f"{cluster.host}/api/v1/namespaces/{NAMESPACE}/pods/demo-0/log"
    headers = {"Authorization": f"Bearer {cluster.token}"}
    whole = httpx.get(path, headers=headers).text.splitlines()
    assert any("database system is ready to accept connections" in line for line in whole)
    assert len(httpx.get(path, params={"tailLines": "3"}, headers=headers).text.splitlines()) == 3


def test_a_changed_mount_is_there_after_a_while(made: tuple[FakeCluster, User, Path]):
    cluster, user, folder = made
    user.apply(
        objects.config_map("conf", {"postgresql.conf": f"{CONFIGURATION}work_mem = '9MB'\n", "pg_hba.conf": HBA})
    )
    with login(folder, ready(cluster)[0]["status"]["podIP"], autocommit=True) as connection:
        shown = None
        for _ in range(2000):
            connection.execute("SELECT pg_reload_conf()")
            (shown,) = connection.execute("SELECT setting FROM pg_settings WHERE name = 'work_mem'").fetchone()
            if shown == "9216":
                break
        assert shown == "9216"


def test_data_stay_when_the_pod_is_replaced(made: tuple[FakeCluster, User, Path]):
    cluster, user, folder = made
    pod = ready(cluster)[0]
    with login(folder, pod["status"]["podIP"], autocommit=True) as connection:
        connection.execute("CREATE TABLE kept AS SELECT 1")
    user.delete("Pod", "demo-0")
    (other,) = cluster.wait(lambda: ready(cluster, but=pod["metadata"]["uid"]))
    with login(folder, other["status"]["podIP"]) as connection:
        assert connection.execute("SELECT count(*) FROM kept").fetchone() == (1,)


def test_a_server_that_cannot_start_says_why_in_the_pods_status():
    with FakeCluster(servers=RealServers(), speed=100) as cluster:
        from fake_cluster import seeds

        place = {"namespace": "default"}
        for key, body in (
            ("persistentvolumeclaims", objects.volume_claim()),
            ("statefulsets.apps", objects.stateful_set(container={"env": [{"name": "POSTGRES_USER", "value": "u"}]})),
        ):
            seeds.make(cluster, key, body | {"metadata": body["metadata"] | place})
        pod = cluster.wait(lambda: next((pod for pod in cluster.list("pods") if ended(pod)), None))
        assert "superuser password is not specified" in ended(pod)["message"]


def ended(pod: Json) -> Json:
    statuses = pod["status"].get("containerStatuses") or [{}]
    return statuses[0].get("lastState", {}).get("terminated", {})


def test_what_does_not_answer_cannot_be_reached_anywhere(made: tuple[FakeCluster, User, Path]):
    with FakeCluster(by_hand=True) as cluster:
        for address in (cluster.network.pod_address(), cluster.network.service_address()):
            with pytest.raises(OSError, match="Network is unreachable"):
                socket.create_connection((address, 5432), timeout=5)
