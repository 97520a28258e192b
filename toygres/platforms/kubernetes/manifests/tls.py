"""The Secret with the server's certificate and key."""

from __future__ import annotations

from toygres.config import Settings
from toygres.domain.authority import Authority
from toygres.platforms.kubernetes.certificates import ServerCertificate
from toygres.platforms.kubernetes.manifests.metadata import Manifest
from toygres.platforms.kubernetes.manifests.secret import secret
from toygres.platforms.kubernetes.names import Names
from toygres.platforms.kubernetes.owner import Owner
from toygres.platforms.protocol import Target


def tls(
    target: Target, namespace: str, owner: Owner, settings: Settings, issued: ServerCertificate, authority: Authority
) -> Manifest:
    """The Secret `NAME-tls`; of `authority` it holds the certificate alone."""
    values = {"tls.crt": issued.certificate, "tls.key": issued.key, "ca.crt": authority.certificate}
    made = secret(target, namespace, owner, settings, Names.of(target.instance).tls, values)
    return {**made, "type": "kubernetes.io/tls"}
