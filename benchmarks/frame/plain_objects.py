"""The floor of a create on Kubernetes: the objects of a real instance under other names, applied without a ledger."""

from __future__ import annotations

import base64
import json
import shutil
import subprocess
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import uuid4

import psycopg

from benchmarks.frame.clusters import ReadyTimes
from benchmarks.frame.stack import await_that
from toygres.platforms.kubernetes import resources
from toygres.platforms.kubernetes.calls import get, list_labelled
from toygres.platforms.kubernetes.client import APPLY, Cluster, Request
from toygres.platforms.kubernetes.labels import INSTALLATION, INSTANCE_ID

Object = dict[str, Any]

_GONE_SECONDS = 120.0
# In the order in which a create makes them.
_ORDER = ("ConfigMap", "Secret", "PersistentVolumeClaim", "NetworkPolicy", "StatefulSet", "Service")
_SERVERS_OWN = ("uid", "resourceVersion", "generation", "creationTimestamp", "managedFields", "ownerReferences")
_ASSIGNED = ("clusterIP", "clusterIPs", "volumeName", "healthCheckNodePort")


@dataclass(frozen=True)
class Model:
    """An instance as it is on a cluster: what a plain script applies, under names of its own."""

    cluster: Cluster
    namespace: str
    name: str
    instance_id: str
    objects: tuple[Object, ...]

    @classmethod
    def of(cls, cluster: Cluster, namespace: str, name: str) -> Model:
        """Take down what a ready instance consists of."""
        service = get(cluster, resources.SERVICES, namespace, name)
        if service is None:
            raise SystemExit(f"There is no Service {name} in namespace {namespace}.")
        instance_id = str(service["metadata"]["labels"][INSTANCE_ID])
        found = [
            _bare(each, resource)
            for resource in resources.OF_AN_INSTANCE
            for each in list_labelled(cluster, resource, namespace, f"{INSTANCE_ID}={instance_id}")
        ]
        return cls(cluster, namespace, name, instance_id, tuple(sorted(found, key=_place)))

    def renamed(self, name: str) -> list[Object]:
        """The same under another name, and another instance's ID."""
        instance_id = str(uuid4())
        text = json.dumps(self.objects).replace(self.instance_id, instance_id)
        text = text.replace(self.instance_id[-8:], instance_id[-8:]).replace(self.name, name)
        renamed: list[Object] = json.loads(text)
        return renamed

    def remove(self, objects: list[Object]) -> None:
        """Delete them; returns when they and their pod are gone."""
        options = {"apiVersion": "v1", "kind": "DeleteOptions", "propagationPolicy": "Foreground"}
        for each in reversed(objects):
            path = resources.of(each).path(self.namespace, each["metadata"]["name"])
            self.cluster.send(Request(f"delete {each['kind']}", "DELETE", path, body=options), also=(404,))
        await_that("the end of the plain objects", lambda: not self._left(objects), _GONE_SECONDS, 0.05)

    def _left(self, objects: list[Object]) -> list[Object]:
        selector = f"{INSTANCE_ID}={objects[0]['metadata']['labels'][INSTANCE_ID]}"
        kinds = (resources.PODS, resources.STATEFUL_SETS, resources.VOLUME_CLAIMS)
        return [each for kind in kinds for each in list_labelled(self.cluster, kind, self.namespace, selector)]


