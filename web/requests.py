"""What surrounds every request: its ID, its Host header, its log line, and the headers that guard the answer."""

from __future__ import annotations

import logging
import re
import time
from collections.abc import Callable, Iterable
from http import HTTPStatus
from typing import Any

import structlog
from flask import Flask, Request, Response, g, request
from structlog.contextvars import bind_contextvars, clear_contextvars
from werkzeug.exceptions import NotFound, RequestEntityTooLarge, UnsupportedMediaType

from toygres.domain import ids
from toygres.errors import Rejected
from toygres.hosts import is_known, known_names
from web import auth

log = structlog.get_logger(__name__)

_SANE_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9._:-]{0,127}", re.ASCII)
_QUIET = frozenset({"health.healthz", "health.readyz", "static"})
_BODY_OPTIONAL = frozenset({"operations.retry_operation"})
_POLICY = "default-src 'self'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'; object-src 'none'"
_HEADERS = {
    "Content-Security-Policy": _POLICY,
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
}


class LenientRequest(Request):
    """A request whose body may be left out where nothing in it is needed."""

    def get_json(self, force: bool = False, silent: bool = False, cache: bool = True) -> Any:
        """The body as JSON says it."""
        if self.endpoint in _BODY_OPTIONAL and not self.get_data():
            return {}
        return super().get_json(force=force, silent=silent, cache=cache)


class WrongHost(Rejected):
    """The Host header names none of this server's names."""

    title = "Misdirected request"
    status = 421


def register(app: Flask, names: Iterable[str]) -> None:
    """Surround each request to `app`, which answers to loopback's names and to `names`."""
    app.request_class = LenientRequest
    app.before_request(begin)
    app.before_request(host_check(names))
    app.before_request(require_path)
    app.before_request(auth.guard)
    app.before_request(require_json)
    app.after_request(finish)


def begin() -> None:
    """Give the request its ID, for its log lines, its operation and its answer."""
    g.began = time.monotonic()
    offered = request.headers.get("X-Request-Id", "")
    g.request_id = offered if _SANE_ID.fullmatch(offered) else ids.shown("req", ids.new())
    clear_contextvars()
    bind_contextvars(process="web", request_id=g.request_id)


def host_check(names: Iterable[str]) -> Callable[[], None]:
    """A check that refuses foreign Host headers: a page elsewhere may point its own name at loopback."""
    known = known_names(names)

    def check() -> None:
        host = request.headers.get("Host")
        # Only a program speaking HTTP/1.0 sends none; a browser always does.
        if host is not None and not is_known(host, known):
            raise WrongHost(
                "The Host header names none of this server's names.",
                "Use 127.0.0.1 or localhost, or add the name to TOYGRES_ALLOWED_HOSTS.",
            )

    return check


def require_path() -> None:
    """Refuse a NUL in the path: nothing has one in its name, and PostgreSQL can't even be asked."""
    if "\0" in request.path:
        raise NotFound


def require_json() -> None:
    """Refuse a body to the API that doesn't say it is JSON: no form on a foreign page can say so."""
    chunked = "Transfer-Encoding" in request.headers
    if not request.path.startswith("/v1/") or not (request.content_length or chunked):
        return
    if not request.is_json:
        raise UnsupportedMediaType
    # Werkzeug cuts such a body off where it refuses one of a known length.
    if chunked and len(request.get_data()) >= (request.max_content_length or 0):
        raise RequestEntityTooLarge


def finish(response: Response) -> Response:
    """Add the headers that every answer has, and log the request by its route: a path may hold a code."""
    response.headers.update(_HEADERS)
    response.headers["X-Request-Id"] = g.request_id
    if request.endpoint != "static":
        response.headers["Cache-Control"] = "no-store"
    # Probes, files and what open pages ask for by themselves would bury what people and programs did.
    log.log(
        logging.DEBUG if request.endpoint in _QUIET or _only_looks(response) else logging.INFO,
        "request_answered",
        method=request.method,
        route=request.url_rule.rule if request.url_rule else None,
        status=response.status_code,
        seconds=round(time.monotonic() - g.began, 4),
    )
    return response


def _only_looks(response: Response) -> bool:
    """Whether a page's script, which can only ask, was told what it shows."""
    asked = request.method == "GET" and request.headers.get("Sec-Fetch-Dest") == "empty"
    return asked and request.blueprint in auth.PAGES and response.status_code == HTTPStatus.OK
