"""The Secret with the monitor's login, and the script that makes its role at the server's first start."""

from __future__ import annotations

from toygres.config import Settings
from toygres.domain.authority import Authority
from toygres.domain.instance import Credentials
from toygres.platforms.kubernetes.configuration import monitor_script
from toygres.platforms.kubernetes.manifests.metadata import Manifest
from toygres.platforms.kubernetes.manifests.secret import login_keys, secret
from toygres.platforms.kubernetes.names import Names
from toygres.platforms.kubernetes.owner import Owner
from toygres.platforms.protocol import Target

SCRIPT = "monitor.sql"


def monitor(
    target: Target, namespace: str, owner: Owner, settings: Settings, kept: Credentials, authority: Authority
) -> Manifest:
    """The Secret `NAME-monitor`; only its script is mounted, which holds a verifier and no password."""
    keys = login_keys(target, namespace, settings, kept.monitor, authority)
    keys[SCRIPT] = monitor_script(kept.monitor, target.instance.id)
    return secret(target, namespace, owner, settings, Names.of(target.instance).monitor, keys)
