"""Whether this process answers, and whether the parts that it needs do."""

from __future__ import annotations

from typing import Any

from apiflask import APIBlueprint

from web.readiness import look_around
from web.schemas import told
from web.state import services

NOT_READY: dict[int | str, dict[str, str | dict[str, dict[str, Any]]]] = {
    503: {
        "description": "Something that is needed doesn't answer.",
        "content": {"application/json": {"schema": {"$ref": "#/components/schemas/ReadinessOut"}}},
    }
}

blueprint = APIBlueprint("health", __name__, tag="Health")


@blueprint.get("/healthz")
@blueprint.output(told.HealthOut)
@blueprint.doc(operation_id="get_health")
def healthz() -> told.HealthOut:
    """Whether this process answers."""
    return told.HealthOut(status="ok")


@blueprint.get("/readyz")
@blueprint.output(told.ReadinessOut)
@blueprint.doc(operation_id="get_readiness", responses=NOT_READY)
def readyz() -> tuple[told.ReadinessOut, int]:
    """Whether the metadata DB, the broker and the platforms answer, and a worker takes steps.

    Each is asked by itself; the whole takes less than two seconds.
    """
    found = look_around(services())
    return found, 200 if found.ready else 503
