"""The local platform: each instance is a server process of this machine, on a port of its own."""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from threading import Event
from uuid import UUID

from toygres.config import Settings, variable
from toygres.domain.instance import Credentials, Endpoint, Instance, Way
from toygres.errors import Bug, Misconfigured, Refused, Unavailable
from toygres.platforms.local import binaries, exposure, fence, host, place, processes, server, spares, storage
from toygres.platforms.local import credentials as logins
from toygres.platforms.local.configuration import DEFAULTS, command, render
from toygres.platforms.local.folder import opened
from toygres.platforms.local.layout import Layout, all_ids
from toygres.platforms.local.objects import objects
from toygres.platforms.local.observe import evidence, observe
from toygres.platforms.local.refilling import Refilling
from toygres.platforms.local.refusals import full_disk_refused, version_missing
from toygres.platforms.local.shutdown import ShutDown, shut_down
from toygres.platforms.local.watch import watch
from toygres.platforms.parameters import catalogue
from toygres.platforms.protocol import Bounds, Capabilities, OneProject, ServerStatus, Target, Trace

_MIB = 2**20
_GIB = 2**30
_ONE_PROJECT = OneProject(
    why="it keeps the owners of its instances neither apart from each other nor from the control plane",
    remedy=f"Order on another platform, or set {variable('local_shared')}=true when all its users trust each other.",
)


