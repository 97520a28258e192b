"""`python -m fake_cluster KUBECONFIG`: a fake cluster in a process of its own, until its input ends."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from fake_cluster.cluster import FakeCluster


def main() -> None:
    """Run it; one line says when it is there."""
    parser = argparse.ArgumentParser(prog="fake_cluster", description=__doc__)
    parser.add_argument("kubeconfig", type=Path, help="where to write the kubeconfig")
    parser.add_argument("--speed", type=float, default=50.0, help="how many times as fast as recorded controllers act")
    parser.add_argument("--real", action="store_true", help="run real PostgreSQL servers behind the pods")
    asked = parser.parse_args()
    servers = None
    if asked.real:
        from fake_cluster.real_server import RealServers

        servers = RealServers()
    with FakeCluster(speed=asked.speed, servers=servers, services_answer=asked.real) as cluster:
        cluster.kubeconfig(asked.kubeconfig)
        sys.stdout.write(f"{cluster.host}\n")
        sys.stdout.flush()
        sys.stdin.read()


if __name__ == "__main__":
    main()
