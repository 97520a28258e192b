"""Clusters to measure on: the tests' fake one in a process of its own, or any that a kubeconfig names."""

from __future__ import annotations

import shutil
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from benchmarks.frame.stack import ROOT, await_that
from benchmarks.frame.throwaway import without_settings
from toygres.errors import Misconfigured, ToygresError
from toygres.platforms.kubernetes.client import Cluster, Request
from toygres.platforms.kubernetes.resources import NAMESPACES, PODS
from toygres.platforms.kubernetes.watching import Told, Wanted, Watch

_END_SECONDS = 120.0
_STOP_SECONDS = 30.0


@contextmanager
def fake_cluster(speed: float) -> Iterator[Path]:
    """The kubeconfig of a fake cluster with real servers, whose controllers act `speed` times as fast as recorded."""
    folder = Path(tempfile.mkdtemp(prefix="toygres-cluster-"))
    kubeconfig = folder / "kubeconfig"
    process = subprocess.Popen(
        (sys.executable, "-m", "fake_cluster", str(kubeconfig), "--real", "--speed", str(speed)),
        env={**without_settings(), "PYTHONPATH": str(ROOT / "tests")},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    )
    try:
        if process.stdout is None or not process.stdout.readline():
            raise SystemExit("The fake cluster didn't start.")
        yield kubeconfig
    finally:
        # It ends with its input.
        process.communicate(timeout=_STOP_SECONDS)
        shutil.rmtree(folder)


def reachable(kubeconfig: Path) -> Cluster:
    """The cluster that it names. Ends the run when nobody answers there."""
    cluster = Cluster(kubeconfig=str(kubeconfig))
    try:
        cluster.version()
    except (ToygresError, Misconfigured) as away:
        raise SystemExit(f"{kubeconfig} leads nowhere: {away}") from None
    return cluster


@contextmanager
def own_namespace(cluster: Cluster, name: str) -> Iterator[None]:
    """A namespace that is gone afterwards. Ends the run when it is there already: it may be somebody's."""
    if cluster.identity(name) is not None:
        raise SystemExit(f"There is a namespace {name} already; delete it, or name another one.")
    body = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}}
    cluster.send(Request(f"create Namespace {name}", "POST", NAMESPACES.path(), body=body))
    try:
        yield
    finally:
        cluster.send(Request(f"delete Namespace {name}", "DELETE", NAMESPACES.path(name=name)), also=(404,))
        await_that(f"the end of namespace {name}", lambda: cluster.identity(name) is None, _END_SECONDS, 0.2)


class ReadyTimes:
    """Hears when pods of a namespace become ready, as any client would."""

    def __init__(self, cluster: Cluster, namespace: str) -> None:
        self._at: dict[str, float] = {}
        self._changed = threading.Condition()
        told = Told(on_list=self._note_all, on_event=self._note)
        self._watch = Watch(cluster, Wanted(resource=PODS, namespace=namespace), told)
        self._thread = threading.Thread(target=self._watch.run, name="ready-times", daemon=True)

    def __enter__(self) -> ReadyTimes:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._watch.cut()
        self._thread.join(_STOP_SECONDS)

    def of(self, pod: str, seconds: float = _END_SECONDS) -> float:
        """When that pod became ready (seconds since 1970); waits for it."""
        with self._changed:
            if not self._changed.wait_for(lambda: pod in self._at, seconds):
                raise SystemExit(f"Pod {pod} wasn't ready within {seconds:g} s.")
            return self._at[pod]

    def _note_all(self, pods: list[dict[str, Any]]) -> None:
        for pod in pods:
            self._note("LISTED", pod)

    def _note(self, change: str, pod: dict[str, Any]) -> None:
        conditions = pod.get("status", {}).get("conditions") or []
        ready = any(each["type"] == "Ready" and each["status"] == "True" for each in conditions)
        with self._changed:
            if change == "DELETED":
                self._at.pop(pod["metadata"]["name"], None)
            elif ready:
                self._at.setdefault(pod["metadata"]["name"], time.time())
            self._changed.notify_all()
