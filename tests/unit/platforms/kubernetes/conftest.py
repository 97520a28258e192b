"""API servers whose answers a test writes itself, one over plain HTTP and one over TLS."""

from __future__ import annotations

import datetime
import ipaddress
import ssl
from collections.abc import Iterator
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from fake_cluster import FakeCluster, seeds
from manifest_subject import NAMESPACE
from meddling import Meddler, World
from stub_api import StubApi, stub_api
from watched import heard, script, watch

from toygres.platforms.kubernetes.client import Cluster

__all__ = ["heard", "script", "watch"]


@pytest.fixture
def api() -> Iterator[StubApi]:
    """Over plain HTTP."""
    with stub_api() as stub:
        yield stub


@pytest.fixture
def safe_api(tmp_path: Path) -> Iterator[StubApi]:
    """Over TLS, its certificate signed by itself."""
    certificate = _certificate(tmp_path)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)
    with stub_api(context, certificate) as stub:
        yield stub


@pytest.fixture
def cluster(api: StubApi) -> Cluster:
    """The stub as the platform sees it."""
    return Cluster(kubeconfig=api.kubeconfig())


def _certificate(folder: Path) -> Path:
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "stub")])
    now = datetime.datetime.now(datetime.UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(days=1))
        .not_valid_after(now + datetime.timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    path = folder / "stub.pem"
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    path.write_bytes(certificate.public_bytes(serialization.Encoding.PEM) + private)
    return path


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    """A fake cluster with the platform's namespace in it, as the platform sees it."""
    with FakeCluster() as fake:
        seeds.make(fake, "namespaces", {"metadata": {"name": NAMESPACE}})
        yield World(fake, Meddler(str(fake.kubeconfig(tmp_path / "kubeconfig"))))
