"""Who may ask: programs with the bearer token, browsers with a session that a one-time link began."""

from __future__ import annotations

import hashlib
import hmac
import secrets
from urllib.parse import urlsplit

from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from flask import g, request, session

from toygres.errors import Misconfigured, Rejected, Unauthorized
from toygres.home import Home
from web.state import state

OPEN_ENDPOINTS = frozenset({"health.healthz", "health.readyz", "static", "signin.explain", "signin.redeem"})
PAGES = frozenset({"instance_pages", "operation_pages", "parameter_pages", "signin"})
SESSION_HOURS = 12
CSRF_FIELD = "csrf"


class Forbidden(Rejected):
    """The browser says that another site sent this form, or the form is from another session."""

    title = "Forbidden"
    status = 403


def read_token(home: Home) -> str:
    """The API's token. Raises Misconfigured when there is none."""
    try:
        token = home.token.read_text().strip()
    except OSError as trouble:
        raise Misconfigured(
            f"The API's token can't be read from {home.token}: {trouble.strerror}.", "`toygres up` makes one."
        ) from None
    if not token:
        raise Misconfigured(f"{home.token} is empty.", "Remove it and run `toygres up`, which makes a new one.")
    return token


def session_key(token: str) -> bytes:
    """What signs sessions: the same in every web process, and another one when the token changes."""
    return HKDF(SHA256(), length=32, salt=None, info=b"toygres page session").derive(token.encode())


def cookie_name(token: str) -> str:
    """What the session's cookie is called: cookies know no ports, and one host may run several Toygres."""
    return "toygres_" + hashlib.sha256(b"cookie " + token.encode()).hexdigest()[:8]


def guard() -> None:
    """Let a request through, or raise Unauthorized or Forbidden; whatever isn't open is guarded."""
    g.actor = "nobody"
    if request.endpoint is None or request.endpoint in OPEN_ENDPOINTS:
        return
    if request.blueprint in PAGES:
        _guard_page()
    else:
        _guard_api()


def begin_session() -> None:
    """Sign this browser in."""
    session.clear()
    session.permanent = True
    session["signed_in"] = True
    session[CSRF_FIELD] = secrets.token_urlsafe(32)


def _guard_api() -> None:
    scheme, _, offered = request.headers.get("Authorization", "").partition(" ")
    if scheme.lower() != "bearer" or not _is_token(offered.strip()):
        raise Unauthorized(
            "No valid token came with the request.",
            "Send the header Authorization: Bearer TOKEN; `toygres up` made it.",
        )
    g.actor = "token"


def _is_token(offered: str) -> bool:
    # Comparing digests keeps both the token's length and its bytes out of the time it takes.
    digest = hashlib.sha256(offered.encode("utf-8", "surrogateescape")).digest()
    return hmac.compare_digest(digest, state().token_digest)


def _guard_page() -> None:
    if not session.get("signed_in"):
        raise Unauthorized(
            "This browser isn't signed in.", "Open a sign-in link: `toygres up` prints one, POST /v1/signins makes one."
        )
    if request.method not in ("GET", "HEAD", "OPTIONS"):
        _guard_form()
    g.actor = "page"


def _guard_form() -> None:
    """Refuse what another site's page sent: SameSite doesn't tell two ports of one host apart."""
    origin = request.headers.get("Origin", "null")
    foreign = origin != "null" and urlsplit(origin).netloc != request.host
    if foreign or request.headers.get("Sec-Fetch-Site", "same-origin") not in ("same-origin", "none"):
        raise Forbidden("Another site sent this form.", "Use the form on this site's own page.")
    sent, kept = request.form.get(CSRF_FIELD, ""), session.get(CSRF_FIELD, "")
    if not kept or not hmac.compare_digest(sent.encode("utf-8", "surrogateescape"), kept.encode()):
        raise Forbidden("The form is from an earlier session.", "Reload the page and send the form again.")
