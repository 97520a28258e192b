"""Operations: listed, followed, cancelled, tried again."""

from __future__ import annotations

from apiflask import APIBlueprint

from toygres import provisioning, retrying
from toygres.store import operations as store
from web import present
from web.orders import Ordered, hand_on, instance_named, operation_after, ordered
from web.schemas import asked, told
from web.state import caller, services

blueprint = APIBlueprint("operations", __name__, url_prefix="/v1/operations", tag="Operations")


@blueprint.get("")
@blueprint.input(asked.OperationsQuery, location="query")
@blueprint.output(told.OperationList)
@blueprint.doc(operation_id="list_operations", responses=[404, 422, 503])
def list_operations(query_data: asked.OperationsQuery) -> told.OperationList:
    """List operations, newest first."""
    of = instance_named(query_data.instance, even_deleted=True).id if query_data.instance else None
    page = store.list_page(services().store, caller().project, query_data.limit, query_data.cursor, instance=of)
    return present.operations(page)


@blueprint.get("/<operation_id>")
@blueprint.input(asked.OperationQuery, location="query")
@blueprint.output(told.OperationOut)
@blueprint.doc(operation_id="get_operation", responses=[404, 422, 503])
def get_operation(operation_id: str, query_data: asked.OperationQuery) -> told.OperationOut:
    """Look at an operation, or wait until it changes.

    With `after_revision` the answer comes once the operation's `revision` is above it, or after
    `wait_seconds` as things are then (sooner when many wait): ask again with the revision you got.
    """
    return present.operation(operation_after(operation_id, query_data.after_revision, query_data.wait_seconds))


@blueprint.post("/<operation_id>/cancel")
@blueprint.output(told.OperationOut, status_code=202)
@blueprint.doc(operation_id="cancel_operation", responses=[404, 409, 503])
def cancel_operation(operation_id: str) -> told.OperationOut:
    """Cancel an operation.

    What it has done so far is undone; the operation ends `cancelled`.
    """
    cancelled = provisioning.request_cancel(services(), caller(), operation_id)
    hand_on(cancelled)
    return present.operation(cancelled)


@blueprint.post("/<operation_id>/retry")
@blueprint.input(asked.RetryOperation)
@blueprint.output(told.AcceptedOut, status_code=202)
@blueprint.doc(operation_id="retry_operation", responses=[404, 409, 422, 503])
def retry_operation(operation_id: str, json_data: asked.RetryOperation) -> Ordered:
    """Try an operation again that failed or was cancelled.

    It stays as it ended; the answer names a new operation, whose `retry_of` it is.
    """
    return ordered(retrying.request_retry(services(), caller(), operation_id, json_data.plain_password()))
