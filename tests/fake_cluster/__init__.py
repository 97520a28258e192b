"""A fake Kubernetes cluster that the official client talks to over HTTP; see README.md."""

from fake_cluster.cluster import FakeCluster

__all__ = ["FakeCluster"]
