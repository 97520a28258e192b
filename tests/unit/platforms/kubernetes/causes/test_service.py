"""The address of a load balancer, and why there is none yet."""

from __future__ import annotations

from kube_objects import SERVICE_UID, event, seen, service

from toygres.errors import CauseCode
from toygres.platforms.kubernetes.causes.service import address, pending


def test_only_a_load_balancer_is_waited_for() -> None:
    assert pending(seen()) is None
    assert pending(seen(service=None)) is None


def test_a_load_balancer_has_a_name_or_an_address() -> None:
    named = service("LoadBalancer", [{"hostname": "lb.example"}])
    numbered = service("LoadBalancer", [{"ip": "203.0.113.7"}])
    assert (address(named), address(numbered)) == ("lb.example", "203.0.113.7")
    assert pending(seen(service=named)) is None


def test_without_a_controller_there_is_no_event_for_ever() -> None:
    found = pending(seen(service=service("LoadBalancer")))
    assert found is not None
    assert (found.cause.code, found.heals) == (CauseCode.LOAD_BALANCER_PENDING, True)
    assert "nobody says why" in found.cause.message


def test_the_controllers_last_failure_is_told() -> None:
    failed = event(SERVICE_UID, "SyncLoadBalancerFailed", "Error syncing load balancer: quota of addresses")
    found = pending(seen(failed, service=service("LoadBalancer")))
    assert found is not None
    assert "quota of addresses" in found.cause.message
    assert found.cause.evidence
