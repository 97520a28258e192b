"""What the control plane knows: instances, operations, platforms. Imports neither Celery nor Flask.

For programs that want a PostgreSQL on Kubernetes and no control plane: the names below, told of in
docs/library.md. Each is imported at its first use, so that `import toygres` loads nothing.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from toygres.library import (
        HealthStatus,
        PodStatus,
        PostgresConfig,
        PostgresResources,
        check_health,
        create_postgres_resources,
        delete_postgres_resources,
        get_pod_status,
        get_service_endpoint,
        test_connection,
    )

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


def __getattr__(name: str) -> object:
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module("toygres.library"), name)
