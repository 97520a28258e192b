"""PostgreSQL on Kubernetes for programs, without a control plane: what `toygres` exports."""

from __future__ import annotations

from toygres.library.checks import check_health, test_connection
from toygres.library.resources import (
    create_postgres_resources,
    delete_postgres_resources,
    get_pod_status,
    get_service_endpoint,
)
from toygres.library.shapes import HealthStatus, PodStatus, PostgresConfig, PostgresResources

__all__ = [
    "HealthStatus",
    "PodStatus",
    "PostgresConfig",
    "PostgresResources",
    "check_health",
    "create_postgres_resources",
    "delete_postgres_resources",
    "get_pod_status",
    "get_service_endpoint",
    "test_connection",
]
