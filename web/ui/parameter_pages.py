"""The list of parameters that may be set for a version, for those who fill in the form."""

from __future__ import annotations

from flask import Blueprint, render_template, request

from web import present
from web.orders import parameters_of
from web.state import services

blueprint = Blueprint("parameter_pages", __name__)


@blueprint.get("/parameters")
def show() -> str:
    """What may be set on the default platform for the version in the query, or for its default one."""
    name = services().settings.platform
    found = parameters_of(name, request.args.get("version"))
    offers = present.platform(services().platforms[name], default=True)
    return render_template("parameters.html", parameters=found, offers=offers)