class LocalPlatform:
    """Implements `toygres.platforms.protocol.Platform` on this machine. Making one touches nothing."""

    kind = "local"

    def __init__(self, name: str, settings: Settings) -> None:
        self.name = name
        self._settings = settings
        self._refilling = Refilling()

    @functools.cached_property
    def place(self) -> place.Place:
        """Where servers live. Raises Misconfigured."""
        return place.find(self._settings.home_folder)

    @functools.cached_property
    def versions(self) -> dict[str, Path]:
        """Each major version's `bin` folder, the default one first."""
        return binaries.versions(self.place, self._settings)

    def describe(self) -> str:
        """The home on this machine."""
        return f"this machine, {self._settings.home}"

    def identity(self) -> str:
        """The machine and the home."""
        return host.identity(self._settings.home)

    def expect(self, identity: str) -> None:
        """It can always be asked."""

    def capabilities(self) -> Capabilities:
        """What can be asked for here; no limit is enforced, since processes share the machine."""
        versions = tuple(self.versions)
        return Capabilities(
            kind=self.kind,
            versions=versions,
            default_version=versions[0] if versions else "",
            tls=False,
            enforced=frozenset(),
            storage_bytes=Bounds(least=128 * _MIB, most=64 * 1024 * _GIB, default=_GIB),
            cpu_millicores=Bounds(least=10, most=256_000, default=1000),
            memory_bytes=Bounds(least=64 * _MIB, most=4096 * _GIB, default=512 * _MIB),
            one_project=None if self._settings.local_shared else _ONE_PROJECT,
            ports=self._settings.instance_ports,
            parameters={version: catalogue.parameters(version, DEFAULTS) for version in versions},
        )

    def check(self) -> None:
        """Return when servers could be made and run now. Raises Unavailable."""
        try:
            with opened(place.find(self._settings.home_folder)) as root:
                root.write(".check", "")
                root.unlink(".check")
        except (Misconfigured, OSError) as wrong:
            raise Unavailable(f"The local platform can't write to its folder: {wrong}") from wrong
        if not any((folder / "postgres").exists() for folder in self.versions.values()):
            raise Unavailable("The local platform finds no PostgreSQL programs.", "Install Toygres again.")

    def port_in_use(self, port: int) -> bool:
        """Whether something already listens on `port` of the instances' address."""
        return host.port_in_use(self._settings.instance_bind, port)

    def apply_credentials(self, target: Target, credentials: Callable[[], Credentials]) -> None:
        """Keep both logins in a file of the home."""
        with full_disk_refused(self._settings.home):
            logins.apply(self._layout(target.instance.id), target.fence, credentials)

    def remove_credentials(self, target: Target) -> None:
        """Forget both logins, and the instance's folder; what is left then is its fence, for a day."""
        logins.remove(self._layout(target.instance.id), target.fence)
        fence.prune(self.place)

    def apply_storage(self, target: Target) -> None:
        """Make the data directory, on disk, with both roles in it."""
        layout, spec = self._layout(target.instance.id), target.instance.spec
        storage.apply(layout, target.fence, spec, lambda: self._binaries(spec.version), logins.read(layout))
        self._refilling.want(self._binaries(spec.version))

    def remove_storage(self, target: Target) -> None:
        """Delete the data directory."""
        storage.remove(self._layout(target.instance.id), target.fence)

    def apply_server(self, target: Target) -> None:
        """Configure and run the server."""
        layout, instance = self._layout(target.instance.id), target.instance
        configuration = render(instance.spec)
        run = self._command(layout, instance.spec.version, _port(instance))
        server.apply(layout, target.fence, configuration, run)

    def stop_server(self, target: Target) -> None:
        """Tell the server to stop properly."""
        server.stop(self._layout(target.instance.id), target.fence)

    def remove_server(self, target: Target) -> None:
        """End the server and forget its configuration and log."""
        server.remove(self._layout(target.instance.id), target.fence)

    def apply_service(self, target: Target) -> Endpoint:
        """The server's own port, which it listens on for itself."""
        with fence.passed(self._layout(target.instance.id), target.fence):
            return Endpoint(host=exposure.shown_host(self._settings), port=_port(target.instance))

    def await_address(self, target: Target) -> Endpoint:
        """There are no load balancers here."""
        return self.apply_service(target)

    def apply_certificate(self, target: Target) -> None:
        """There is no TLS here."""
        with fence.passed(self._layout(target.instance.id), target.fence):
            return

    def certificate(self, instance: Instance) -> str | None:
        """There is no TLS here."""
        return None

    def certificate_is_old(self, instance: Instance) -> bool:
        """There is no TLS here."""
        return False

    def remove_service(self, target: Target) -> None:
        """Nothing but the server itself holds the port."""
        with fence.passed(self._layout(target.instance.id), target.fence):
            return

    def observe(self, instance: Instance) -> ServerStatus:
        """The server as it is now."""
        layout = self._layout(instance.id)
        return observe(layout, instance.port, self._secrets(layout))

    def glance(self, instance: Instance) -> ServerStatus:
        """The server as it is now, which costs nothing here."""
        return self.observe(instance)

    def reach(self, instance: Instance, *, inside: bool = False) -> AbstractContextManager[Way | None]:
        """This machine's own way to the server, whatever clients are told."""
        if instance.endpoint is None:
            return nullcontext(None)
        own = Endpoint(host=exposure.own_host(self._settings), port=_port(instance))
        return nullcontext(Way(endpoint=own))

    def credentials(self, instance: Instance, *, lately: bool = False) -> Credentials | None:
        """Both logins, or None."""
        return logins.read(self._layout(instance.id))

    def evidence(self, instance: Instance) -> tuple[str, ...]:
        """The server's last log lines since it was last started."""
        layout = self._layout(instance.id)
        return evidence(layout, self._secrets(layout))

    def objects(self, instance_id: UUID) -> Sequence[str]:
        """Every process, port, folder and file of the instance."""
        return objects(self._layout(instance_id))

    def found(self, installation_id: UUID) -> Mapping[UUID, Trace]:
        """Nothing: the fence of a deleted instance stays, and keeps late steps out."""
        return {}

    def watch(self, changed: Callable[[UUID], None], stop: Event) -> None:
        """Tell whose server changed, until `stop` is set."""
        watch(self.place, changed, stop)

    def running(self) -> list[UUID]:
        """The instances whose server runs."""
        return [found for found in all_ids(self.place) if processes.postmaster(self._layout(found)) is not None]

    def make_ahead(self, stop: Event) -> None:
        """Keep as many spare data directories as the settings say, for each PostgreSQL that creates ask for."""
        self._refilling.run(self.place, self.versions, self._settings.spare_folders, stop)

    def resume(self, instance_id: UUID, port: int, version: str) -> bool:
        """Run a server that some step has launched and that is gone, after all of Toygres was; whether it had to.

        For `up`, before any worker runs: a later step waits for the server, and none would launch it again.
        """
        layout = self._layout(instance_id)
        return server.resume(layout, lambda: self._command(layout, version, port))

    def shut_down(self, seconds: float) -> ShutDown:
        """End every server of the home within `seconds`, properly where it can be, without an operation.

        For `up`, once no worker runs. What is wanted stays as it is, so that `resume` brings back what is waited for.
        """
        spares.end_making(self.place)
        return shut_down([self._layout(instance_id) for instance_id in all_ids(self.place)], seconds)

    def _layout(self, instance_id: UUID) -> Layout:
        return Layout(self.place, instance_id)

    def _command(self, layout: Layout, version: str, port: int) -> list[str]:
        return command(self._binaries(version), layout, port, address=self._settings.instance_bind)

    def _binaries(self, version: str) -> Path:
        found = self.versions.get(version)
        if found is None:
            raise Refused(version_missing(version, tuple(self.versions)))
        return found

    def _secrets(self, layout: Layout) -> tuple[str, ...]:
        kept = logins.read(layout)
        return (kept.user.password, kept.monitor.password) if kept else ()


def _port(instance: Instance) -> int:
    if instance.port is None:
        raise Bug(f"instance {instance.id} was given no port")
    return instance.port
