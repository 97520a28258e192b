"""Platforms: where instances can live, and what may be asked for there."""

from __future__ import annotations

from apiflask import APIBlueprint

from web import present
from web.schemas import told
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
