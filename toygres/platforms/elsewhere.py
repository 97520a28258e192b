"""Stands for a local platform that lives on another machine: nothing can be seen or done of it here, and none is."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from threading import Event
from typing import NoReturn
from uuid import UUID

from toygres.domain.instance import Credentials, Endpoint, Instance, Way
from toygres.errors import Cause, CauseCode, Unavailable
from toygres.platforms.protocol import Capabilities, ServerStatus, Target, Trace


class Elsewhere:
    """Implements `toygres.platforms.protocol.Platform`: every call but `identity` raises Unavailable.

    Steps never get as far as that: the engine parks them with `cause`, and a worker over there goes on.
    """

    kind = "local"

    def __init__(self, name: str, known: str) -> None:
        self.name = name
        self._known = known
        self.cause = Cause(
            code=CauseCode.OTHER_HOST,
            message=f"The platform {name!r} lives on another machine, or in another home, than this process.",
            remedy="Wait: a worker there goes on. Start one there if none runs.",
        )

    def describe(self) -> str:
        """Another machine."""
        return "another machine, or another home"

    def identity(self) -> str:
        """The machine and the home that the metadata DB knows."""
        return self._known

    def expect(self, identity: str) -> None:
        """It has told its own."""

    def capabilities(self) -> Capabilities:
        """Unknown here."""
        self._refuse()

    def check(self) -> None:
        """Nothing can be done from here."""
        self._refuse()

    def port_in_use(self, port: int) -> bool:
        """Unknown here."""
        self._refuse()

    def apply_credentials(self, target: Target, credentials: Callable[[], Credentials]) -> None:
        """Not from here."""
        self._refuse()

    def remove_credentials(self, target: Target) -> None:
        """Not from here."""
        self._refuse()

    def apply_storage(self, target: Target) -> None:
        """Not from here."""
        self._refuse()

    def remove_storage(self, target: Target) -> None:
        """Not from here."""
        self._refuse()

    def apply_server(self, target: Target) -> None:
        """Not from here."""
        self._refuse()

    def stop_server(self, target: Target) -> None:
        """Not from here."""
        self._refuse()

    def remove_server(self, target: Target) -> None:
        """Not from here."""
        self._refuse()

    def apply_service(self, target: Target) -> Endpoint:
        """Not from here."""
        self._refuse()

    def await_address(self, target: Target) -> Endpoint:
        """Unknown here."""
        self._refuse()

    def apply_certificate(self, target: Target) -> None:
        """Not from here."""
        self._refuse()

    def certificate(self, instance: Instance) -> str | None:
        """Unknown here."""
        self._refuse()

    def certificate_is_old(self, instance: Instance) -> bool:
        """Unknown here."""
        self._refuse()

    def remove_service(self, target: Target) -> None:
        """Not from here."""
        self._refuse()

    def observe(self, instance: Instance) -> ServerStatus:
        """Unknown here."""
        self._refuse()

    def glance(self, instance: Instance) -> ServerStatus:
        """Unknown here."""
        self._refuse()

    def reach(self, instance: Instance, *, inside: bool = False) -> AbstractContextManager[Way | None]:
        """There is no way from here."""
        self._refuse()

    def credentials(self, instance: Instance, *, lately: bool = False) -> Credentials | None:
        """They are in the other home."""
        self._refuse()

    def evidence(self, instance: Instance) -> tuple[str, ...]:
        """Unknown here."""
        self._refuse()

    def objects(self, instance_id: UUID) -> Sequence[str]:
        """Unknown here."""
        self._refuse()

    def found(self, installation_id: UUID) -> Mapping[UUID, Trace]:
        """Unknown here."""
        self._refuse()

    def make_ahead(self, stop: Event) -> None:
        """Nothing is made from here."""
        self._refuse()

    def watch(self, changed: Callable[[UUID], None], stop: Event) -> None:
        """Nothing is to be seen from here."""
        self._refuse()

    def _refuse(self) -> NoReturn:
        raise Unavailable(self.cause.message, "Ask a Toygres process on that machine.")
