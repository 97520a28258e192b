"""A Kubernetes platform on a fake cluster whose pods are real servers: Debian's PostgreSQL, which has TLS."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from fake_cluster import FakeCluster
from fake_cluster.real_server import RealServers

from toygres.config import load
from toygres.platforms.kubernetes.client import Cluster
from toygres.platforms.kubernetes.platform import KubernetesPlatform


@contextmanager
def cluster_platform(
    cluster: Mapping[str, Any] | None = None, **settings: Any
) -> Iterator[tuple[FakeCluster, KubernetesPlatform]]:
    """A cluster of its own, and the platform on it; both are gone afterwards."""
    folder = Path(tempfile.mkdtemp(prefix="tg-kube-"))
    try:
        with FakeCluster(**{"servers": RealServers(), **(cluster or {})}) as made:
            known = Cluster(kubeconfig=str(made.kubeconfig(folder / "kubeconfig")))
            yield made, KubernetesPlatform("kubernetes", load(home=folder / "home", **settings), known)
    finally:
        shutil.rmtree(folder)
