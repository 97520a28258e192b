"""Whether clients have somewhere to connect to: the Service, and its load balancer's address (row 26)."""

from __future__ import annotations

from toygres.errors import CauseCode
from toygres.platforms.kubernetes.causes import events
from toygres.platforms.kubernetes.causes.seen import Object, Seen, name
from toygres.platforms.kubernetes.causes.verdict import Kind, Verdict, sentence_end

LOAD_BALANCER_PENDING = Kind(
    code=CauseCode.LOAD_BALANCER_PENDING,
    sentence="Service {service} has no address outside of the cluster yet: {words}.",
    remedy="Wait; if it stays so, see whether the cluster has a controller for load balancers, its quota, and the "
    "annotations in the settings.",
    sign="Service of type `LoadBalancer` without an address; event `SyncLoadBalancerFailed`, or none at all",
    heals=True,
)

SERVICE_MISSING = Kind(
    code=CauseCode.SERVICE_MISSING,
    sentence="The server runs, but nobody can connect to it: its Service is gone.",
    remedy="`toygres start` makes it again. The server runs on, unless another version of Toygres made it: then it is "
    "started anew, and its sessions end.",
    sign="an instance that is ready, without its Service",
)

KINDS = (LOAD_BALANCER_PENDING, SERVICE_MISSING)

_SYNCS = ("SyncLoadBalancerFailed", "EnsuredLoadBalancer")
_NOTHING_SAID = "no load balancer has been made for it, and nobody says why"


def unreachable(seen: Seen) -> Verdict | None:
    """Why nobody can connect to a server that is up; None when everybody can who may."""
    return SERVICE_MISSING.found() if seen.service is None else pending(seen)


def pending(seen: Seen) -> Verdict | None:
    """Why a Service of type LoadBalancer has no address; None when it has one, or wants none."""
    service = seen.service
    if service is None or service["spec"].get("type") != "LoadBalancer" or address(service):
        return None
    said = events.last(seen, service, _SYNCS)
    failed = said if said and said.get("reason") == "SyncLoadBalancerFailed" else None
    words = sentence_end(str(failed.get("message", ""))) if failed else _NOTHING_SAID
    return LOAD_BALANCER_PENDING.found(events.told(seen, service), service=name(service), words=words)


def address(service: Object) -> str | None:
    """The address or name that the load balancer was given; None while there is none."""
    for entry in service["status"].get("loadBalancer", {}).get("ingress") or ():
        if found := entry.get("hostname") or entry.get("ip"):
            return str(found)
    return None
