"""What a test can let run behind the pods."""

from __future__ import annotations

from typing import Any, Protocol

Json = dict[str, Any]


class Server(Protocol):
    """Something that runs as one container does; each restart is a new one."""

    def accepts(self) -> bool:
        """Whether it would answer a probe now."""

    def ended(self) -> tuple[int, list[str]] | None:
        """The exit code and last lines once it has ended; None while it runs."""

    def lines(self) -> list[str]:
        """Its log so far."""

    def stop(self, seconds: float) -> None:
        """Tell it to stop, kill it after so many seconds; returns at once."""

    def refresh(self, objects: dict[tuple[str, str], Json]) -> None:
        """What it has mounted changed: `objects` are the Secrets and ConfigMaps by (kind, name)."""


class Servers(Protocol):
    """Makes them."""

    def start(self, pod: Json, objects: dict[tuple[str, str], Json]) -> tuple[Server, tuple[str, int]]:
        """Run what `pod`'s container says, with these Secrets and ConfigMaps; where its port 5432 really is.

        Quick: what takes long happens in a thread of its own, and `accepts` is false until then.
        """

    def forget(self, claim_uid: str) -> None:
        """A volume claim is gone, and with it its data."""

    def close(self) -> None:
        """End all that runs and remove all data."""
