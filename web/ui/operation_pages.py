"""An operation's timeline: its steps, those to come included, kept fresh while it goes on."""

from __future__ import annotations

from uuid import UUID

from flask import Blueprint, redirect, render_template, request, url_for
from werkzeug.wrappers import Response

from toygres import provisioning, retrying
from toygres.domain import ids
from toygres.domain.instance import InstanceState
from toygres.domain.operation import OperationState
from toygres.provisioning import Accepted
from toygres.store import instances
from web import present
from web.orders import hand_on, operation_after, operation_named
from web.schemas.asked import LONGEST_WAIT_SECONDS
from web.state import caller, services

blueprint = Blueprint("operation_pages", __name__, url_prefix="/operations")


@blueprint.get("/<operation_id>")
def show(operation_id: str) -> str:
    """One operation."""
    found = operation_named(operation_id)
    return render_template(
        "operation.html",
        operation=present.operation(found),
        can_be_retried=retrying.can_be_retried(services(), found),
        can_be_connected_to=found.state is OperationState.SUCCEEDED and _is_ready(found.instance_id),
    )


@blueprint.get("/<operation_id>/changes")
def changes(operation_id: str) -> str:
    """The timeline alone, once it has changed or the wait is over."""
    revision = request.args.get("after_revision", type=int)
    found = operation_after(operation_id, revision, LONGEST_WAIT_SECONDS)
    return render_template("_timeline.html", operation=present.operation(found))


@blueprint.post("/<operation_id>/cancel")
def cancel(operation_id: str) -> Response:
    """Cancel the operation."""
    hand_on(provisioning.request_cancel(services(), caller(), operation_id))
    return redirect(url_for("operation_pages.show", operation_id=operation_id), 303)


@blueprint.post("/<operation_id>/retry")
def retry(operation_id: str) -> Response:
    """Try the operation again."""
    password = request.form.get("password") or None
    return followed(retrying.request_retry(services(), caller(), operation_id, password))


def followed(accepted: Accepted) -> Response:
    """Hand on an accepted order, and go where it can be followed."""
    hand_on(accepted.operation)
    shown = ids.shown(ids.OPERATION, accepted.operation.id)
    return redirect(url_for("operation_pages.show", operation_id=shown), 303)


def _is_ready(instance_id: UUID) -> bool:
    instance = instances.find(services().store, instance_id)
    return instance is not None and instance.state is InstanceState.READY
