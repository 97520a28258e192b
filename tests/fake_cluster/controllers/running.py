"""A container that runs: probes, its end by itself, and its restarts with back-off."""

from __future__ import annotations

from collections.abc import Generator
from typing import TYPE_CHECKING, Any

from fake_cluster import containers, pods
from fake_cluster.controllers import lives
from fake_cluster.scenarios import CRASHES, Scenario

if TYPE_CHECKING:
    from fake_cluster.controllers.life import Life

Json = dict[str, Any]
Steps = Generator["float | None", None, None]
_ENDING = {*CRASHES, "out-of-memory", "cannot-execute", "not-ready-in-time", "liveness-killed"}
_LOOK_SECONDS = 0.02
_START_SECONDS = 3.2
_NO_RESPONSE = "127.0.0.1:5432 - no response\n"
_GONE = (
    "Readiness probe errored and resulted in unknown state: rpc error: code = NotFound desc = failed to exec in "
    "container: failed to load task: no running task found: task {task} not found: not found"
)


def run(life: Life) -> Steps:
    """Run, and again after each end, with the back-off of a real kubelet."""
    restarts = 0
    while life.pod is not None:
        life.outcome = None
        scenario = life.cluster.scenarios.of(life.pod)
        if scenario is not None and scenario.kind in _ENDING:
            life.cluster.scenarios.spend(scenario)
            yield from _short(life, scenario, restarts)
        else:
            yield from _long(life, scenario)
        yield from _ended(life)
        yield from _backed_off(life, restarts)
        restarts += 1


def _running(life: Life, *, started: bool) -> None:
    life.tell("Normal", "Started", "Container started")
    life.edit(lambda pod: containers.runs(life.cluster, pod, started=started))


def _probe(life: Life, name: str) -> Json | None:
    pod = life.pod
    return pod["spec"]["containers"][0].get(name) if pod is not None else None


def _unhealthy(life: Life, said: str) -> None:
    """A probe failed: the startup probe's turn comes first where there is one."""
    which = "Readiness" if _probe(life, "startupProbe") is None else "Startup"
    life.tell("Warning", "Unhealthy", f"{which} probe failed: {said}")


def _short(life: Life, scenario: Scenario, restarts: int) -> Steps:
    if scenario.kind == "cannot-execute":
        yield from _never_ran(life, scenario)
        return
    _running(life, started=_probe(life, "startupProbe") is None)
    if scenario.kind in {"not-ready-in-time", "liveness-killed"}:
        yield from _killed_by_probe(life, scenario)
        return
    if scenario.kind == "out-of-memory":
        life.outcome = (2, "Error", list(scenario.words)) if restarts else (137, "OOMKilled", list(scenario.words))
    else:
        life.outcome = (scenario.exit_code, "Error", list(scenario.words))
    for _ in range(2):
        yield 0.4
        _unhealthy(life, _NO_RESPONSE)
    yield 2.5 if not restarts and scenario.kind != "out-of-memory" else 0.8


def _never_ran(life: Life, scenario: Scenario) -> Steps:
    text = 'failed to create containerd task: failed to create shim task: OCI runtime create failed: exec: "no-such": '
    why = scenario.message or f"{text}executable file not found in $PATH: unknown"
    life.tell("Warning", "Failed", f"Error: {why}")
    life.edit(lambda pod: containers.waits(life.cluster, pod, "RunContainerError", why, address=True))
    yield 0.5
    life.outcome = (128, "StartError", [why])


def _killed_by_probe(life: Life, scenario: Scenario) -> Steps:
    which = "startup" if scenario.kind == "not-ready-in-time" else "liveness"
    probe = _probe(life, f"{which}Probe") or {}
    if which == "liveness":
        yield _START_SECONDS
        life.edit(lambda pod: _now_ready(life, pod))
    period = probe.get("periodSeconds", 1)
    for _ in range(probe.get("failureThreshold", 3)):
        yield period
        life.tell("Warning", "Unhealthy", f"{which.capitalize()} probe failed: 127.0.0.1:5432 - no response\n")
    life.tell("Normal", "Killing", f"Container postgres failed {which} probe, will be restarted")
    yield 1.0
    life.outcome = (0, "Completed", [])


def _long(life: Life, scenario: Scenario | None) -> Steps:
    real = life.cluster.servers is not None
    startup = _probe(life, "startupProbe")
    if real:
        _serve(life)
    _running(life, started=startup is None)
    if scenario is not None and scenario.kind == "never-ready":
        yield from _never_ready(life)
    yield from (_watched(life) if real else _played(life))
    if scenario is not None and scenario.kind == "node-lost" and life.outcome is None:
        yield 40.0
        life.cluster.controllers.kubelet.lose_node()
    if real:
        yield from _kept(life)
    while life.outcome is None:
        yield None


