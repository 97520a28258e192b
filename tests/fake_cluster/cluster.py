"""A Kubernetes cluster for tests: an API server on loopback, controllers, and every switch that tests need."""

from __future__ import annotations

import itertools
import json
import threading
from collections import Counter
from collections.abc import Callable, Coroutine, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self, TypeVar
from uuid import uuid4

from fake_cluster import schema, seeds
from fake_cluster.admission import Policy
from fake_cluster.clock import Clock
from fake_cluster.controllers import Controllers
from fake_cluster.faults import Faults
from fake_cluster.garbage import Garbage
from fake_cluster.network import Network
from fake_cluster.rbac import Bound
from fake_cluster.rights import Rights, Rule
from fake_cluster.scenarios import Scenarios
from fake_cluster.server import Server
from fake_cluster.store import Store
from fake_cluster.watches import Watches

if TYPE_CHECKING:
    from fake_cluster.portforward import _Forward
    from fake_cluster.servers import Servers

Json = dict[str, Any]
T = TypeVar("T")


class FakeCluster:
    """A cluster that exists within its `with` block.

    `speed` makes what controllers and the kubelet take shorter than recorded; `by_hand` lets nothing happen until
    `clock.advance`. `servers` runs something real behind each pod (`real_server.RealServers`), and then pods have
    loopback addresses; without, pods only say that they run. `services_answer` makes a Service's cluster address lead
    to its ready pods.
    """

    def __init__(
        self,
        *,
        speed: float = 50.0,
        by_hand: bool = False,
        servers: Servers | None = None,
        pods_answer: bool | None = None,
        services_answer: bool = False,
        remembered: int = 20_000,
        bookmark_seconds: float = 60.0,
    ) -> None:
        self.store = Store(remembered)
        self.clock = Clock(self.store.lock, speed, by_hand=by_hand)
        self.network = Network(
            pods=servers is not None if pods_answer is None else pods_answer, services=services_answer
        )
        self.rights = Rights()
        self.faults = Faults()
        self.scenarios = Scenarios(self)
        self.watches = Watches(self, bookmark_seconds=bookmark_seconds)
        self.garbage = Garbage(self)
        self.servers = servers
        self.policies: list[Policy] = []
        self.pod_logs: dict[tuple[str, str], list[str]] = {}
        self.told: dict[tuple[str, str, str], str] = {}
        self.addresses: dict[str, tuple[str, int]] = {}
        self.forwards: set[_Forward] = set()
        self.requests: Counter[tuple[str, str]] = Counter()
        self.controllers = Controllers(self)
        self._changed = threading.Condition(self.store.lock)
        self._numbers = itertools.count(1)
        self._server = Server(self)

    def __enter__(self) -> Self:
        self.store.listeners.append(lambda change: self._changed.notify_all())
        schema.of("v1", "Pod")
        seeds.plant(self)
        self.controllers.start()
        try:
            self._server.start()
        except BaseException:
            self.controllers.stop()
            raise
        self.clock.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.clock.stop()
        self.controllers.stop()
        self._server.stop()
        if self.clock.failures and error is None:
            raise self.clock.failures[0]

    @property
    def host(self) -> str:
        """The API server's address."""
        return f"http://127.0.0.1:{self._server.port}"

    @property
    def token(self) -> str:
        """The token that may do everything."""
        return self.rights.admin_token

    def user(self, name: str, rules: Mapping[str, Sequence[Rule]] | None = None) -> str:
        """A token of a user with exactly these rules, by namespace (`*`: of a ClusterRole)."""
        return self.rights.token(name, rules or {})

    def account(self, namespace: str, name: str) -> str:
        """A token of a service account, with the rights that stored Roles and bindings give it."""
        return self.rights.token(f"system:serviceaccount:{namespace}:{name}", Bound(self.store, namespace, name))

    def kubeconfig(
        self, path: Path, *, token: str | None = None, context: str = "fake", namespace: str = "default"
    ) -> Path:
        """Write a kubeconfig for the cluster to `path` (0600) and return it; the token is the admin's by default."""
        user = {"token": token or self.token}
        config = {
            "apiVersion": "v1",
            "kind": "Config",
            "current-context": context,
            "clusters": [{"name": "fake", "cluster": {"server": self.host}}],
            "users": [{"name": "user", "user": user}],
            "contexts": [{"name": context, "context": {"cluster": "fake", "user": "user", "namespace": namespace}}],
        }
        path.touch(mode=0o600)
        path.write_text(json.dumps(config, indent=1))
        return path

    def compact(self) -> None:
        """Forget every older resourceVersion: watches from one get 410."""
        self.store.compact()

    def cut_watches(self) -> int:
        """Cut every watch; how many there were."""
        return self.watches.cut()

    def cut_forwards(self) -> None:
        """Cut every port-forward."""
        for forward in list(self.forwards):
            forward.cut()

    def in_server(self, coroutine: Coroutine[Any, Any, None]) -> None:
        """Run a coroutine in the server's thread, soon."""
        self._server.soon(coroutine)

    @contextmanager
    def outage(self) -> Iterator[None]:
        """Within this block no call is answered, and what was open is cut."""
        self.faults.down = True
        self.cut_watches()
        self.cut_forwards()
        try:
            yield
        finally:
            self.faults.down = False

    def count(self, verb: str, resource: str) -> None:
        """Count a request."""
        self.requests[verb, resource] += 1

    def number(self) -> int:
        """The next number, for whatever has to differ."""
        return next(self._numbers)

    def uid(self) -> str:
        """A new UID."""
        return str(uuid4())

    def get(self, resource: str, namespace: str, name: str) -> Json | None:
        """An object as it is stored, without asking the API (`statefulsets.apps`)."""
        with self.store.lock:
            return self.store.get(resource, namespace, name)

    def list(self, resource: str, namespace: str = "") -> list[Json]:
        """Objects as they are stored, without asking the API."""
        with self.store.lock:
            return self.store.list(resource, namespace)

    def wait(self, found: Callable[[], T], seconds: float = 20.0) -> T:
        """What `found` returns, once that is true; looked at after each change. Raises TimeoutError after `seconds`."""
        with self._changed:
            result = self._changed.wait_for(found, seconds)
        if not result:
            raise TimeoutError(f"not within {seconds:g} s; pods: {[pod.get('status') for pod in self.list('pods')]}")
        return result

    def address_of(self, uid: str, port: int) -> tuple[str, int]:
        """Where a pod's port really is. Raises OSError when nothing listens."""
        if uid not in self.addresses:
            raise ConnectionRefusedError(f"nothing runs behind the pod {uid}")
        return self.addresses[uid]
