"""Every error leaves as one RFC 9457 problem (or, for a person's browser, as a page that says the same)."""

from __future__ import annotations

import re
from dataclasses import dataclass, field, replace
from typing import Any

import structlog
from apiflask import APIFlask, HTTPError
from flask import Response, g, json, render_template, request
from pydantic import ValidationError
from werkzeug.exceptions import HTTPException
from werkzeug.http import HTTP_STATUS_CODES

from toygres.errors import Conflict, FieldError, Invalid, Rejected, Unavailable
from web.auth import PAGES
from web.validation import field_errors, is_secret

PROBLEM_TYPES = "https://toygres.io/problems/"
MEDIA_TYPE = "application/problem+json"
RETRY_AFTER_SECONDS = 2

_LONGEST_VALUE = 200
# For what the framework refuses: the kind for ever, its title, this case, and what to do.
_BY_STATUS = {
    400: ("bad-request", "Bad request", "The request can't be read.", "Send what /openapi.json describes."),
    404: ("not-found", "Not found", "There is nothing at this address.", "/openapi.json lists what there is."),
    405: ("method-not-allowed", "Method not allowed", "This address doesn't know that method.", "See Allow."),
    413: ("too-large", "Too large", "The request is too large.", "No request needs more than 64 KiB."),
    415: ("not-json", "Not JSON", "The body isn't said to be JSON.", "Send Content-Type: application/json."),
    500: (
        "internal-error",
        "Internal error",
        "Something went wrong inside Toygres.",
        "Try again; if it stays, look for the request ID in the log of `web`.",
    ),
}
log = structlog.get_logger(__name__)


@dataclass(frozen=True, kw_only=True)
class Problem:
    """What went wrong, for one request: `slug` names the kind for ever, the rest tells this case."""

    slug: str
    title: str
    status: int
    detail: str
    remedy: str = ""
    errors: tuple[FieldError, ...] = ()
    operation: str | None = None
    instance: str | None = None
    headers: dict[str, str] = field(default_factory=dict)

    def to_json(self) -> dict[str, Any]:
        """The answer's body; a refused value is shown unless it may be a secret."""
        body: dict[str, Any] = {
            "type": PROBLEM_TYPES + self.slug,
            "title": self.title,
            "status": self.status,
            "detail": self.detail,
            "remedy": self.remedy,
            "request_id": g.get("request_id"),
        }
        if self.errors:
            body["errors"] = [_field_json(error) for error in self.errors]
        named = {"operation": self.operation, "instance": self.instance}
        return body | {name: value for name, value in named.items() if value}


def register(app: APIFlask) -> None:
    """Turn whatever is raised in `app` into a problem."""
    app.register_error_handler(Exception, answer)
    # APIFlask's own handlers are more specific than Exception, so they would win.
    app.register_error_handler(HTTPException, answer)
    app.register_error_handler(HTTPError, answer)


def answer(error: Exception) -> Response:
    """The response for `error`."""
    problem = problem_for(error)
    if problem.status == 503:
        log.warning("request_refused", problem=problem.slug, detail=problem.detail)
    elif problem.status >= 500:
        log.error("request_failed", problem=problem.slug, exc_info=error)
    response = _page(problem) if wants_page() else _document(problem)
    response.headers.update(problem.headers)
    return response


def wants_page() -> bool:
    """Whether a person's browser asks, and not for the API."""
    if request.path.startswith("/v1/"):
        return False
    return request.blueprint in PAGES or "text/html" in request.accept_mimetypes.values()


def problem_for(error: Exception) -> Problem:
    """What a caller is told about `error`; nothing of our insides unless we raised it on purpose."""
    if isinstance(error, HTTPError) and isinstance(error.__cause__, ValidationError):
        return problem_for(Invalid(field_errors(error.__cause__)))
    if isinstance(error, Rejected):
        return _rejected(error)
    if isinstance(error, Unavailable):
        return _unavailable(error)
    if isinstance(error, HTTPException | HTTPError):
        return _http(error)
    return _http(HTTPError(500))


def _rejected(error: Rejected) -> Problem:
    problem = Problem(
        slug=_slug(error.title), title=error.title, status=error.status, detail=error.message, remedy=error.remedy
    )
    if isinstance(error, Invalid):
        return replace(problem, errors=error.errors)
    if isinstance(error, Conflict):
        return replace(problem, operation=error.operation_id, instance=error.instance_id)
    if error.status == 401:
        return replace(problem, headers={"WWW-Authenticate": 'Bearer realm="toygres"'})
    return problem


def _unavailable(error: Unavailable) -> Problem:
    return Problem(
        slug="unavailable",
        title="Unavailable",
        status=503,
        detail=error.message,
        remedy=error.remedy,
        headers={"Retry-After": str(RETRY_AFTER_SECONDS)},
    )


def _http(error: HTTPException | HTTPError) -> Problem:
    """What the framework refused, in the same words each time: its own may quote the request."""
    status = (error.status_code if isinstance(error, HTTPError) else error.code) or 500
    known = (f"http-{status}", HTTP_STATUS_CODES.get(status, "Error"), "The request can't be carried out.", "")
    slug, title, detail, remedy = _BY_STATUS.get(status, known)
    return Problem(slug=slug, title=title, status=status, detail=detail, remedy=remedy, headers=_kept_headers(error))


def _kept_headers(error: HTTPException | HTTPError) -> dict[str, str]:
    """Allow, Location and the like; never what describes the framework's own body."""
    found = dict(error.headers if isinstance(error, HTTPError) else error.get_headers())
    return {name: str(value) for name, value in found.items() if name not in ("Content-Type", "Content-Length")}


def _field_json(error: FieldError) -> dict[str, Any]:
    value = None if is_secret(error.field) else error.value
    shown = value[:_LONGEST_VALUE] if isinstance(value, str) else value
    return {"field": error.field, "value": shown, "message": error.message, "allowed": error.allowed}


def _slug(title: str) -> str:
    return re.sub(r"[^a-z]+", "-", title.lower()).strip("-")


def _document(problem: Problem) -> Response:
    return Response(json.dumps(problem.to_json()), problem.status, content_type=MEDIA_TYPE)


def _page(problem: Problem) -> Response:
    # Whoever isn't signed in needs to know how one signs in, not what went wrong.
    template = "signin.html" if problem.status == 401 else "problem.html"
    return Response(render_template(template, problem=problem, request_id=g.get("request_id")), problem.status)
