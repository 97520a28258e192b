"""A pod's life from the node's first word on: volumes, image, container, probes, restarts."""

from __future__ import annotations

from collections.abc import Generator
from typing import TYPE_CHECKING, Any

from fake_cluster import containers, pods
from fake_cluster.controllers import running
from fake_cluster.scenarios import IMAGES, Scenario, image_trouble

if TYPE_CHECKING:
    from fake_cluster.cluster import FakeCluster
    from fake_cluster.controllers.life import Life

Json = dict[str, Any]
Steps = Generator["float | None", None, None]


def start(life: Life) -> Steps:
    """From ContainerCreating on."""
    life.edit(lambda pod: pods.begun(life.cluster, pod))
    yield 0.9
    yield from _mounted(life)
    yield from _pulled(life)
    yield 0.02
    yield from _configured(life)
    life.tell("Normal", "Created", "Container created")
    yield 0.5
    yield from running.run(life)


def objects(cluster: FakeCluster, namespace: str) -> dict[tuple[str, str], Json]:
    """The Secrets and ConfigMaps of a namespace."""
    found = {}
    for resource, kind in (("secrets", "Secret"), ("configmaps", "ConfigMap")):
        for value in cluster.store.list(resource, namespace):
            found[kind, value["metadata"]["name"]] = value
    return found


def _playing(life: Life, *kinds: str) -> Scenario | None:
    pod = life.pod
    scenario = life.cluster.scenarios.of(pod) if pod is not None else None
    return scenario if scenario is not None and scenario.kind in kinds else None


def _mounted(life: Life) -> Steps:
    seconds = 0.5
    while why := _unmountable(life):
        life.tell("Warning", why[0], why[1], of_container=False)
        yield seconds
        seconds = min(seconds * 2, 120.0)


def _unmountable(life: Life) -> tuple[str, str] | None:
    pod = life.pod
    if pod is None:
        return None
    if scenario := _playing(life, "attach-stuck"):
        text = "Multi-Attach error for volume: Volume is already exclusively attached to one node and can't be attached"
        return "FailedAttachVolume", scenario.message or f"{text} to another"
    if scenario := _playing(life, "mount-stuck"):
        text = 'MountVolume.SetUp failed for volume "data" : rpc error: code = DeadlineExceeded'
        return "FailedMount", scenario.message or text
    there = objects(life.cluster, life.key[0])
    for volume in pod["spec"].get("volumes") or []:
        for source, kind, key in (("secret", "Secret", "secretName"), ("configMap", "ConfigMap", "name")):
            wanted = volume.get(source)
            if wanted and not wanted.get("optional") and (kind, wanted[key]) not in there:
                text = (
                    f'MountVolume.SetUp failed for volume "{volume["name"]}" : {kind.lower()} "{wanted[key]}" not found'
                )
                return "FailedMount", text
    return None


def _pulled(life: Life) -> Steps:
    life.edit(lambda pod: pods.set_condition(life.cluster, pod, "PodReadyToStartContainers", "True"))
    pod = life.pod
    if pod is None:
        return
    image = pod["spec"]["containers"][0]["image"]
    seconds = 14.0
    while scenario := _playing(life, *IMAGES):
        why = scenario.message or image_trouble(scenario.kind, image)
        life.tell("Normal", "Pulling", f'Pulling image "{image}"')
        life.tell("Warning", "Failed", f'Failed to pull image "{image}": {why}')
        life.tell("Warning", "Failed", "Error: ErrImagePull")
        yield 0.9
        life.edit(lambda value, why=why: containers.waits(life.cluster, value, "ErrImagePull", why, address=True))
        life.tell("Normal", "BackOff", f'Back-off pulling image "{image}"')
        life.tell("Warning", "Failed", "Error: ImagePullBackOff")
        yield seconds
        backed = f'Back-off pulling image "{image}": ErrImagePull: {why}'
        life.edit(lambda value, told=backed: containers.waits(life.cluster, value, "ImagePullBackOff", told))
        yield 0.7
        seconds = min(seconds * 2, 300.0)
    life.tell(
        "Normal", "Pulled", f'Container image "{image}" already present on machine and can be accessed by the pod'
    )


def _configured(life: Life) -> Steps:
    seconds = 1.0
    while why := _unconfigured(life):
        life.tell("Warning", "Failed", f"Error: {why}")
        yield seconds
        life.edit(
            lambda pod, why=why: containers.waits(life.cluster, pod, "CreateContainerConfigError", why, address=True)
        )
        seconds = min(seconds * 1.5, 15.0)


def _unconfigured(life: Life) -> str:
    pod = life.pod
    if pod is None:
        return ""
    if scenario := _playing(life, "config-error"):
        return scenario.message or "container has runAsNonRoot and image will run as root"
    there = objects(life.cluster, life.key[0])
    for variable in pod["spec"]["containers"][0].get("env") or []:
        source = variable.get("valueFrom") or {}
        for key, kind in (("secretKeyRef", "Secret"), ("configMapKeyRef", "ConfigMap")):
            wanted = source.get(key)
            needed = wanted and not wanted.get("optional")
            if needed and (told := _missing(there.get((kind, wanted["name"])), kind, wanted, life.key[0])):
                return told
    return ""


def _missing(found: Json | None, kind: str, wanted: Json, namespace: str) -> str:
    if found is None:
        return f'{kind.lower()} "{wanted["name"]}" not found'
    if wanted["key"] not in (found.get("data") or {}):
        return f"couldn't find key {wanted['key']} in {kind} {namespace}/{wanted['name']}"
    return ""
