"""The list of instances, one of them, and what can be ordered for it."""

from __future__ import annotations

from collections.abc import Callable

from flask import Blueprint, make_response, render_template, request
from werkzeug.wrappers import Response

from toygres import provisioning
from toygres.domain import ids
from toygres.domain.instance import Instance
from toygres.errors import FieldError, Invalid, Rejected
from toygres.provisioning import Accepted, Caller
from toygres.services import Services
from toygres.store import instances, operations
from web import present
from web.errors import problem_for
from web.orders import credentials_of, instance_named, operation_named, parameters_of
from web.state import caller, services
from web.ui.create_form import read_form
from web.ui.operation_pages import followed

PAGE_ITEMS = 50
LAST_OPERATIONS = 10
CHANGES: dict[str, Callable[[Services, Caller, str], Accepted]] = {
    "start": provisioning.request_start,
    "stop": provisioning.request_stop,
    "restart": provisioning.request_restart,
    "delete": provisioning.request_delete,
}

blueprint = Blueprint("instance_pages", __name__)


@blueprint.get("/")
def index() -> str:
    """The instances, newest first."""
    page = instances.list_page(services().store, caller().project, PAGE_ITEMS, request.args.get("cursor"))
    return render_template("instances.html", page=present.instances(services(), page))


@blueprint.get("/create")
def create_form() -> str:
    """The form that orders an instance."""
    return _form({}, None)


@blueprint.post("/create")
def create() -> Response:
    """Order an instance, or show the form again with what is wrong."""
    try:
        asked = read_form(request.form)
        return followed(provisioning.request_instance(services(), caller(), asked.as_request()))
    except Rejected as refused:
        return make_response(_form(request.form, refused), refused.status)


@blueprint.get("/instances/<ref>")
def show(ref: str) -> str:
    """One instance."""
    found = instance_named(ref)
    shown = present.instance(services(), found)
    last = operations.list_page(services().store, found.project, LAST_OPERATIONS, None, instance=found.id)
    return render_template(
        "instance.html", instance=shown, operation=_open_operation(found), operations=present.operations(last).items
    )


@blueprint.get("/instances/<ref>/<any(stop, restart, delete):change>")
def confirm(ref: str, change: str) -> str:
    """Ask before something that ends sessions or data."""
    return render_template("confirm.html", instance=present.instance(services(), instance_named(ref)), change=change)


@blueprint.post("/instances/<ref>/<any(start, stop, restart, delete):change>")
def order(ref: str, change: str) -> Response:
    """Order a change, once it is confirmed."""
    found = instance_named(ref)
    if change == "delete" and request.form.get("name") != found.name:
        told = FieldError(field="name", value=None, message="isn't the instance's name", allowed=found.name)
        shown = present.instance(services(), found)
        page = render_template("confirm.html", instance=shown, change=change, problem=problem_for(Invalid([told])))
        return make_response(page, 422)
    return followed(CHANGES[change](services(), caller(), ids.shown(ids.INSTANCE, found.id)))


@blueprint.post("/instances/<ref>/connection")
def connection(ref: str) -> str:
    """How to log in, with the password: only ever shown when asked for."""
    found = instance_named(ref)
    shown = present.instance(services(), found)
    return render_template("connection.html", instance=shown, credentials=credentials_of(found))


def _form(values: dict[str, str], refused: Rejected | None) -> str:
    default = services().settings.platform
    offers = present.platform(services().platforms[default], default=True)
    version = values.get("version")
    return render_template(
        "create.html",
        offers=offers,
        parameters=parameters_of(default, version if version in offers.versions else None),
        values=values,
        problem=problem_for(refused) if refused else None,
    )


def _open_operation(found: Instance) -> object:
    if found.operation_id is None:
        return None
    return present.operation(operation_named(ids.shown(ids.OPERATION, found.operation_id)))
