"""Instances: ordered, listed, looked at, started, stopped, restarted, deleted."""

from __future__ import annotations

from apiflask import APIBlueprint

from toygres import provisioning
from toygres.store import instances as store
from web import present
from web.orders import Ordered, credentials_of, instance_named, ordered
from web.schemas import asked, told
from web.state import caller, services

blueprint = APIBlueprint("instances", __name__, url_prefix="/v1/instances", tag="Instances")


@blueprint.post("")
@blueprint.input(asked.CreateInstance)
@blueprint.output(told.AcceptedOut, status_code=202)
@blueprint.doc(operation_id="create_instance", responses=[409, 422, 503])
def create_instance(json_data: asked.CreateInstance) -> Ordered:
    """Order an instance.

    Answers as soon as the order is written down; the operation tells how it goes on.
    """
    return ordered(provisioning.request_instance(services(), caller(), json_data.as_request()))


@blueprint.get("")
@blueprint.input(asked.InstancesQuery, location="query")
@blueprint.output(told.InstanceList)
@blueprint.doc(operation_id="list_instances", responses=[422, 503])
def list_instances(query_data: asked.InstancesQuery) -> told.InstanceList:
    """List instances."""
    project, state = caller().project, query_data.state
    page = store.list_page(services().store, project, query_data.limit, query_data.cursor, state=state)
    return present.instances(services(), page)


@blueprint.get("/<instance>")
@blueprint.output(told.InstanceOut)
@blueprint.doc(operation_id="get_instance", responses=[404, 503])
def get_instance(instance: str) -> told.InstanceOut:
    """Look at an instance, by name or ID."""
    return present.instance(services(), instance_named(instance))


@blueprint.get("/<instance>/credentials")
@blueprint.output(told.CredentialsOut)
@blueprint.doc(operation_id="get_credentials", responses=[404, 409, 503])
def get_credentials(instance: str) -> told.CredentialsOut:
    """Read how to log in.

    The only answer that holds a password.
    """
    return credentials_of(instance_named(instance))


@blueprint.delete("/<instance>")
@blueprint.output(told.AcceptedOut, status_code=202)
@blueprint.doc(operation_id="delete_instance", responses=[404, 409, 503])
def delete_instance(instance: str) -> Ordered:
    """Delete an instance and its data.

    Takes the place of whatever else is being done to it.
    """
    return ordered(provisioning.request_delete(services(), caller(), instance))


@blueprint.post("/<instance>/start")
@blueprint.output(told.AcceptedOut, status_code=202)
@blueprint.doc(operation_id="start_instance", responses=[404, 409, 503])
def start_instance(instance: str) -> Ordered:
    """Start a stopped instance."""
    return ordered(provisioning.request_start(services(), caller(), instance))


@blueprint.post("/<instance>/stop")
@blueprint.output(told.AcceptedOut, status_code=202)
@blueprint.doc(operation_id="stop_instance", responses=[404, 409, 503])
def stop_instance(instance: str) -> Ordered:
    """Stop an instance and keep its data."""
    return ordered(provisioning.request_stop(services(), caller(), instance))


@blueprint.post("/<instance>/restart")
@blueprint.output(told.AcceptedOut, status_code=202)
@blueprint.doc(operation_id="restart_instance", responses=[404, 409, 503])
def restart_instance(instance: str) -> Ordered:
    """Restart an instance.

    Its server ends open sessions and stops, then runs again; a stopped one is started.
    """
    return ordered(provisioning.request_restart(services(), caller(), instance))
