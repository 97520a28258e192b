"""What every request needs of the process that serves it, and who asks."""

from __future__ import annotations

from dataclasses import dataclass
from threading import BoundedSemaphore
from typing import cast

from flask import current_app, g

from toygres.provisioning import Caller
from toygres.services import Services
from toygres.store.changes import Changes

# More requests than this may wait, but briefly: each one holds a thread that others need.
LONG_WAITS = 12
SHORT_WAIT_SECONDS = 1.0


@dataclass(frozen=True)
class WebState:
    """One web process' own things; `token_digest` is the SHA-256 of the API's token."""

    services: Services
    changes: Changes
    token_digest: bytes
    long_waits: BoundedSemaphore


def state() -> WebState:
    """The serving process' things."""
    return cast(WebState, current_app.extensions["toygres"])


def services() -> Services:
    """What the control plane is made of."""
    return state().services


def caller() -> Caller:
    """Who asks, as operations and events will tell."""
    return Caller(actor=g.actor, request_id=g.request_id)
