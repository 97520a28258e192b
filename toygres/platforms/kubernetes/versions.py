"""What differs between PostgreSQL's major versions as their official images have them."""

from __future__ import annotations

from dataclasses import dataclass
from types import MappingProxyType

from toygres.config import Settings, variable
from toygres.errors import Cause, CauseCode, Refused

_SETTINGS_FOR_MAKING = 16
_BUILTIN_COLLATION = 17
_TRANSACTION_TIMEOUT = 17


@dataclass(frozen=True)
class Version:
    """A major version: its image, where that wants the volume, and where on it the data are (PGDATA).

    The data are in a subfolder, since the root of a volume may hold a `lost+found`, and belongs to somebody else.
    """

    major: str
    image: str
    mount: str
    data: str

    @property
    def initdb(self) -> tuple[str, ...]:
        """How the data directory is made; a collation of PostgreSQL's own can't change with the image's libraries.

        What isn't synced here is synced by the last script of the making.
        """
        always = "--no-sync", "--data-checksums", "--encoding=UTF8"
        # It runs a server as well, which must keep off the node's huge pages; before 16 it can't be told so.
        settings = ("--set=huge_pages=off",) if int(self.major) >= _SETTINGS_FOR_MAKING else ()
        if int(self.major) < _BUILTIN_COLLATION:
            return *always, *settings, "--locale=C.UTF-8"
        return *always, *settings, "--locale=C", "--locale-provider=builtin", "--builtin-locale=C.UTF-8"

    @property
    def limits(self) -> tuple[str, ...]:
        """The parameters that end a session, or a statement of it, after some time."""
        more = ("transaction_timeout",) if int(self.major) >= _TRANSACTION_TIMEOUT else ()
        return "statement_timeout", "lock_timeout", "idle_in_transaction_session_timeout", "idle_session_timeout", *more


def _until_17(major: str) -> Version:
    mount = "/var/lib/postgresql/data"
    return Version(major, f"postgres:{major}", mount, f"{mount}/pgdata")


# From 18 on the image declares the folder above as its volume, and has a folder for each version in it.
_KNOWN = MappingProxyType(
    {
        **{major: _until_17(major) for major in ("14", "15", "16", "17")},
        "18": Version("18", "postgres:18", "/var/lib/postgresql", "/var/lib/postgresql/18/docker"),
    }
)


def find(settings: Settings, major: str) -> Version:
    """Version `major` with the image that the settings name for it. Raises Refused when there is none."""
    known = _KNOWN.get(major)
    if known is None:
        raise Refused(
            Cause(
                code=CauseCode.VERSION_MISSING,
                message=f"PostgreSQL {major} isn't known on Kubernetes; there is {', '.join(_KNOWN)}.",
                remedy=f"Order one of {', '.join(settings.kube_versions)} ({variable('kube_versions')}).",
            )
        )
    image = settings.kube_images.get(major) or f"{settings.kube_image_prefix}{known.image}"
    return Version(known.major, image, known.mount, known.data)
