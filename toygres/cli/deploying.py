"""What `toygres deploy` does once it is told what: order, carry out, try the connection, and clean up after itself."""

from __future__ import annotations

import logging
import os
import sys
import time
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

import typer

from toygres import logs, postgres
from toygres.cli.displays import display_for
from toygres.cli.exit_codes import ExitCode, exit_code_of
from toygres.cli.interruptions import Interruptions
from toygres.cli.outcome import ENDINGS, write_trouble
from toygres.cli.output import say, seconds_text, sentences
from toygres.cli.shown import shown
from toygres.config import Settings
from toygres.domain.instance import Credentials, Endpoint, Instance
from toygres.domain.operation import OperationState
from toygres.domain.records import OperationRecord
from toygres.errors import Misconfigured, ToygresError
from toygres.home import Home
from toygres.offers import InstanceRequest
from toygres.oneshot import leftovers
from toygres.oneshot.database import Database, database
from toygres.oneshot.deleting import caller, order_delete
from toygres.oneshot.foreground import Foreground, Interrupted
from toygres.planning import DEFAULT_PROJECT, Caller
from toygres.platforms import registry
from toygres.processes import outside
from toygres.provisioning import request_instance
from toygres.services import Services, connect
from toygres.store import instances

_LOG = "TOYGRES_LOG"
_QUIET = "error"
_CHATTY = frozenset({"debug", "info"})
_CONNECTIONS = 6


@dataclass(frozen=True, kw_only=True)
class Wanted:
    """What was asked of the command; the repr hides the password."""

    request: InstanceRequest
    namespace: str | None = None
    keep: bool = False
    remove: bool = False
    show_password: bool = False


def deploy(home: Home, wanted: Wanted, interruptions: Interruptions) -> ExitCode:
    """Do all of it; how it ended. Raises what kept it from beginning."""
    overrides = {"kube_namespace": wanted.namespace} if wanted.namespace else {}
    try:
        with database(home, say, interruptions.requested, **overrides) as held:
            settings = _with_platform(held.settings, wanted)
            lines = _configure_logs(settings)
            _tell_place(settings)
            with closing(held.patiently(lambda: _connect(settings))) as services:
                platform = services.platform(settings.platform)
                platform.check()
                if held.embedded is not None:
                    outside.note_platforms(home, settings, fresh=False)
                interruptions.check()
                engine = held.patiently(lambda: Foreground(services, platform, interruptions.inbox, held.mend))
                with engine as foreground:
                    return OneShot(services, held, foreground, wanted, interruptions, lines=lines).run()
    except (KeyboardInterrupt, Interrupted):
        say("Interrupted; nothing was ordered.")
        return ExitCode.INTERRUPTED


