"""The Secret with the user's login, for clients; its password is also what the server begins with."""

from __future__ import annotations

from toygres.config import Settings
from toygres.domain.authority import Authority
from toygres.domain.instance import Credentials
from toygres.platforms.kubernetes.manifests.metadata import Manifest
from toygres.platforms.kubernetes.manifests.secret import login_keys, secret
from toygres.platforms.kubernetes.names import Names
from toygres.platforms.kubernetes.owner import Owner
from toygres.platforms.protocol import Target


def credentials(
    target: Target, namespace: str, owner: Owner, settings: Settings, kept: Credentials, authority: Authority
) -> Manifest:
    """The Secret `NAME-credentials`; of `authority` it holds the certificate alone."""
    keys = login_keys(target, namespace, settings, kept.user, authority)
    return secret(target, namespace, owner, settings, Names.of(target.instance).credentials, keys)
