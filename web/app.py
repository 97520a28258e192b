"""The web process: one Flask app with the API under /v1 and the page at /."""

from __future__ import annotations

import hashlib
import importlib.metadata
from datetime import timedelta
from threading import BoundedSemaphore
from typing import Any

from apiflask import APIFlask
from flask.json.provider import DefaultJSONProvider

from toygres import logs
from toygres.config import settings
from toygres.services import Services, connect
from toygres.store.changes import Changes
from web import auth, errors, openapi, requests, ui
from web.api import health, instances, operations, platforms, signins
from web.state import LONG_WAITS, WebState
from web.ui import instance_pages, operation_pages, parameter_pages, signin

LONGEST_BODY = 64 * 1024


class StrictJson(DefaultJSONProvider):
    """JSON as RFC 8259 has it: no NaN, no bottomless nesting."""

    def loads(self, s: str | bytes, **kwargs: Any) -> Any:
        """What `s` says. Raises ValueError when it isn't JSON."""
        try:
            return super().loads(s, parse_constant=_refuse, **kwargs)
        except RecursionError:
            raise ValueError("nested too deeply") from None


def create_app(services: Services | None = None) -> APIFlask:
    """The app on `services`, or on what the settings name. Raises Misconfigured, and Unavailable without the DB."""
    if services is None:
        logs.configure(settings(), "web")
        services = connect(settings())
    app = APIFlask("web", title="Toygres", version=importlib.metadata.version("toygres"), docs_path=None, **ui.FOLDERS)
    token = auth.read_token(services.settings.home_folder)
    _configure(app, token)
    app.extensions["toygres"] = WebState(
        services=services,
        changes=Changes(services.store),
        token_digest=hashlib.sha256(token.encode()).digest(),
        long_waits=BoundedSemaphore(LONG_WAITS),
    )
    requests.register(app, (services.settings.bind, *services.settings.allowed_hosts))
    errors.register(app)
    openapi.configure(app)
    ui.register(app)
    api = (health, instances, operations, platforms, signins)
    for part in (*api, signin, instance_pages, operation_pages, parameter_pages):
        app.register_blueprint(part.blueprint)
    return app


def _configure(app: APIFlask, token: str) -> None:
    app.json = StrictJson(app)
    app.secret_key = auth.session_key(token)
    app.config.update(
        MAX_CONTENT_LENGTH=LONGEST_BODY,
        SESSION_COOKIE_NAME=auth.cookie_name(token),
        SESSION_COOKIE_HTTPONLY=True,
        SESSION_COOKIE_SAMESITE="Strict",
        PERMANENT_SESSION_LIFETIME=timedelta(hours=auth.SESSION_HOURS),
        SESSION_REFRESH_EACH_REQUEST=False,
    )


def _refuse(constant: str) -> None:
    raise ValueError(f"{constant} isn't JSON")
