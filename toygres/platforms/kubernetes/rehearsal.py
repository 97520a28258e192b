"""A dry run of what a create applies: what quotas, rules and Pod Security say to it before anybody waits for it."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime

from toygres.config import Settings
from toygres.domain import ids
from toygres.domain.authority import Authority
from toygres.domain.findings import Finding, fine, noted, unchecked, wrong
from toygres.domain.instance import Availability, Credentials, Instance, InstanceSpec, InstanceState, Login
from toygres.domain.names import MONITOR_USER
from toygres.errors import Cause, CauseCode, Refused, Unavailable
from toygres.platforms.kubernetes import applying, manifests, offers
from toygres.platforms.kubernetes.client import Cluster
from toygres.platforms.kubernetes.manifests.metadata import Manifest
from toygres.platforms.kubernetes.owner import Owner
from toygres.platforms.protocol import Target

NAME = "toygres-doctor"
ABOUT = "dry run"
_POD_SECURITY = "would violate PodSecurity"
# A rule that does more than look at objects may refuse any dry run.
_NO_DRY_RUN = "does not support dry run"
_AWAY = (CauseCode.PLATFORM_UNREACHABLE, CauseCode.PLATFORM_LOGIN_REFUSED, CauseCode.STOPPING)


def rehearse(cluster: Cluster, settings: Settings, place: str) -> Iterator[Finding]:
    """What the API server says to the objects of an instance of the default size; none of them is made."""
    target, told, forbidden = made_up(settings), False, []
    for body in _bodies(settings, place, target):
        kind = body["kind"]
        try:
            findings = [_warned(kind, warning) for warning in _warnings(cluster, body, target)]
        except Refused as refused:
            if refused.cause.code is CauseCode.FORBIDDEN:
                forbidden.append(kind)
                continue
            findings = [_refused(kind, refused.cause)]
        except Unavailable as away:
            if away.cause is None or away.cause.code in _AWAY:
                yield unchecked(ABOUT, f"A {kind} couldn't be tried: {away.message}", away.remedy)
                return
            findings = [_refused(kind, away.cause)]
        told = told or bool(findings)
        yield from findings
    if forbidden:
        untried = ", ".join(forbidden)
        yield unchecked(ABOUT, f"This account may not apply any {untried}, so these weren't tried.", "See the rights.")
    elif not told:
        yield fine(ABOUT, f"Namespace {place} would take an instance of the default size, and warns of nothing.")


def _warnings(cluster: Cluster, body: Manifest, target: Target) -> tuple[str, ...]:
    return applying.apply(cluster, body, target, dry_run=True).warnings


def _refused(kind: str, cause: Cause) -> Finding:
    if any(_NO_DRY_RUN in text for text in (cause.message, *cause.evidence)):
        return unchecked(
            ABOUT, f"A {kind} couldn't be tried: {cause.message}", "Whether it is admitted, a create tells."
        )
    return wrong(ABOUT, f"A {kind} would be refused: {cause.message}", cause.remedy)


def _warned(kind: str, warning: str) -> Finding:
    if warning.startswith(_POD_SECURITY):
        return wrong(
            ABOUT,
            f"The {kind}'s pod would be refused: it {warning}.",
            "Toygres' own pods are admitted by `restricted`: take back what the settings or a webhook added to them.",
        )
    return noted(
        ABOUT,
        f"The API server warns of a {kind}: {warning}.",
        "It is made all the same. Change the setting (TOYGRES_KUBE_…) that it is about, if it is about one.",
    )


def _bodies(settings: Settings, place: str, target: Target) -> list[Manifest]:
    """The volume claim and the StatefulSet are what most is refused of; the others stand for their kinds."""
    owner = Owner(name=f"{NAME}-anchor", uid=str(ids.new()))
    logins = Credentials(user=Login(user="postgres", password=""), monitor=Login(user=MONITOR_USER, password=""))
    unsigned = Authority(certificate="", key="")
    bodies = [
        manifests.anchor(target, place),
        manifests.monitor(target, place, owner, settings, logins, unsigned),
        manifests.data(target, place, settings),
        manifests.service(target, place, owner, settings),
        manifests.stateful_set(target, place, owner, settings),
    ]
    if settings.kube_network_policy:
        bodies.append(manifests.network_policy(target, place, owner, settings))
    return bodies


def made_up(settings: Settings, name: str = NAME) -> Target:
    """What a step would act on that makes an instance with everything left to its default; no ledger knows it."""
    offered, now = offers.capabilities(settings), datetime.now(UTC)
    spec = InstanceSpec(
        version=offered.default_version,
        storage_bytes=offered.storage_bytes.default,
        cpu_millicores=offered.cpu_millicores.default,
        memory_bytes=offered.memory_bytes.default,
    )
    instance = Instance(
        id=ids.new(),
        project="default",
        name=name,
        platform="kubernetes",
        spec=spec,
        generation=1,
        observed_generation=0,
        state=InstanceState.CREATING,
        port=None,
        endpoint=None,
        available=Availability(value=False, since=None, cause=None),
        operation_id=None,
        created_at=now,
        updated_at=now,
    )
    return Target(instance=instance, fence=0, operation_id=ids.new(), installation_id=ids.new())
