"""A problem document (RFC 9457) from the API, turned back into the error that it began as."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from toygres.errors import (
    Bug,
    Conflict,
    FieldError,
    Invalid,
    NotFound,
    Rejected,
    ToygresError,
    Unauthorized,
    Unavailable,
)


def error_of(status: int, problem: Mapping[str, Any]) -> ToygresError:
    """The error behind an answer with HTTP `status` (400 or above)."""
    message = str(problem.get("detail") or problem.get("title") or f"HTTP {status}")
    remedy = str(problem.get("remedy") or "")
    if status == 409:
        return Conflict(message, remedy, operation_id=problem.get("operation"), instance_id=problem.get("instance"))
    if status == 422 and problem.get("errors"):
        return Invalid([_field_error(error) for error in problem["errors"]])
    if status in (502, 503, 504):
        return Unavailable(message, remedy or "Try again in some seconds.")
    if status >= 500:
        return Bug(f"{message} (HTTP {status}, request {problem.get('request_id', 'unknown')})")
    return {401: Unauthorized, 404: NotFound}.get(status, Rejected)(message, remedy)


def _field_error(error: Mapping[str, Any]) -> FieldError:
    return FieldError(
        field=str(error.get("field", "")),
        value=error.get("value"),
        message=str(error.get("message", "")),
        allowed=str(error.get("allowed", "")),
    )