class OneShot:
    """One instance's whole life in one command."""

    def __init__(
        self,
        services: Services,
        held: Database,
        foreground: Foreground,
        wanted: Wanted,
        interruptions: Interruptions,
        *,
        lines: bool,
    ) -> None:
        self._services, self._foreground, self._patiently = services, foreground, held.patiently
        self._platform = services.platform(services.settings.platform)
        self._wanted, self._interruptions, self._lines = wanted, interruptions, lines
        self._name = wanted.request.name

    def run(self) -> ExitCode:
        """Make it, try it and remove it again; or only remove it."""
        if self._wanted.remove:
            found = self._patiently(lambda: instances.get(self._services.store, DEFAULT_PROJECT, self._name))
            leftovers.require_here(found, self._platform)
            return self._remove(found)
        code = self._clear_way()
        if code is not ExitCode.OK:
            return code
        self._interruptions.check()
        accepted = self._patiently(lambda: request_instance(self._services, self._caller(), self._wanted.request))
        code, made = self._make(accepted.instance, accepted.operation)
        if made and self._wanted.keep:
            self._tell_kept()
            return code
        return self._remove(accepted.instance, code)

    def _clear_way(self) -> ExitCode:
        """Remove what an earlier deploy of that name left that was killed. Raises Conflict for anything else."""
        found = self._patiently(lambda: leftovers.find(self._services, self._name))
        if found is None:
            return ExitCode.OK
        self._patiently(
            lambda: leftovers.require_abandoned(self._services, found, self._interruptions.requested, self._removal())
        )
        leftovers.require_here(found, self._platform)
        self._interruptions.check()
        say(f"An earlier deploy of {self._name} ended in the middle; what it left is removed first.")
        return self._remove(found)

    def _make(self, instance: Instance, operation: OperationRecord) -> tuple[ExitCode, bool]:
        """Carry the create out and try the connection; how that went, and whether there is an instance to keep."""
        made = False
        try:
            ended = self._carry_out(operation)
            if ended.state is not OperationState.SUCCEEDED:
                say(f"{ended.kind} of {self._name} {ENDINGS[ended.state.value]}.")
                write_trouble(shown(ended))
                return ExitCode.FAILED, False
            made = True
            return self._try(instance), True
        except Interrupted:
            self._interruptions.forget()
            say("\nInterrupted." if made and self._wanted.keep else "\nInterrupted; cleaning up.")
            return ExitCode.INTERRUPTED, made
        except ToygresError as trouble:
            _tell(trouble)
            return exit_code_of(trouble), made
        except OSError as trouble:
            # Whoever reads the answer is gone, or the disk that it goes to is full; the instance goes all the same.
            say(f"toygres: the URI can't be written: {trouble.strerror}.")
            sys.stdout = Path(os.devnull).open("w")  # noqa: SIM115 (until the process ends)
            return ExitCode.FAILED, made

    def _try(self, instance: Instance) -> ExitCode:
        """Log in as a client, tell which way that went, and print the URI."""
        found = self._patiently(lambda: instances.find(self._services.store, instance.id))
        kept = self._platform.credentials(found) if found else None
        if found is None or found.endpoint is None or kept is None:
            say(f"{self._name} is gone: somebody else deleted it. See who did, then deploy it again.")
            return ExitCode.FAILED
        self._interruptions.check()
        if not self._connects(found, kept):
            return ExitCode.FAILED
        typer.echo(_uri(found.endpoint, found.spec.database, kept, show_password=self._wanted.show_password))
        sys.stdout.flush()
        return ExitCode.OK

    def _connects(self, found: Instance, kept: Credentials) -> bool:
        with self._platform.reach(found) as way:
            if way is None:
                say(f"There is no way to {self._name}: its address or its credentials are gone.")
                say("See who deletes its objects, then deploy it again.")
                return False
            began = time.monotonic()
            trouble = postgres.test_connection(way, found.spec.database, kept.user)
            took = seconds_text(time.monotonic() - began)
        if trouble is not None:
            say(f"The connection {way.told or 'to its address'} doesn't work. {trouble.code}: {trouble.message}")
            say(trouble.remedy)
            return False
        unproved = f" That doesn't prove {way.unproved}." if way.unproved else ""
        how = f" {way.told}" if way.told else f" at {way.endpoint.host}:{way.endpoint.port}"
        say(f"Connected as {kept.user.user}{how}: wrote a row and read it back in {took}.{unproved}")
        return True

    def _remove(self, instance: Instance, code: ExitCode = ExitCode.OK) -> ExitCode:
        """Delete the instance and what is left of it; `code` unless that is cut short."""
        while True:
            try:
                if not self._is_left(instance):
                    say(f"Nothing of {self._name} is left.")
                    return code
                self._carry_out(self._patiently(lambda: order_delete(self._services, self._caller(), instance)))
            except Interrupted:
                if code is ExitCode.INTERRUPTED:
                    self._tell_left(instance)
                    return code
                code = ExitCode.INTERRUPTED
                self._interruptions.forget()
                say(f"\n{instance.name} is being removed; Ctrl-C again leaves the rest of it behind.")
            except ToygresError as trouble:
                _tell(trouble)
                self._tell_left(instance)
                return exit_code_of(trouble)

    def _is_left(self, instance: Instance) -> bool:
        found = self._patiently(lambda: instances.find(self._services.store, instance.id))
        return found is not None and not leftovers.is_gone(found)

    def _carry_out(self, operation: OperationRecord) -> OperationRecord:
        with display_for(lines=self._lines) as display:
            display.show(shown(operation))
            return self._foreground.carry_out(operation, lambda found: display.show(shown(found)))

    def _tell_kept(self) -> None:
        say(f"{self._name} stays. Remove it and its data: {self._removal()}")

    def _tell_left(self, instance: Instance) -> None:
        try:
            left = list(self._platform.objects(instance.id))
        except (ToygresError, OSError):
            left = ["what there is can't be asked for now"]
        for each in left:
            say(f"Left behind: {each}")
        say(f"Remove it: {self._removal()}. `toygres up` in this home goes on with it as well.")

    def _removal(self) -> str:
        namespace = f" --namespace {self._wanted.namespace}" if self._wanted.namespace else ""
        return f"toygres deploy --remove --name {self._name}{namespace}"

    def _caller(self) -> Caller:
        return caller(self._foreground)


def _tell(trouble: ToygresError) -> None:
    message = getattr(trouble, "message", "") or str(trouble)
    say(f"toygres: {sentences(message, getattr(trouble, 'remedy', ''))}")


def _with_platform(settings: Settings, wanted: Wanted) -> Settings:
    """The settings with no other platform than the one: no other is met, or made anything on."""
    name = wanted.request.platform or settings.platform
    return settings.model_copy(update={"platform": name, "platforms": (name,)})


def _configure_logs(settings: Settings) -> bool:
    """Log what TOYGRES_LOG, else the settings, ask for; whether that comes between the lines of a drawing."""
    asked = os.environ.get(_LOG) or ("" if "log_level" not in settings.model_fields_set else settings.log_level)
    level = (asked or _QUIET).lower()
    if level not in ("debug", "info", "warning", "error"):
        raise Misconfigured(f"Wrong setting: {_LOG}: {level!r} isn't a level.", "Use debug, info, warning or error.")
    logs.configure(settings.model_copy(update={"log_level": "warning" if level in _CHATTY else level}), "deploy")
    # Others' lines may hold what they send.
    logging.getLogger("toygres").setLevel(level.upper())
    return level in _CHATTY


def _tell_place(settings: Settings) -> None:
    """Say where the instance will be, before anything is written there. Raises Misconfigured."""
    platform = registry.build(settings)[settings.platform]
    say(f"Deploying on {platform.name}: {platform.describe()}")


def _connect(settings: Settings) -> Services:
    try:
        return connect(settings, connections=_CONNECTIONS)
    except Misconfigured as wrong:
        if "is another place" not in wrong.message:
            raise
        remedy = f"{wrong.remedy} A home of its own (TOYGRES_HOME) has a metadata DB of its own."
        raise Misconfigured(wrong.message, remedy) from None


def _uri(endpoint: Endpoint, database_name: str, kept: Credentials, *, show_password: bool) -> str:
    password = quote(kept.user.password, safe="") if show_password else "{password}"
    user, name = quote(kept.user.user, safe=""), quote(database_name, safe="")
    host = f"[{endpoint.host}]" if ":" in endpoint.host else endpoint.host
    return f"postgresql://{user}:{password}@{host}:{endpoint.port}/{name}"
