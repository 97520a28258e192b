"""The objects of an instance as they are applied: pure functions, one file for each object."""

from toygres.platforms.kubernetes.manifests.anchor import anchor
from toygres.platforms.kubernetes.manifests.config import config
from toygres.platforms.kubernetes.manifests.credentials import credentials
from toygres.platforms.kubernetes.manifests.data import data
from toygres.platforms.kubernetes.manifests.monitor import monitor
from toygres.platforms.kubernetes.manifests.namespace import namespace
from toygres.platforms.kubernetes.manifests.network_policy import network_policy
from toygres.platforms.kubernetes.manifests.service import service
from toygres.platforms.kubernetes.manifests.service_account import service_account
from toygres.platforms.kubernetes.manifests.stateful_set import stateful_set
from toygres.platforms.kubernetes.manifests.tls import tls

__all__ = [
    "anchor",
    "config",
    "credentials",
    "data",
    "monitor",
    "namespace",
    "network_policy",
    "service",
    "service_account",
    "stateful_set",
    "tls",
]
