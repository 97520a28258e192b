"""Structured logs: one line an event, with the operation, instance and request it belongs to."""

from __future__ import annotations

import logging
import sys

import structlog
from structlog.typing import EventDict, Processor

from toygres.config import Settings


def configure(settings: Settings, process: str) -> None:
    """Send every log line of this process, libraries' included, to standard error in one format."""

    def name_process(_: object, __: str, event: EventDict) -> EventDict:
        event["process"] = process
        return event

    shared: list[Processor] = [
        name_process,
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.stdlib.add_logger_name,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
    ]
    structlog.configure(
        processors=[*shared, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=True,
    )
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=shared,
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, *_rendering(settings)],
        )
    )
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(settings.log_level.upper())


def quiet(settings: Settings) -> None:
    """For a command whose output is for a person or a program: warnings only, on standard error."""
    configure(settings.model_copy(update={"log_level": "warning"}), "cli")


def _rendering(settings: Settings) -> list[Processor]:
    if settings.log_format == "console" or (settings.log_format == "auto" and sys.stderr.isatty()):
        # Local variables stay out of tracebacks: they may hold a password.
        return [structlog.dev.ConsoleRenderer(exception_formatter=structlog.dev.plain_traceback)]
    return [structlog.processors.format_exc_info, structlog.processors.JSONRenderer()]
