"""The home's own metadata DB when the home is to go: whether it may know instances elsewhere, and running it for that.

What it knows nobody else does: an instance in a cluster that it forgets is nobody's, with its data.
"""

from __future__ import annotations

import os
import pwd
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from toygres.config import Settings, load
from toygres.domain.instance import Instance
from toygres.errors import Misconfigured
from toygres.home import Home
from toygres.oneshot.database import Database, forget_dead_up, run
from toygres.platforms.local import host, place
from toygres.platforms.local.place import Tenant
from toygres.processes import disk, outside
from toygres.processes.metadata import Metadata, find_data
from toygres.store import installation, instances, schema
from toygres.store.session import Store


@dataclass(frozen=True)
class Own:
    """One that may know instances on other platforms than this machine, and the settings by which it finds them."""

    home: Home
    metadata: Metadata
    settings: Settings

    @contextmanager
    def opened(self, say: Callable[[str], None], interrupted: Callable[[], bool]) -> Iterator[Database]:
        """It answers in this block. Raises ToygresError and OSError, and KeyboardInterrupt once `interrupted()`."""
        self.home.make()
        disk.require_room(self.home)
        forget_dead_up(self.home)
        # Its sockets' folder may have gone with the last start of the machine.
        place.find(self.home, Tenant.METADATA)
        with run(self.home, self.metadata, self.settings, say, interrupted) as held:
            yield held


def find(home: Home) -> Own:
    """That metadata DB, to be looked for before its `up` is stopped, whose settings count.

    Raises Misconfigured when it can't be run by who runs this.
    """
    data = find_data(home)
    where = place.known(home, Tenant.METADATA)
    if where is None or data != Metadata(home, where).data or data.stat().st_uid != where.owner:
        raise Misconfigured(f"The metadata DB in {data} is another user's.", f"Run this as {_owner(home.path)}.")
    metadata = Metadata(home, where)
    return Own(home, metadata, _settings(home, metadata))


def known(held: Database) -> list[Instance]:
    """The instances that it knows on other platforms, by platform, the oldest first."""
    url = held.settings.database_url
    with closing(Store(url.get_secret_value() if url else "", connections=1)) as store:
        return held.patiently(lambda: instances.left_elsewhere(store))


def require_original(home: Home, held: Database) -> None:
    """Return unless the home was copied from another one, whose instances these are. Raises Misconfigured."""
    url = held.settings.database_url
    with closing(Store(url.get_secret_value() if url else "", connections=1)) as store:
        met = held.patiently(lambda: installation.platform_identity(store, "local"))
    if met not in (None, host.identity(home.path)):
        raise Misconfigured(
            f"The metadata DB of {home.path} was made on another machine, or in another home: this is a copy, and the "
            "instances are the original's.",
            "Run this where it was made; --leave-clusters removes the copy alone.",
        )


def known_outside(home: Home) -> int:
    """How many instances elsewhere a metadata DB knows that isn't the home's, but that it used; 0 if nobody can tell.

    To be asked before its `up` is stopped, whose settings count.
    """
    # Whatever it says or doesn't, the home goes.
    with suppress(Exception):
        url = load(home=home.path).database_url
        named = outside.without_secrets(url.get_secret_value()) if url else None
        if url and named == outside.read(home).get(outside.DATABASE):
            with closing(Store(url.get_secret_value(), connections=1)) as store:
                schema.require_current(store)
                return len(instances.left_elsewhere(store))
    return 0


def _settings(home: Home, metadata: Metadata) -> Settings:
    """As they are set now; what isn't, as it was when another platform was last used."""
    found, noted = load(home=home.path, database_url=metadata.url), outside.read(home)
    if noted.get(outside.KUBECONFIG) and not os.environ.get(outside.KUBECONFIG):
        os.environ[outside.KUBECONFIG] = noted[outside.KUBECONFIG]
    missing = [name for name in outside.WAY if noted.get(name) and name not in found.model_fields_set]
    return found.model_copy(update={name: noted[name] for name in missing})


def _owner(path: Path) -> str:
    uid = path.stat().st_uid
    with suppress(KeyError):
        return pwd.getpwuid(uid).pw_name
    return f"the user with the uid {uid}"