class PlainScript:
    """Applies one object after the other, waits until the pod is ready, logs in, writes and reads."""

    def __init__(self, model: Model, ready: ReadyTimes, folder: Path) -> None:
        self._model, self._ready = model, ready
        (secret,) = (each for each in model.objects if each["metadata"]["name"] == f"{model.name}-credentials")
        self._login = {key: base64.b64decode(value).decode() for key, value in secret["data"].items()}
        self._authority = folder / "plain-ca.crt"
        self._authority.write_text(self._login["ca.crt"])

    def __call__(self) -> float:
        """Seconds for one."""
        objects = self._model.renamed(f"plain-{uuid4().hex[:8]}")
        pod = f"{objects[-1]['metadata']['name']}-0"
        began = time.perf_counter()
        for each in objects:
            self._apply(each)
        self._ready.of(pod)
        self._log_in(pod)
        seconds = time.perf_counter() - began
        self._model.remove(objects)
        return seconds

    def _apply(self, body: Object) -> None:
        path = resources.of(body).path(self._model.namespace, body["metadata"]["name"])
        query = (("fieldManager", "plain"),)
        doing = f"apply {body['kind']} {body['metadata']['name']}"
        self._model.cluster.send(Request(doing, "PATCH", path, query, body, APPLY))

    def _log_in(self, pod: str) -> None:
        found = get(self._model.cluster, resources.PODS, self._model.namespace, pod)
        with psycopg.connect(
            # The certificate is the model's, and names it.
            host=self._login["host"],
            hostaddr=str((found or {})["status"]["podIP"]),
            user=self._login["user"],
            password=self._login["password"],
            dbname=self._login["database"],
            sslmode="verify-full",
            sslrootcert=str(self._authority),
            connect_timeout=10,
        ) as connection:
            connection.execute("CREATE TEMPORARY TABLE written (value text) ON COMMIT DROP")
            connection.execute("INSERT INTO written VALUES ('a row')")
            connection.execute("SELECT value FROM written").fetchone()


class Kubectl:
    """`kubectl apply` of the objects, then `kubectl wait` until the pod is ready."""

    def __init__(self, model: Model, kubeconfig: Path) -> None:
        self._model = model
        self._command = (kubectl(), "--kubeconfig", str(kubeconfig), "--namespace", model.namespace)

    def __call__(self) -> float:
        """Seconds for one."""
        objects = self._model.renamed(f"plain-{uuid4().hex[:8]}")
        pod = f"pod/{objects[-1]['metadata']['name']}-0"
        with tempfile.NamedTemporaryFile("w", suffix=".json") as file:
            json.dump({"apiVersion": "v1", "kind": "List", "items": objects}, file)
            file.flush()
            began = time.perf_counter()
            # With validation it would first load the whole schema.
            self._run("apply", "--validate=false", "-f", file.name)
            # Of a pod that isn't there yet it says so, and ends.
            while "not found" in self._run("wait", "--for=condition=Ready", pod, "--timeout=300s").lower():
                pass
            seconds = time.perf_counter() - began
        self._model.remove(objects)
        return seconds

    def _run(self, *words: str) -> str:
        """Run it; what it complained of. Ends the run when that is more than an object that isn't there."""
        ended = subprocess.run((*self._command, *words), capture_output=True, text=True, check=False)
        if ended.returncode and "not found" not in ended.stderr.lower():
            raise SystemExit(f"kubectl {words[0]} failed: {ended.stderr.strip()}")
        return ended.stderr if ended.returncode else ""


def kubectl() -> str:
    """Where it is. Ends the run when it isn't on PATH."""
    program = shutil.which("kubectl")
    if program is None:
        raise SystemExit("kubectl isn't on PATH; it is what a real cluster is measured against.")
    return program


def _bare(found: Object, resource: resources.Resource) -> Object:
    """An object as somebody would write it: without what the API server added, and of no installation."""
    metadata = {key: value for key, value in found["metadata"].items() if key not in (*_SERVERS_OWN, "finalizers")}
    metadata["labels"] = {key: value for key, value in metadata["labels"].items() if key != INSTALLATION}
    annotations = metadata.pop("annotations", {})
    metadata["annotations"] = {key: value for key, value in annotations.items() if not key.startswith("pv.kubernetes")}
    body = {key: value for key, value in found.items() if key not in ("status", "metadata")}
    if "spec" in body:
        body["spec"] = {key: value for key, value in body["spec"].items() if key not in _ASSIGNED}
    return {"apiVersion": resource.api_version, "kind": resource.kind, **body, "metadata": metadata}


def _place(found: Object) -> int:
    return _ORDER.index(found["kind"])
