"""Log lines in a program that isn't ours: they go to `logging`, under the names of our modules, and are few."""

from __future__ import annotations

import structlog


def hand_over() -> None:
    """Have log lines go to `logging`, unless the program has said already where they go: else they'd be printed."""
    if structlog.is_configured():
        return
    structlog.configure(
        processors=[
            structlog.stdlib.filter_by_level,
            structlog.processors.format_exc_info,
            structlog.processors.KeyValueRenderer(key_order=["event"]),
        ],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
    )
