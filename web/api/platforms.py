"""Platforms: where instances can live, and what may be asked for there."""

from __future__ import annotations

from apiflask import APIBlueprint

from web import present
from web.orders import parameters_of
from web.schemas import asked, told
from web.state import services

blueprint = APIBlueprint("platforms", __name__, url_prefix="/v1/platforms", tag="Platforms")


@blueprint.get("")
@blueprint.output(told.PlatformList)
@blueprint.doc(operation_id="list_platforms", responses=[503])
def list_platforms() -> told.PlatformList:
    """List platforms and what they offer."""
    default = services().settings.platform
    items = [present.platform(each, default=name == default) for name, each in services().platforms.items()]
    return told.PlatformList(items=items, next_cursor=None)


@blueprint.get("/<platform>/parameters")
@blueprint.input(asked.ParametersQuery, location="query")
@blueprint.output(told.ParameterList)
@blueprint.doc(operation_id="list_parameters", responses=[404, 422, 503])
def list_parameters(platform: str, query_data: asked.ParametersQuery) -> told.ParameterList:
    """List the PostgreSQL parameters that may be set.

    By name, for one version, all on one page.
    """
    return parameters_of(platform, query_data.version)