def _serve(life: Life) -> None:
    pod, cluster = life.pod, life.cluster
    assert cluster.servers is not None
    if pod is None:
        return
    life.edit(lambda value: containers.give_address(cluster, value))
    found = life.pod
    assert found is not None
    mounted = lives.objects(cluster, life.key[0])
    for claim in cluster.store.list("persistentvolumeclaims", life.key[0]):
        mounted["PersistentVolumeClaim", claim["metadata"]["name"]] = claim
    life.server, address = cluster.servers.start(found, mounted)
    cluster.addresses[life.uid] = address
    cluster.network.publish(cluster, found["status"]["podIP"], 5432, 5432, [life.uid])


def _played(life: Life) -> Steps:
    """Three probes that fail, then Ready, as recorded."""
    for _ in range(3):
        yield _START_SECONDS / 4
        if life.outcome is not None:
            return
        _unhealthy(life, _NO_RESPONSE)
    yield _START_SECONDS / 4
    if life.outcome is None:
        life.edit(lambda pod: _now_ready(life, pod))


def _now_ready(life: Life, pod: Json) -> None:
    containers.status_of(pod)["started"] = True
    pods.set_ready(life.cluster, pod, ready=True)


def _never_ready(life: Life) -> Steps:
    period = (_probe(life, "readinessProbe") or {}).get("periodSeconds", 1)
    while life.outcome is None:
        yield period
        _unhealthy(life, "")
        scenario = life.cluster.scenarios.of(life.pod) if life.pod else None
        if scenario is None or scenario.kind != "never-ready":
            return


def _watched(life: Life) -> Steps:
    """What the server really does decides, no sooner than recorded; looked at in real time, whatever the pace."""
    soonest = life.cluster.clock.seconds() + _START_SECONDS
    while life.outcome is None and life.server is not None:
        gone = life.server.ended()
        if gone is not None:
            life.outcome = (gone[0], "Error" if gone[0] else "Completed", gone[1])
        elif life.server.accepts() and (early := soonest - life.cluster.clock.seconds()) > 0:
            # Its data directory was copied, where a real one is made; and a probe comes once a second.
            yield early
        elif life.server.accepts():
            life.edit(lambda pod: _now_ready(life, pod))
            return
        else:
            yield _LOOK_SECONDS * life.cluster.clock.speed


def _kept(life: Life) -> Steps:
    while life.outcome is None and life.server is not None:
        gone = life.server.ended()
        if gone is not None:
            life.outcome = (gone[0], "Error" if gone[0] else "Completed", gone[1])
        else:
            yield 5 * _LOOK_SECONDS * life.cluster.clock.speed


def _ended(life: Life) -> Steps:
    exit_code, reason, words = life.outcome or (137, "Error", [])
    logs = life.cluster.pod_logs
    if life.server is not None:
        words = words or life.server.lines()
        life.stop_server(0.0)
        life.server = None
    logs[life.uid, "previous"] = logs[life.uid, "now"] = words
    pod = life.pod
    if pod is not None and (task := containers.status_of(pod).get("containerID", "")):
        life.tell("Warning", "Unhealthy", _GONE.format(task=task.rpartition("/")[2]))
    life.edit(lambda value: containers.ended(life.cluster, value, exit_code, reason, words))
    yield 0.05


def _backed_off(life: Life, restarts: int) -> Steps:
    pod = life.pod
    if pod is None:
        return
    if restarts:
        name, uid = pod["spec"]["containers"][0]["name"], life.uid
        where = f"{life.key[1]}_{life.key[0]}({uid})"
        life.tell("Warning", "BackOff", f"Back-off restarting failed container {name} in pod {where}")
        seconds = min(10 * 2 ** (restarts - 1), 300)
        yield seconds * 1.1
        text = f"back-off {_told(seconds)} restarting failed container={name} pod={where}"
        life.edit(lambda value: containers.waits(life.cluster, value, "CrashLoopBackOff", text))
    image = pod["spec"]["containers"][0]["image"]
    life.tell(
        "Normal", "Pulled", f'Container image "{image}" already present on machine and can be accessed by the pod'
    )
    life.tell("Normal", "Created", "Container created")
    yield 0.6


def _told(seconds: int) -> str:
    minutes, rest = divmod(seconds, 60)
    return f"{minutes}m{rest}s" if minutes else f"{rest}s"
