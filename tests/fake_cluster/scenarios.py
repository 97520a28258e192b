"""Which failure a pod's life plays, where the objects themselves don't bring it about."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from fake_cluster import quantities, seeds

if TYPE_CHECKING:
    from fake_cluster.cluster import FakeCluster

Json = dict[str, Any]

_RESOLVE = 'failed to pull and unpack image "{image}": failed to resolve reference "{image}": '
IMAGES = {
    "image-missing": _RESOLVE + 'failed to do request: Head "https://{host}/v2/{path}": dial tcp: lookup {host} on '
    "10.255.255.53:53: no such host",
    "image-not-found": _RESOLVE + "{image}: not found",
    "image-denied": _RESOLVE + "pull access denied, repository does not exist or may require authorization: server "
    "message: insufficient_scope: authorization failed",
    "registry-timeout": _RESOLVE + 'failed to do request: Head "https://{host}/v2/{path}": dial tcp 192.0.2.1:443: i/o '
    "timeout",
}
CRASHES: dict[str, tuple[int, Sequence[str]]] = {
    "crash-loop": (1, ['FATAL:  unrecognized configuration parameter "no_such_parameter"']),
    "bad-parameter": (1, ['FATAL:  invalid value for parameter "shared_buffers": "plenty"']),
    "volume-not-writable": (1, ["mkdir: cannot create directory '/var/lib/postgresql/data': Permission denied"]),
    "disk-full": (1, ["initdb: error: could not write to file: No space left on device"]),
    "data-directory-not-empty": (
        1,
        ['initdb: error: directory "/var/lib/postgresql/data" exists but is not empty'],
    ),
    "wrong-architecture": (1, ["exec /usr/local/bin/docker-entrypoint.sh: exec format error"]),
    "key-mode": (1, ['FATAL:  private key file "/etc/toygres/tls/tls.key" has group or world access']),
    "no-password": (1, ["Error: Database is uninitialized and superuser password is not specified."]),
}
OTHERS = {
    *("unschedulable", "claim-pending", "provisioning-failed", "mount-stuck", "attach-stuck", "cannot-execute"),
    *("out-of-memory", "never-ready", "not-ready-in-time", "liveness-killed", "node-lost", "config-error"),
}
KINDS = {*IMAGES, *CRASHES, *OTHERS}
_LEAST_MEMORY = quantities.number("32Mi")


@dataclass
class Scenario:
    """One failure: `instance` is the StatefulSet's name (empty: all), `times` how many containers it meets."""

    kind: str
    instance: str = ""
    words: Sequence[str] = ()
    exit_code: int = 1
    message: str = ""
    times: int | None = None


class Scenarios:
    """Those in force; what objects say by themselves (a class that isn't there, too little memory) needs none."""

    def __init__(self, cluster: FakeCluster) -> None:
        self._cluster = cluster
        self._playing: list[Scenario] = []

    def play(self, kind: str, instance: str = "", **more: Any) -> Scenario:
        """Let a failure happen from now on: to every instance, or one. Raises KeyError for one that isn't known."""
        if kind not in KINDS:
            raise KeyError(kind)
        if kind in CRASHES:
            code, words = CRASHES[kind]
            more = {"exit_code": code, "words": words} | more
        made = Scenario(kind, instance, **more)
        self._playing.append(made)
        return made

    def end(self, scenario: Scenario | None = None) -> None:
        """Let one failure, or all of them, happen no more; what waits for it goes on by itself."""
        self._playing = [other for other in self._playing if scenario is not None and other is not scenario]

    def of(self, pod: Json) -> Scenario | None:
        """What a pod plays."""
        name = pod["metadata"]["name"].rpartition("-")[0]
        for scenario in self._playing:
            if scenario.instance in {"", name} and scenario.times != 0:
                return scenario
        return _by_itself(pod)

    def spend(self, scenario: Scenario) -> None:
        """One container met it."""
        if scenario.times is not None:
            scenario.times -= 1

    def unschedulable(self, pod: Json) -> str:
        """What the scheduler says of a pod that plays so."""
        scenario = self.of(pod)
        if scenario is None or scenario.kind != "unschedulable":
            return ""
        told = "1 Insufficient cpu. no new claims to deallocate, preemption: 0/1 nodes are available: 1 Preemption is "
        return scenario.message or f"{told}not helpful for scheduling."

    def of_claim(self, claim: Json) -> tuple[str, str, str] | None:
        """The event of a claim that isn't bound: type, reason and message."""
        name = claim["metadata"]["name"]
        for scenario in self._playing:
            if not name.startswith(scenario.instance):
                continue
            if scenario.kind == "provisioning-failed":
                text = scenario.message or "rpc error: code = ResourceExhausted desc = out of quota"
                return (
                    "Warning",
                    "ProvisioningFailed",
                    f'failed to provision volume with StorageClass "standard": {text}',
                )
            if scenario.kind == "claim-pending":
                text = (
                    f"Waiting for a volume to be created either by the external provisioner '{seeds.PROVISIONER}' or "
                )
                text += "manually by the system administrator. If volume creation is delayed, please verify that the "
                return "Normal", "ExternalProvisioning", f"{text}provisioner is running and correctly registered."
        return None

    def quota(self, namespace: str, name: str = "small", **hard: str) -> None:
        """Give a namespace a quota (`requests_memory="64Mi"`)."""
        amounts = {key.replace("_", "."): amount for key, amount in hard.items()}
        quota = {"metadata": {"name": name, "namespace": namespace}, "spec": {"hard": amounts}}
        seeds.make(self._cluster, "resourcequotas", quota)

    def limits(
        self, namespace: str, *, most: Mapping[str, str] | None = None, least: Mapping[str, str] | None = None
    ) -> None:
        """Give a namespace a limit range for containers."""
        limit = {"type": "Container", "max": dict(most or {}), "min": dict(least or {})}
        value = {"metadata": {"name": "limits", "namespace": namespace}, "spec": {"limits": [limit]}}
        seeds.make(self._cluster, "limitranges", value)

    def pod_security(self, namespace: str, level: str = "restricted") -> None:
        """Let a namespace enforce a Pod Security Standard."""
        label = {"pod-security.kubernetes.io/enforce": level}

        def change(value: Json) -> None:
            value["metadata"]["labels"] |= label

        self._cluster.store.edit("namespaces", "", namespace, change)


def _by_itself(pod: Json) -> Scenario | None:
    container = pod["spec"]["containers"][0]
    if container["image"].partition("/")[0].endswith(".invalid"):
        return Scenario("image-missing")
    memory = ((container.get("resources") or {}).get("limits") or {}).get("memory")
    if memory is not None and quantities.number(memory) < _LEAST_MEMORY:
        return Scenario("out-of-memory")
    return None


def image_trouble(kind: str, image: str) -> str:
    """The message of an image that can't be pulled."""
    host, _, path = image.partition("/") if "/" in image else ("docker.io", "", f"library/{image}")
    return IMAGES[kind].format(image=image, host=host, path=path.replace(":", "/manifests/"))
