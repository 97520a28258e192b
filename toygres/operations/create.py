"""Create: credentials, storage, a server, a service; ready once a client has logged in and written a row."""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor

from toygres import postgres
from toygres.domain.instance import Credentials, InstanceSpec, InstanceState, ServiceType, Way
from toygres.domain.operation import NotYet, Operation, Step, Within
from toygres.errors import DATA_OUT_FIRST, Cause, CauseCode, Refused
from toygres.operations.certificate import await_certificate
from toygres.operations.context import Context
from toygres.platforms.protocol import ServerPhase

# Nobody tells when a login would succeed.
_LOGIN_AGAIN_SECONDS = 1.0
# Of a server that is up nothing else will be said by waiting.
_CANT_HEAL = frozenset(
    {CauseCode.WRONG_PASSWORD, CauseCode.TLS_UNTRUSTED, CauseCode.LOGIN_NOT_ALLOWED, CauseCode.DATABASE_MISSING}
)


def has_load_balancer(spec: InstanceSpec) -> bool:
    """Clients come through a load balancer, whose address must be waited for."""
    return spec.service_type is ServiceType.LOAD_BALANCER


def apply_credentials(ctx: Context) -> None:
    """Hand the chosen passwords to the platform."""
    ctx.platform.apply_credentials(ctx.target, ctx.new_credentials)


def remove_credentials(ctx: Context) -> None:
    """Make the platform forget the passwords."""
    ctx.tell(ctx.platform.remove_credentials(ctx.target) or "")


def apply_storage(ctx: Context) -> None:
    """Make the volume or folder that holds the data."""
    ctx.platform.apply_storage(ctx.target)


def remove_storage(ctx: Context) -> None:
    """Delete the data."""
    ctx.tell(ctx.platform.remove_storage(ctx.target) or "")


def apply_server(ctx: Context) -> None:
    """Configure the server and set it running."""
    ctx.platform.apply_server(ctx.target)


def remove_server(ctx: Context) -> None:
    """End the server and forget its configuration."""
    ctx.tell(ctx.platform.remove_server(ctx.target) or "")


def apply_service(ctx: Context) -> None:
    """Make the server reachable, and record where."""
    ctx.publish_endpoint(ctx.platform.apply_service(ctx.target))


def remove_service(ctx: Context) -> None:
    """Make the server unreachable."""
    ctx.tell(ctx.platform.remove_service(ctx.target) or "")


def await_address(ctx: Context) -> None:
    """Wait until the load balancer has an address, and record it."""
    ctx.publish_endpoint(ctx.platform.await_address(ctx.target))


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
    with ctx.platform.reach(ctx.instance) as way:
        if credentials is None or way is None:
            raise Refused(_no_way_in())
        began = time.monotonic()
        trouble = _log_in(way, ctx.instance.spec.database, credentials)
        seconds = time.monotonic() - began
    if trouble is not None:
        raise Refused(trouble) if trouble.code in _CANT_HEAL else NotYet(trouble, _LOGIN_AGAIN_SECONDS)
    ctx.logged_in(seconds)
    ctx.tell(f"Logged in, wrote and read in {seconds * 1000:.0f} ms{_by(way)}.")


def _log_in(way: Way, database: str, credentials: Credentials) -> Cause | None:
    # Both at once: most of a login is waiting for the server.
    with ThreadPoolExecutor(1) as pool:
        health = pool.submit(postgres.check_health, way, database, credentials.monitor)
        return postgres.test_connection(way, database, credentials.user) or health.result()


def _by(way: Way) -> str:
    return (f", {way.told}" if way.told else "") + (f", which doesn't prove {way.unproved}" if way.unproved else "")


def _no_way_in() -> Cause:
    return Cause(
        code=CauseCode.CREDENTIALS_MISSING,
        message="The instance's credentials or address are gone.",
        remedy=DATA_OUT_FIRST,
    )


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
        Step(await_address, within=Within.ADDRESS, needed=has_load_balancer),
        Step(await_certificate, within=Within.CERTIFICATE, needed=has_load_balancer),
        Step(verify_login, within=Within.LOGIN),
    ),
)
