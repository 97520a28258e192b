"""What the API and the page do alike: hand on what was ordered, wait for a change, read credentials and lists."""

from __future__ import annotations

import structlog
from flask import url_for

from toygres.domain import ids
from toygres.domain.instance import Instance
from toygres.domain.records import OperationRecord
from toygres.errors import Conflict, FieldError, Invalid, Misconfigured, NotFound
from toygres.provisioning import Accepted
from toygres.store import instances, operations
from web import present
from web.schemas import told
from web.state import SHORT_WAIT_SECONDS, caller, services, state
from worker.chains import publish

log = structlog.get_logger(__name__)

# An accepted order as the API answers it: body, status, headers.
Ordered = tuple[told.AcceptedOut, int, dict[str, str]]


def ordered(accepted: Accepted) -> Ordered:
    """Hand on an accepted order, and answer with what it came to and where to follow it."""
    hand_on(accepted.operation)
    operation = present.operation(accepted.operation)
    body = told.AcceptedOut(instance=present.instance(services(), accepted.instance), operation=operation)
    return body, 202, {"Location": url_for("operations.get_operation", operation_id=operation.id)}


def hand_on(operation: OperationRecord) -> None:
    """Publish what is left of a committed order."""
    shown = ids.shown(ids.OPERATION, operation.id)
    try:
        publish(operation)
    except Misconfigured as trouble:
        log.error("hand_on_failed", operation=shown, reason=trouble.message)
    except Exception:
        # What is committed will be carried out: the sweep publishes it, so the caller must not be told otherwise.
        log.exception("hand_on_failed", operation=shown)


def instance_named(ref: str, *, even_deleted: bool = False) -> Instance:
    """The instance behind a name or an ID; by name a deleted one only when `even_deleted`. Raises NotFound."""
    return instances.get(services().store, caller().project, ref, even_deleted=even_deleted)


def operation_named(text: str) -> OperationRecord:
    """The operation behind an ID. Raises NotFound."""
    return operations.get(services().store, caller().project, text)


def operation_after(text: str, revision: int | None, seconds: float) -> OperationRecord:
    """The operation once its revision is above `revision`, or as it is when `seconds` are over."""
    found = operation_named(text)
    if revision is None or found.revision > revision or found.ended_at is not None:
        return found
    long = state().long_waits.acquire(blocking=False)
    try:
        state().changes.wait(found.id, revision, seconds if long else min(seconds, SHORT_WAIT_SECONDS))
    finally:
        if long:
            state().long_waits.release()
    return operation_named(text)


def credentials_of(found: Instance) -> told.CredentialsOut:
    """How to log in. Raises Conflict while there is nothing to log in to."""
    kept = services().platform(found.platform).credentials(found)
    if kept is None or found.endpoint is None:
        operation_id = ids.shown(ids.OPERATION, found.operation_id) if found.operation_id else None
        raise Conflict(
            f"The instance is {found.state.value}: it has no credentials.",
            "Follow its operation until it has succeeded." if operation_id else "",
            operation_id=operation_id,
        )
    return present.credentials(found, found.endpoint, kept)


def parameters_of(platform: str, version: str | None) -> told.ParameterList:
    """What may be set there for `version`, or for its default one. Raises NotFound and Invalid."""
    found = services().platforms.get(platform)
    if found is None:
        names = ", ".join(sorted(services().platforms))
        raise NotFound(f"There is no platform {platform!r}.", f"There is: {names}.")
    offers = found.capabilities()
    if version is not None and version not in offers.versions:
        allowed = f"one of {', '.join(offers.versions)}"
        raise Invalid([FieldError(field="version", value=version, message="isn't offered", allowed=allowed)])
    return present.parameters(found, version or offers.default_version)
