"""Where each thing of one instance is. Its ID names them all, so that a successor of its name never meets them."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from uuid import UUID

from toygres.platforms.local.place import Place

INSTANCES = "instances"
STARTS = "starts"
SPARES = "spares"

DATA = "data"
PARTIAL = "data.partial-"
CONFIGURATION = "postgresql.conf"
LOG = "log"
OLD_LOG = "log.old"
# What the server is meant to do: `run <fence> <a fresh word>` or `stop <fence>`.
WANTED = "wanted"

# The last 62 bits of a UUIDv7 are random; the whole would make a socket's path too long.
_SHORT_DIGITS = 16


@dataclass(frozen=True)
class Layout:
    """One instance's paths.

    `anchor` is made by the first step and removed by the last: nothing else makes it, so whatever comes late finds
    no folder to write to. Credentials and fence are in the home, where no server can reach them.
    """

    place: Place
    id: UUID

    @property
    def anchor(self) -> Path:
        """The folder of all that the server may see, but its socket."""
        return self.place.root / INSTANCES / self.id.hex

    @property
    def removed_anchor(self) -> Path:
        """What the folder is called while it is being removed."""
        return self.anchor.with_name(f"{self.anchor.name}.removed")

    @property
    def data(self) -> Path:
        """The data directory."""
        return self.anchor / DATA

    @property
    def sockets(self) -> Path:
        """The folder of the Unix socket."""
        return self.place.sockets / self.id.hex[-_SHORT_DIGITS:]

    @property
    def started(self) -> Path:
        """A file that is written to whenever the server is started, for those who watch."""
        return self.place.root / STARTS / self.id.hex

    @property
    def credentials(self) -> Path:
        """Both logins, as JSON, 0600."""
        return self.place.control / "credentials" / f"{self.id.hex}.json"

    @property
    def fence(self) -> Path:
        """The highest fence seen; outlives the instance."""
        return self.place.control / "fences" / self.id.hex


def all_ids(place: Place) -> list[UUID]:
    """Every instance that has a folder."""
    try:
        names = os.listdir(place.root / INSTANCES)  # noqa: PTH208 (names are all that is wanted)
    except FileNotFoundError:
        return []
    return [UUID(name) for name in sorted(names) if _is_hex(name)]


def _is_hex(name: str) -> bool:
    return len(name) == 32 and all(digit in "0123456789abcdef" for digit in name)
