"""What a server shows of who it is: its certificate, and how it takes up a new one without a restart."""

from __future__ import annotations

from toygres import postgres
from toygres.domain.operation import NotYet
from toygres.errors import Cause, CauseCode
from toygres.operations.context import Context

# Nothing tells when the new files have come to the server.
_AGAIN_SECONDS = 5.0


def apply_certificate(ctx: Context) -> None:
    """Issue a new certificate where the server's is about to end, or lacks a name."""
    ctx.platform.apply_certificate(ctx.target)


def await_certificate(ctx: Context) -> None:
    """Have the server read its certificate again until it shows the new one."""
    wanted = ctx.platform.certificate(ctx.instance)
    credentials = ctx.platform.credentials(ctx.instance)
    with ctx.platform.reach(ctx.instance, inside=True) as way:
        if way is None or wanted is None or credentials is None or postgres.shows(way, wanted):
            return
        trouble = postgres.reload(way, ctx.instance.spec.database, credentials.user)
    raise NotYet(trouble or _not_taken_up(), _AGAIN_SECONDS)


def _not_taken_up() -> Cause:
    return Cause(
        code=CauseCode.STARTING,
        message="The server hasn't taken up its new certificate yet.",
        remedy="Wait: Kubernetes hands it the new files within two minutes; it is looked at again by itself.",
    )
