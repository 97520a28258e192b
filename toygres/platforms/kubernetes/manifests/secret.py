"""What the Secrets of an instance have in common, and the keys of the two with logins."""

from __future__ import annotations

import base64
from collections.abc import Mapping
from urllib.parse import quote

from toygres.config import Settings
from toygres.domain.authority import Authority
from toygres.domain.instance import Login
from toygres.platforms.kubernetes.manifests.metadata import Manifest, metadata
from toygres.platforms.kubernetes.names import PORT, hosts
from toygres.platforms.kubernetes.owner import Owner
from toygres.platforms.protocol import Target


def secret(
    target: Target, namespace: str, owner: Owner, settings: Settings, name: str, values: Mapping[str, str]
) -> Manifest:
    """A Secret called `name`. Always with `data`: a key applied as `stringData` could never be taken away again."""
    return {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": metadata(target, namespace, name, settings, owner),
        "type": "Opaque",
        "data": {key: base64.b64encode(value.encode()).decode() for key, value in values.items()},
    }


def login_keys(
    target: Target, namespace: str, settings: Settings, login: Login, authority: Authority
) -> dict[str, str]:
    """A login in every form that clients read, and the certificate that they check the server's against.

    The ready-made forms ask for TLS without checking names, as they can't know where `ca.crt` will lie: with it, and
    `sslmode=verify-full` in place of `require`, they do.
    """
    host, database = (
        hosts(target.instance.name, namespace, settings.kube_cluster_domain)[-1],
        target.instance.spec.database,
    )
    user, password, name = (quote(text, safe="") for text in (login.user, login.password, database))
    return {
        "user": login.user,
        "password": login.password,
        "database": database,
        "host": host,
        "port": str(PORT),
        "uri": f"postgresql://{user}:{password}@{host}:{PORT}/{name}?sslmode=require",
        "jdbc-uri": f"jdbc:postgresql://{host}:{PORT}/{name}?user={user}&password={password}&sslmode=require",
        "pgpass": ":".join(map(_pgpass, (host, str(PORT), database, login.user, login.password))) + "\n",
        "ca.crt": authority.certificate,
    }


def _pgpass(part: str) -> str:
    return part.replace("\\", "\\\\").replace(":", "\\:")
