"""One write, as it came."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from fake_cluster.resources import Route

APPLY = "application/apply-patch+yaml"


@dataclass
class Call:
    """One write: where, with what, and in whose name; `warnings` become `Warning` headers of the answer."""

    route: Route
    query: Mapping[str, str]
    body: Any
    content_type: str = "application/json"
    agent: str = ""
    warnings: list[str] = field(default_factory=list)

    @property
    def manager(self) -> str:
        return self.query.get("fieldManager") or self.agent.partition("/")[0] or "unknown"

    @property
    def dry(self) -> bool:
        return self.query.get("dryRun") == "All"
