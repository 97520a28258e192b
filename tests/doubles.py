"""A platform without servers: objects in memory, fenced like the real ones, with faults on demand.

It passes the same contract tests as every platform.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field
from typing import NamedTuple
from uuid import UUID, uuid4

from toygres.domain.instance import Credentials, Endpoint, Instance, Way
from toygres.errors import Cause, CauseCode, Refused
from toygres.platforms.parameters import catalogue
from toygres.platforms.protocol import Bounds, Capabilities, ServerPhase, ServerStatus, Target, Trace

OFFER = Capabilities(
    kind="memory",
    versions=("18", "17"),
    default_version="18",
    tls=False,
    enforced=frozenset(),
    storage_bytes=Bounds(least=2**28, most=2**40, default=2**30),
    cpu_millicores=Bounds(least=100, most=64_000, default=1000),
    memory_bytes=Bounds(least=2**27, most=2**38, default=2**29),
    ports=range(20_000, 20_003),
    choices=frozenset({"service_type", "allowed_cidrs"}),
    parameters={version: catalogue.parameters(version) for version in ("18", "17")},
)


class Effect(NamedTuple):
    """Something that was made or removed, and whose claim did it."""

    verb: str
    instance: UUID
    kind: str
    fence: int
    operation: UUID


@dataclass
class MemoryPlatform:
    """Keeps each instance's objects in a dictionary; `effects` is the log that only it writes.

    `at` is told each point that a call passes, before a fault is looked for there.
    """

    name: str = "memory"
    offer: Capabilities = OFFER
    kind: str = "memory"
    kept: dict[UUID, dict[str, object]] = field(default_factory=dict)
    fences: dict[UUID, int] = field(default_factory=dict)
    effects: list[Effect] = field(default_factory=list)
    at: Callable[[str], None] = lambda point: None
    faults: dict[str, Callable[[], None]] = field(default_factory=dict)
    status: ServerStatus | None = None
    lock: threading.RLock = field(default_factory=threading.RLock)

    def describe(self) -> str:
        return "a dictionary"

    def identity(self) -> str:
        return "memory"

    def expect(self, identity: str) -> None:
        return

    def capabilities(self) -> Capabilities:
        return self.offer

    def check(self) -> None:
        self._fault("check")

    def port_in_use(self, port: int) -> bool:
        return False

    def apply_credentials(self, target: Target, credentials: Callable[[], Credentials]) -> None:
        self._apply(target, "credentials", credentials)

    def remove_credentials(self, target: Target) -> None:
        self._remove(target, "credentials")

    def apply_storage(self, target: Target) -> None:
        self._apply(target, "storage", lambda: f"data {uuid4()}")

    def remove_storage(self, target: Target) -> None:
        self._remove(target, "storage")

    def apply_server(self, target: Target) -> None:
        self._apply(target, "server", lambda: "running")

    def stop_server(self, target: Target) -> None:
        self._remove(target, "server")

    def remove_server(self, target: Target) -> None:
        self._remove(target, "server")

    def apply_service(self, target: Target) -> Endpoint:
        endpoint = Endpoint(host="127.0.0.1", port=target.instance.port or 1)
        self._apply(target, "service", lambda: endpoint)
        return endpoint

    def await_address(self, target: Target) -> Endpoint:
        self._fault("await_address")
        with self.lock:
            self._pass_fence(target)
            found = self.kept[target.instance.id]["service"]
        assert isinstance(found, Endpoint)
        return found

    def apply_certificate(self, target: Target) -> None:
        self._fault("apply_certificate")
        with self.lock:
            self._pass_fence(target)

    def certificate(self, instance: Instance) -> str | None:
        return None

    def certificate_is_old(self, instance: Instance) -> bool:
        return False

    def remove_service(self, target: Target) -> None:
        self._remove(target, "service")

    def observe(self, instance: Instance) -> ServerStatus:
        self._fault("observe")
        if self.status is not None:
            return self.status
        running = "server" in self.kept.get(instance.id, {})
        return ServerStatus(phase=ServerPhase.UP if running else ServerPhase.STOPPED)

    def glance(self, instance: Instance) -> ServerStatus:
        return self.observe(instance)

    def reach(self, instance: Instance, *, inside: bool = False) -> AbstractContextManager[Way | None]:
        return nullcontext(Way(endpoint=instance.endpoint) if instance.endpoint else None)

    def credentials(self, instance: Instance, *, lately: bool = False) -> Credentials | None:
        found = self.kept.get(instance.id, {}).get("credentials")
        return found if isinstance(found, Credentials) else None

    def evidence(self, instance: Instance) -> tuple[str, ...]:
        return ("the last line of the log",) if instance.id in self.kept else ()

    def objects(self, instance_id: UUID) -> Sequence[str]:
        return sorted(self.kept.get(instance_id, {}))

    def found(self, installation_id: UUID) -> Mapping[UUID, Trace]:
        return {}

    def watch(self, changed: Callable[[UUID], None], stop: threading.Event) -> None:
        stop.wait()

    def make_ahead(self, stop: threading.Event) -> None:
        stop.wait()

    def _apply(self, target: Target, kind: str, make: Callable[[], object]) -> None:
        self._fault(f"before apply_{kind}")
        with self.lock:
            self._pass_fence(target)
            objects = self.kept.setdefault(target.instance.id, {})
            if kind not in objects:
                objects[kind] = make()
                self._log("apply", target, kind)
        self._fault(f"after apply_{kind}")

    def _remove(self, target: Target, kind: str) -> None:
        self._fault(f"before remove_{kind}")
        with self.lock:
            self._pass_fence(target)
            if self.kept.get(target.instance.id, {}).pop(kind, None) is not None:
                self._log("remove", target, kind)
            if not self.kept.get(target.instance.id):
                self.kept.pop(target.instance.id, None)
        self._fault(f"after remove_{kind}")

    def _pass_fence(self, target: Target) -> None:
        highest = self.fences.get(target.instance.id, 0)
        if target.fence < highest:
            cause = Cause(code=CauseCode.FENCED_OFF, message="A newer claim was here.", remedy="")
            raise Refused(cause)
        self.fences[target.instance.id] = target.fence

    def _log(self, verb: str, target: Target, kind: str) -> None:
        self.effects.append(Effect(verb, target.instance.id, kind, target.fence, target.operation_id))

    def _fault(self, point: str) -> None:
        self.at(point)
        fault = self.faults.get(point)
        if fault is not None:
            fault()
