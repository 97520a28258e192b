"""Signing a browser in with a link that works once, and out again."""

from __future__ import annotations

from flask import Blueprint, Response, make_response, redirect, render_template, request, session, url_for
from werkzeug.wrappers import Response as AnyResponse

from toygres.store import signins
from web.auth import begin_session
from web.state import services

blueprint = Blueprint("signin", __name__)


@blueprint.get("/signin")
def explain() -> str:
    """How one signs in."""
    return render_template("signin.html")


@blueprint.get("/signin/<code>")
def redeem(code: str) -> AnyResponse:
    """Begin a session with a link's code, which is used up by it."""
    if _only_looks():
        return Response(status=503, headers={"Retry-After": "1"})
    if not signins.redeem(services().store, code):
        return make_response(render_template("signin.html", refused=True), 410)
    begin_session()
    home = url_for("instance_pages.index")
    if request.headers.get("Sec-Fetch-Site", "none") in ("none", "same-origin"):
        return redirect(home, 303)
    # A redirect still counts as the other site's request, so the new cookie wouldn't be sent along.
    return make_response(render_template("signed_in.html", home=home))


@blueprint.post("/signout")
def sign_out() -> AnyResponse:
    """End this browser's session."""
    session.clear()
    return redirect(url_for("signin.explain"), 303)


def _only_looks() -> bool:
    """Whether a preview or a prefetch asks: it must not use the code up."""
    purpose = request.headers.get("Sec-Purpose") or request.headers.get("Purpose") or ""
    return request.method == "HEAD" or "prefetch" in purpose.lower()
