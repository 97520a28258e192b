"""Sign-ins: one-time links that open the page in a browser."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from apiflask import APIBlueprint
from flask import url_for

from toygres.store import signins
from web.schemas import told
from web.state import services

LINK_SECONDS = 300

blueprint = APIBlueprint("signins", __name__, url_prefix="/v1/signins", tag="Sign-ins")


@blueprint.post("")
@blueprint.output(told.SigninOut, status_code=201)
@blueprint.doc(operation_id="create_signin", responses=[503])
def create_signin() -> told.SigninOut:
    """Make a link that signs a browser in.

    It works once, for five minutes.
    """
    expires_at = datetime.now(UTC) + timedelta(seconds=LINK_SECONDS)
    code = signins.create(services().store, seconds=LINK_SECONDS)
    return told.SigninOut(url=url_for("signin.redeem", code=code, _external=True), expires_at=expires_at)
