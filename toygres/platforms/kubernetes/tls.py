"""The server's certificate in its Secret: issued when it is missing, lacks a name or is about to end."""

from __future__ import annotations

import ipaddress
from collections.abc import Sequence
from datetime import UTC, datetime
from functools import partial

from toygres.config import Settings
from toygres.domain.authority import Authority
from toygres.domain.instance import Instance
from toygres.platforms.kubernetes import applying, certificates, keeping, manifests
from toygres.platforms.kubernetes.client import Cluster
from toygres.platforms.kubernetes.names import Names, hosts
from toygres.platforms.kubernetes.owner import Owner
from toygres.platforms.protocol import Target


def apply(
    cluster: Cluster,
    target: Target,
    place: str,
    owner: Owner,
    settings: Settings,
    outside: Sequence[str] = (),
    *,
    anew: bool = False,
) -> Authority:
    """See that the server has a certificate that holds for its names in the cluster, and `outside`; who signed it.

    `anew` when it can't have one yet. Raises Refused, Unavailable.
    """
    now = datetime.now(UTC)
    project = target.instance.project
    authority = target.authority(partial(certificates.make_authority, project, now))
    names, addresses = _names(target.instance, place, settings, outside)
    found = None if anew else keeping.secret(cluster, place, Names.of(target.instance).tls, target.instance)
    if found is None or certificates.needs_renewal(found["tls.crt"], authority.certificate, names, addresses, now):
        issued = certificates.issue(authority, names, addresses, now=now, days=settings.kube_certificate_days)
        applying.apply(cluster, manifests.tls(target, place, owner, settings, issued, authority), target)
    return authority


def _is_address(text: str) -> bool:
    try:
        ipaddress.ip_address(text)
    except ValueError:
        return False
    return True


def is_old(cluster: Cluster, instance: Instance, place: str, settings: Settings, outside: Sequence[str] = ()) -> bool:
    """Whether the server's certificate should be issued anew, or is gone."""
    found = keeping.secret(cluster, place, Names.of(instance).tls, instance)
    names, addresses = _names(instance, place, settings, outside)
    return found is None or certificates.needs_renewal(
        found["tls.crt"], found["ca.crt"], names, addresses, datetime.now(UTC)
    )


def _names(instance: Instance, place: str, settings: Settings, outside: Sequence[str]) -> tuple[list[str], list[str]]:
    """Host names and addresses that the server goes by, `outside` of the cluster too."""
    addresses = [each for each in outside if _is_address(each)]
    others = [each for each in outside if each not in addresses]
    return [*hosts(instance.name, place, settings.kube_cluster_domain), *others], addresses
