"""A platform without servers, so that what Toygres itself takes can be measured: objects in memory, fenced.

Its servers become ready after a time, or when they are released; what happens is told by a change, as real ones do.
"""

from __future__ import annotations

import heapq
import os
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from uuid import UUID

from toygres.config import Settings
from toygres.domain.instance import Credentials, Endpoint, Instance, Way
from toygres.errors import Cause, CauseCode, Refused
from toygres.platforms import registry
from toygres.platforms.protocol import Bounds, Capabilities, Platform, ServerPhase, ServerStatus, Target, Trace

NAME = "double"
# Seconds until a server is ready; `held` until the file RELEASE is there.
START = "TOYGRES_BENCHMARK_START"
# A file whose coming lets held servers become ready and hanging steps go on.
RELEASE = "TOYGRES_BENCHMARK_RELEASE"
# Set: apply_storage doesn't return before RELEASE is there.
HANG = "TOYGRES_BENCHMARK_HANG"
# Where a worker on it tells what it counted, several times a second.
COUNTS = "TOYGRES_BENCHMARK_COUNTS"

_HELD = "held"
_LOOK_SECONDS = 0.02
_STARTING = Cause(code=CauseCode.STARTING, message="The server is starting.", remedy="Wait.")
_BOUNDS = Bounds(least=1, most=2**50, default=2**30)


class Double:
    """Implements `toygres.platforms.protocol.Platform` for one process; what it made isn't known to another."""

    name = NAME
    kind = NAME

    def __init__(self) -> None:
        self._start = os.environ.get(START, "0")
        self._release = Path(os.environ.get(RELEASE, os.devnull + "/none"))
        self._lock = threading.Condition()
        self._fences: dict[UUID, int] = {}
        self._kept: dict[UUID, dict[str, object]] = {}
        self._ready_at: dict[UUID, float] = {}
        self._coming: list[tuple[float, UUID]] = []
        self.became_ready: dict[UUID, float] = {}

    def describe(self) -> str:
        return "a dictionary"

    def identity(self) -> str:
        return NAME

    def expect(self, identity: str) -> None:
        return

    def capabilities(self) -> Capabilities:
        return Capabilities(
            kind=NAME,
            versions=("18",),
            default_version="18",
            tls=False,
            enforced=frozenset(),
            storage_bytes=_BOUNDS,
            cpu_millicores=_BOUNDS,
            memory_bytes=_BOUNDS,
        )

    def check(self) -> None:
        return

    def port_in_use(self, port: int) -> bool:
        return False

    def apply_credentials(self, target: Target, credentials: Callable[[], Credentials]) -> None:
        self._apply(target, "credentials", credentials())

    def remove_credentials(self, target: Target) -> None:
        self._remove(target, "credentials")

    def apply_storage(self, target: Target) -> None:
        while os.environ.get(HANG) and not self._release.exists():
            time.sleep(_LOOK_SECONDS)
        self._apply(target, "storage", "data")

    def remove_storage(self, target: Target) -> None:
        self._remove(target, "storage")

    def apply_server(self, target: Target) -> None:
        self._apply(target, "server", "running")
        if self._start == _HELD:
            return
        with self._lock:
            at = self._ready_at.setdefault(target.instance.id, time.time() + float(self._start))
            heapq.heappush(self._coming, (at, target.instance.id))
            self._lock.notify_all()

    def stop_server(self, target: Target) -> None:
        self._remove(target, "server")

    def remove_server(self, target: Target) -> None:
        self._remove(target, "server")

    def apply_service(self, target: Target) -> Endpoint:
        self._apply(target, "service", "open")
        return Endpoint(host="127.0.0.1", port=1)

    def await_address(self, target: Target) -> Endpoint:
        raise NotImplementedError

    def apply_certificate(self, target: Target) -> None:
        return

    def certificate(self, instance: Instance) -> str | None:
        return None

    def certificate_is_old(self, instance: Instance) -> bool:
        return False

    def remove_service(self, target: Target) -> None:
        self._remove(target, "service")

    def observe(self, instance: Instance) -> ServerStatus:
        with self._lock:
            if "server" not in self._kept.get(instance.id, {}):
                return ServerStatus(phase=ServerPhase.ABSENT)
            ready = self._release.exists() if self._start == _HELD else time.time() >= self._ready_at[instance.id]
        return (
            ServerStatus(phase=ServerPhase.UP) if ready else ServerStatus(phase=ServerPhase.STARTING, cause=_STARTING)
        )

    def glance(self, instance: Instance) -> ServerStatus:
        return self.observe(instance)

    def reach(self, instance: Instance, *, inside: bool = False) -> AbstractContextManager[Way | None]:
        return nullcontext(Way(endpoint=instance.endpoint) if instance.endpoint else None)

    def credentials(self, instance: Instance, *, lately: bool = False) -> Credentials | None:
        found = self._kept.get(instance.id, {}).get("credentials")
        return found if isinstance(found, Credentials) else None

    def evidence(self, instance: Instance) -> tuple[str, ...]:
        return ()

    def objects(self, instance_id: UUID) -> Sequence[str]:
        return sorted(self._kept.get(instance_id, {}))

    def make_ahead(self, stop: threading.Event) -> None:
        stop.wait()

    def found(self, installation_id: UUID) -> Mapping[UUID, Trace]:
        return {}

    def watch(self, changed: Callable[[UUID], None], stop: threading.Event) -> None:
        if self._start == _HELD:
            self._watch_release(changed, stop)
        while not stop.is_set():
            for instance_id in self._come():
                self.became_ready[instance_id] = time.time()
                changed(instance_id)

    def _watch_release(self, changed: Callable[[UUID], None], stop: threading.Event) -> None:
        while not self._release.exists():
            if stop.wait(_LOOK_SECONDS):
                return
        for instance_id in list(self._kept):
            self.became_ready[instance_id] = time.time()
            changed(instance_id)

    def _come(self) -> list[UUID]:
        """Wait for a moment at most; whose servers have become ready by now."""
        with self._lock:
            until = self._coming[0][0] - time.time() if self._coming else 1.0
            if until > 0:
                self._lock.wait(min(until, 1.0))
            now, ready = time.time(), []
            while self._coming and self._coming[0][0] <= now:
                ready.append(heapq.heappop(self._coming)[1])
        return ready

    def _apply(self, target: Target, kind: str, made: object) -> None:
        with self._lock:
            self._pass_fence(target)
            self._kept.setdefault(target.instance.id, {}).setdefault(kind, made)

    def _remove(self, target: Target, kind: str) -> None:
        with self._lock:
            self._pass_fence(target)
            self._kept.get(target.instance.id, {}).pop(kind, None)

    def _pass_fence(self, target: Target) -> None:
        if target.fence < self._fences.get(target.instance.id, 0):
            raise Refused(Cause(code=CauseCode.FENCED_OFF, message="A newer claim was here.", remedy=""))
        self._fences[target.instance.id] = target.fence


def install() -> Double:
    """Make a double the only platform of this process."""
    double = Double()

    def build(settings: Settings) -> dict[str, Platform]:  # noqa: ARG001 (a double has nothing to be set)
        return {NAME: double}

    registry.build = build
    return double
