"""Who may reach local servers: by default one project, on loopback; more only when a setting says so.

All instances of a home share one system user, so this platform keeps their owners neither apart from each other nor,
not as root, from the control plane; and without TLS what clients send and get can be read on the way.
"""

from __future__ import annotations

import ipaddress

from toygres.config import Settings, variable
from toygres.errors import Misconfigured

_WAY_BACK = {"0.0.0.0": "127.0.0.1", "::": "::1"}  # noqa: S104


def require_told(settings: Settings) -> None:
    """Return when everything listens on loopback, or more was asked for by name. Raises Misconfigured."""
    if settings.local_shared:
        return
    for name in ("bind", "instance_bind"):
        address = getattr(settings, name)
        if not is_loopback(address):
            raise Misconfigured(
                f"{variable(name)} is {address}, which isn't loopback, and the local platform keeps the owners of its "
                "instances neither apart from each other nor from the control plane.",
                f"Leave it at 127.0.0.1, or set {variable('local_shared')}=true when all who can reach it are trusted.",
            )


def is_loopback(address: str) -> bool:
    """Whether only this machine reaches what listens there."""
    try:
        return ipaddress.ip_address(address).is_loopback
    except ValueError:
        return address == "localhost"


def own_host(settings: Settings) -> str:
    """Where we ourselves reach what listens on the instances' address."""
    return _WAY_BACK.get(settings.instance_bind, settings.instance_bind)


def shown_host(settings: Settings) -> str:
    """Where clients are told to connect."""
    return settings.instance_host or own_host(settings)
