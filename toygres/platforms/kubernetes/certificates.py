"""Certificates: an authority for each project, and what it signs for each of the project's servers."""

from __future__ import annotations

import ipaddress
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from toygres.domain.authority import Authority
from toygres.errors import Bug

_AUTHORITY_DAYS = 20 * 365
# Whose clock is behind ours by less than this takes a new certificate, too.
_EARLIER = timedelta(hours=1)
# Of a name, by X.520.
_LONGEST_NAME = 64


@dataclass(frozen=True, kw_only=True, repr=False)
class ServerCertificate:
    """A server's certificate and its private key, both PEM. The repr tells nothing."""

    certificate: str
    key: str


def make_authority(project: str, now: datetime) -> Authority:
    """A new authority for `project`, valid for 20 years; `now` is a time with its zone."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = _name(f"Toygres project {project}")
    ends = now + timedelta(days=_AUTHORITY_DAYS)
    usage = _usage(key_cert_sign=True, crl_sign=True)
    made = (
        _begun(name, name, key, now, ends)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(usage, critical=True)
        .sign(key, hashes.SHA256())
    )
    return Authority(certificate=_pem(made), key=_key_pem(key))


def issue(
    authority: Authority, hosts: Sequence[str], addresses: Sequence[str], *, now: datetime, days: int
) -> ServerCertificate:
    """A certificate for a server that goes by `hosts` and IP `addresses`.

    It is valid for `days`, or until the authority's own end; `now` is a time with its zone.
    """
    signer = _read(authority.certificate)
    signer_key = serialization.load_pem_private_key(authority.key.encode(), None)
    if not isinstance(signer_key, ec.EllipticCurvePrivateKey):
        raise Bug("the authority's key isn't of the kind that is made here")
    key = ec.generate_private_key(ec.SECP256R1())
    ends = min(now + timedelta(days=days), signer.not_valid_after_utc)
    # Clients go by the other names; they needn't be looked for in the common one, which is short.
    common = next(host for host in (*hosts, *addresses) if len(host) <= _LONGEST_NAME)
    made = (
        _begun(_name(common), signer.subject, key, now, ends)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(_usage(digital_signature=True), critical=True)
        .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
        .add_extension(x509.SubjectAlternativeName(_alternatives(hosts, addresses)), critical=False)
        .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(signer_key.public_key()), critical=False)
        .sign(signer_key, hashes.SHA256())
    )
    return ServerCertificate(certificate=_pem(made), key=_key_pem(key))


def needs_renewal(
    certificate: str, authority: str, hosts: Sequence[str], addresses: Sequence[str], now: datetime
) -> bool:
    """Whether the server should get another certificate.

    So it is when less than a third of its time is left, when it lacks a name that the server goes by, when another
    authority signed it, and when it can't be read. `now` is a time with its zone.
    """
    try:
        found = _read(certificate)
        found.verify_directly_issued_by(_read(authority))
        names = found.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except (ValueError, TypeError, InvalidSignature, x509.ExtensionNotFound):
        return True
    if not set(_alternatives(hosts, addresses)) <= set(names):
        return True
    whole = found.not_valid_after_utc - found.not_valid_before_utc
    return found.not_valid_after_utc - now < whole / 3


def _begun(
    subject: x509.Name, issuer: x509.Name, key: ec.EllipticCurvePrivateKey, now: datetime, ends: datetime
) -> x509.CertificateBuilder:
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - _EARLIER)
        .not_valid_after(ends)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
    )


def _usage(*, digital_signature: bool = False, key_cert_sign: bool = False, crl_sign: bool = False) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=digital_signature,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        key_cert_sign=key_cert_sign,
        crl_sign=crl_sign,
        encipher_only=False,
        decipher_only=False,
    )


def _alternatives(hosts: Sequence[str], addresses: Sequence[str]) -> list[x509.GeneralName]:
    return [*map(x509.DNSName, hosts), *(x509.IPAddress(ipaddress.ip_address(address)) for address in addresses)]


def _name(common: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, common)])


def _read(pem: str) -> x509.Certificate:
    return x509.load_pem_x509_certificate(pem.encode())


def _pem(certificate: x509.Certificate) -> str:
    return certificate.public_bytes(serialization.Encoding.PEM).decode()


def _key_pem(key: ec.EllipticCurvePrivateKey) -> str:
    return key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    ).decode()
