"""Certificates, as clients check them: by handshakes over loopback."""

from __future__ import annotations

import socket
import ssl
import threading
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509

from toygres.domain.authority import Authority
from toygres.platforms.kubernetes.certificates import (
    ServerCertificate,
    issue,
    make_authority,
    needs_renewal,
)
from toygres.platforms.kubernetes.names import hosts

NOW = datetime.now(UTC).replace(microsecond=0)
HOSTS = hosts("demo", "toygres")


@pytest.fixture(scope="module")
def authority() -> Authority:
    """A project's authority."""
    return make_authority("default", NOW)


def handshake(folder: Path, authority: Authority, server: ServerCertificate, name: str) -> str | None:
    """Connect to a server with this certificate under `name`: the protocol's version. Raises SSLError."""
    chain = folder / "server.pem"
    chain.write_text(server.key + server.certificate)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(chain)
    trusting = ssl.create_default_context(cadata=authority.certificate)
    trusting.verify_flags |= ssl.VERIFY_X509_STRICT
    with socket.create_server(("127.0.0.1", 0)) as listening:
        answering = threading.Thread(target=_answer, args=(listening, context))
        answering.start()
        try:
            with (
                socket.create_connection(listening.getsockname()) as plain,
                trusting.wrap_socket(plain, server_hostname=name) as safe,
            ):
                return safe.version()
        finally:
            answering.join()


def _answer(listening: socket.socket, context: ssl.SSLContext) -> None:
    connection, _ = listening.accept()
    with connection:
        try:
            context.wrap_socket(connection, server_side=True).close()
        except OSError:
            return


@pytest.mark.parametrize("name", [*HOSTS, "lb.example.com", "192.0.2.7", "2001:db8::7"])
def test_a_client_that_checks_everything_takes_it_under_each_of_its_names(
    tmp_path: Path, authority: Authority, name: str
) -> None:
    made = issue(authority, (*HOSTS, "lb.example.com"), ("192.0.2.7", "2001:db8::7"), now=NOW, days=30)
    assert handshake(tmp_path, authority, made, name) == "TLSv1.3"


@pytest.mark.parametrize("name", ["other", "demo.elsewhere.svc.cluster.local", "localhost", "127.0.0.1", "192.0.2.7"])
def test_under_any_other_name_it_is_refused(tmp_path: Path, authority: Authority, name: str) -> None:
    with pytest.raises(ssl.SSLCertVerificationError, match="match"):
        handshake(tmp_path, authority, issue(authority, HOSTS, (), now=NOW, days=30), name)


def test_another_projects_authority_is_not_trusted(tmp_path: Path, authority: Authority) -> None:
    made = issue(make_authority("default", NOW), HOSTS, (), now=NOW, days=30)
    with pytest.raises(ssl.SSLCertVerificationError, match="certificate verify failed"):
        handshake(tmp_path, authority, made, "demo")


def test_one_that_has_ended_is_refused(tmp_path: Path, authority: Authority) -> None:
    made = issue(authority, HOSTS, (), now=NOW - timedelta(days=31), days=30)
    with pytest.raises(ssl.SSLCertVerificationError, match="expired"):
        handshake(tmp_path, authority, made, "demo")


def test_a_server_signs_for_nobody(tmp_path: Path, authority: Authority) -> None:
    server = issue(authority, HOSTS, (), now=NOW, days=30)
    own = Authority(certificate=server.certificate, key=server.key)
    forged = issue(own, ("bank.example",), (), now=NOW, days=30)
    chained = ServerCertificate(certificate=forged.certificate + server.certificate, key=forged.key)
    with pytest.raises(ssl.SSLCertVerificationError, match="certificate verify failed"):
        handshake(tmp_path, authority, chained, "bank.example")


def test_what_each_may_be_used_for_is_written_in_it(authority: Authority) -> None:
    signer, server = (
        x509.load_pem_x509_certificate(pem.encode())
        for pem in (authority.certificate, issue(authority, HOSTS, (), now=NOW, days=30).certificate)
    )
    usages = [each.extensions.get_extension_for_class(x509.KeyUsage) for each in (signer, server)]
    assert [(usage.critical, usage.value.key_cert_sign, usage.value.digital_signature) for usage in usages] == [
        (True, True, False),
        (True, False, True),
    ]
    assert server.extensions.get_extension_for_class(x509.BasicConstraints).value.ca is False
    assert server.issuer == signer.subject
    assert signer.subject.rfc4514_string() == "CN=Toygres project default"


def test_the_authority_lives_long_and_no_server_outlives_it(authority: Authority) -> None:
    end = _end(authority.certificate)
    assert end == NOW + timedelta(days=7300)
    late = end - timedelta(days=10)
    assert _end(issue(authority, HOSTS, (), now=late, days=365).certificate) == end
    assert _end(issue(authority, HOSTS, (), now=NOW, days=365).certificate) == NOW + timedelta(days=365)


def _end(certificate: str) -> datetime:
    return x509.load_pem_x509_certificate(certificate.encode()).not_valid_after_utc


def test_it_is_renewed_when_a_third_of_its_time_is_left(authority: Authority) -> None:
    made = issue(authority, HOSTS, (), now=NOW, days=90).certificate
    renew = [
        needs_renewal(made, authority.certificate, HOSTS, (), NOW + timedelta(days=days)) for days in (0, 59, 61, 91)
    ]
    assert renew == [False, False, True, True]


def test_it_is_renewed_when_the_server_goes_by_another_name_too(authority: Authority) -> None:
    made = issue(authority, HOSTS, ("192.0.2.7",), now=NOW, days=90).certificate
    assert not needs_renewal(made, authority.certificate, HOSTS[:2], ("192.0.2.7",), NOW)
    assert needs_renewal(made, authority.certificate, (*HOSTS, "lb.example.com"), (), NOW)
    assert needs_renewal(made, authority.certificate, HOSTS, ("192.0.2.8",), NOW)


def test_it_is_renewed_when_another_authority_signed_it_or_nobody_can_read_it(authority: Authority) -> None:
    made = issue(authority, HOSTS, (), now=NOW, days=90).certificate
    assert needs_renewal(made, make_authority("default", NOW).certificate, HOSTS, (), NOW)
    assert needs_renewal("not a certificate", authority.certificate, HOSTS, (), NOW)


def test_a_project_and_a_host_with_long_names_get_theirs(tmp_path: Path) -> None:
    long = make_authority("p" * 40, NOW)
    names = hosts("n" * 40, "s" * 63)
    assert handshake(tmp_path, long, issue(long, names, (), now=NOW, days=1), names[-1]) == "TLSv1.3"


def test_keys_are_not_shown(authority: Authority) -> None:
    assert "PRIVATE" not in repr(authority) + repr(issue(authority, HOSTS, (), now=NOW, days=1))
