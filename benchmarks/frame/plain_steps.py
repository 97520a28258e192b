"""The floor of a create on Kubernetes: the same calls by a plain script, without a ledger, a broker or a worker."""

from __future__ import annotations

import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from functools import partial
from uuid import uuid4

from benchmarks.frame.clusters import ReadyTimes
from benchmarks.frame.stack import await_that
from toygres import postgres
from toygres.config import Settings
from toygres.domain.authority import Authority, KeptAuthority
from toygres.domain.instance import Instance
from toygres.domain.operation import NotYet
from toygres.platforms.kubernetes.client import Cluster
from toygres.platforms.kubernetes.names import Names
from toygres.platforms.kubernetes.platform import KubernetesPlatform
from toygres.platforms.kubernetes.rehearsal import made_up
from toygres.platforms.protocol import ServerPhase, Target
from toygres.secrets import new_credentials

_GONE_SECONDS = 120.0


class PlainSteps:
    """Takes a create's steps one after the other: what a worker calls, called as soon as it can be."""

    def __init__(self, cluster: Cluster, settings: Settings, ready: ReadyTimes) -> None:
        self._settings = settings
        self._platform = KubernetesPlatform("plain", settings, cluster)
        self._ready = ready
        self._installation = uuid4()
        self._authority = _kept()

    def __call__(self) -> float:
        """Seconds for one."""
        target = self._target()
        began = time.perf_counter()
        target = self._make(target)
        self._ready.of(Names.of(target.instance).pod)
        self._verify(target.instance)
        seconds = time.perf_counter() - began
        self._remove(target)
        return seconds

    def _make(self, target: Target) -> Target:
        """The target with the endpoint that its Service gave it, after every step that makes something."""
        login = target.instance.spec.user
        self._platform.apply_credentials(target, lambda: new_credentials(login, None))
        self._platform.apply_storage(target := _next(target))
        self._platform.apply_server(target := _next(target))
        endpoint = self._platform.apply_service(target := _next(target))
        return replace(target, instance=replace(target.instance, endpoint=endpoint))

    def _verify(self, instance: Instance) -> None:
        if self._platform.observe(instance).phase is not ServerPhase.UP:
            raise SystemExit(f"The server of {instance.name} isn't up though its pod is ready.")
        kept = self._platform.credentials(instance)
        with self._platform.reach(instance) as way, ThreadPoolExecutor(1) as pool:
            if kept is None or way is None:
                raise SystemExit(f"There is no way to {instance.name}.")
            health = pool.submit(postgres.check_health, way, instance.spec.database, kept.monitor)
            trouble = postgres.test_connection(way, instance.spec.database, kept.user) or health.result()
        if trouble:
            raise SystemExit(f"{instance.name}: {trouble.message}")

    def _remove(self, target: Target) -> None:
        platform = self._platform
        what = f"the end of {target.instance.name}"
        for remove in (
            platform.remove_service,
            platform.remove_server,
            platform.remove_storage,
            platform.remove_credentials,
        ):
            await_that(what, partial(_done, remove, target), _GONE_SECONDS, 0.05)

    def _target(self) -> Target:
        target = made_up(self._settings, f"plain-{uuid4().hex[:8]}")
        return replace(target, fence=1, installation_id=self._installation, authority=self._authority)


def _next(target: Target) -> Target:
    return replace(target, fence=target.fence + 1)


def _done(remove: Callable[[Target], object], target: Target) -> bool:
    try:
        remove(target)
    except NotYet:
        return False
    return True


def _kept() -> KeptAuthority:
    kept: list[Authority] = []

    def authority(make: Callable[[], Authority]) -> Authority:
        if not kept:
            kept.append(make())
        return kept[0]

    return authority
