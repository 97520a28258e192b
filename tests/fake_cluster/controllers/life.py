"""One pod's life on the node: steps taken one after the other, for as long as the pod is there."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

from fake_cluster.events import KUBELET
from fake_cluster.servers import Server

if TYPE_CHECKING:
    from fake_cluster.cluster import FakeCluster

Json = dict[str, Any]
Steps = Iterator["float | None"]
_LOST_SECONDS = 0.5


class Life:
    """One pod's life: steps that yield how long to wait (None: until poked)."""

    def __init__(self, cluster: FakeCluster, pod: Json) -> None:
        self.cluster = cluster
        self.key = (pod["metadata"]["namespace"], pod["metadata"]["name"])
        self.uid = pod["metadata"]["uid"]
        self.server: Server | None = None
        self.outcome: tuple[int, str, list[str]] | None = None
        self._steps: Steps = iter(())
        self._turn = 0

    def begin(self, steps: Callable[[Life], Steps]) -> None:
        """Go on with these steps instead of those before."""
        self._turn += 1
        self._steps = steps(self)
        self._next(self._turn)

    def poke(self) -> None:
        """Go on at once."""
        self._turn += 1
        self._next(self._turn)

    def end(self) -> None:
        """Never go on; end what runs."""
        self._turn += 1
        self._steps = iter(())
        self.stop_server(0.0)

    def stop_server(self, seconds: float) -> None:
        self.cluster.addresses.pop(self.uid, None)
        if self.server is not None:
            self.server.stop(seconds)

    @property
    def pod(self) -> Json | None:
        """The pod as it is; None when it is gone."""
        found = self.cluster.store.get("pods", *self.key)
        return found if found is not None and found["metadata"]["uid"] == self.uid else None

    def edit(self, change: Callable[[Json], None]) -> None:
        """Change the pod if it is still there."""
        if self.pod is not None:
            self.cluster.store.edit("pods", *self.key, change)

    def tell(self, kind: str, reason: str, message: str, *, of_container: bool = True) -> None:
        """Write an event about the pod or its container."""
        pod = self.pod
        if pod is not None:
            field = f"spec.containers{{{pod['spec']['containers'][0]['name']}}}" if of_container else ""
            KUBELET.tell(self.cluster, pod, kind, reason, message, field)

    def _next(self, turn: int) -> None:
        if turn != self._turn or self.pod is None:
            return
        if self.cluster.controllers.kubelet.lost:
            self.cluster.clock.later(_LOST_SECONDS, lambda: self._next(turn))
            return
        seconds = next(self._steps, None)
        if seconds is not None and turn == self._turn:
            self.cluster.clock.later(seconds, lambda: self._next(turn))
