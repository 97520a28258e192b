"""Create: credentials, storage, a server, a service; ready once a client has logged in and written a row."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

from toygres import postgres
from toygres.domain.instance import InstanceState
from toygres.domain.operation import NotYet, Operation, Step, Within
from toygres.errors import Cause, CauseCode, Refused
from toygres.operations.context import Context
from toygres.platforms.protocol import ServerPhase


def apply_credentials(ctx: Context) -> None:
    """Hand the chosen passwords to the platform."""
    ctx.platform.apply_credentials(ctx.target, ctx.new_credentials)


def remove_credentials(ctx: Context) -> None:
    """Make the platform forget the passwords."""
    ctx.platform.remove_credentials(ctx.target)


def apply_storage(ctx: Context) -> None:
    """Make the volume or folder that holds the data."""
    ctx.platform.apply_storage(ctx.target)


def remove_storage(ctx: Context) -> None:
    """Delete the data."""
    ctx.platform.remove_storage(ctx.target)


def apply_server(ctx: Context) -> None:
    """Configure the server and set it running."""
    ctx.platform.apply_server(ctx.target)


def remove_server(ctx: Context) -> None:
    """End the server and forget its configuration."""
    ctx.platform.remove_server(ctx.target)


def apply_service(ctx: Context) -> None:
    """Make the server reachable, and record where."""
    ctx.publish_endpoint(ctx.platform.apply_service(ctx.target))


def remove_service(ctx: Context) -> None:
    """Make the server unreachable."""
    ctx.platform.remove_service(ctx.target)


def await_server(ctx: Context) -> None:
    """Wait until the server accepts clients."""
    status = ctx.platform.observe(ctx.instance)
    if status.phase is ServerPhase.UP:
        return
    cause = status.cause or Cause(
        code=CauseCode.STARTING, message="The server is starting.", remedy="Wait: this is looked at again by itself."
    )
    if status.phase is ServerPhase.BROKEN:
        raise Refused(cause)
    raise NotYet(cause)


def verify_login(ctx: Context) -> None:
    """Log in as the user would, write a row and read it back."""
    credentials = ctx.platform.credentials(ctx.instance)
    endpoint = ctx.platform.own_endpoint(ctx.instance)
    if credentials is None or endpoint is None:
        raise Refused(
            Cause(
                code=CauseCode.CREDENTIALS_MISSING,
                message="The instance's credentials or address are gone.",
                remedy="Delete the instance and order it again.",
            )
        )
    where = endpoint, ctx.instance.spec.database
    # Both at once: most of a login is waiting for the server.
    with ThreadPoolExecutor(1) as pool:
        health = pool.submit(postgres.check_health, *where, credentials.monitor)
        trouble = postgres.test_connection(*where, credentials.user) or health.result()
    if trouble is not None:
        raise NotYet(trouble)


CREATE = Operation(
    kind="create",
    title="Create an instance",
    allowed_from=frozenset(),
    during=InstanceState.CREATING,
    gives=InstanceState.READY,
    otherwise=InstanceState.FAILED,
    when_cancelled=InstanceState.DELETED,
    steps=(
        Step(apply_credentials, undo=remove_credentials),
        Step(apply_storage, undo=remove_storage, limit=300),
        Step(apply_server, undo=remove_server),
        Step(apply_service, undo=remove_service),
        Step(await_server, within=Within.SERVER_START),
        Step(verify_login, within=Within.LOGIN),
    ),
)
