"""What `toygres destroy-everything` does: first the instances that only the home knows, then the home."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from itertools import groupby

import typer

from toygres import logs
from toygres.cli.displays import display_for
from toygres.cli.exit_codes import ExitCode, exit_code_of
from toygres.cli.interruptions import Interruptions, told_to_stop
from toygres.cli.output import say, sentences
from toygres.cli.shown import shown
from toygres.config import Settings
from toygres.domain import ids
from toygres.domain.instance import Instance
from toygres.domain.records import OperationRecord
from toygres.errors import Misconfigured, ToygresError
from toygres.home import Home
from toygres.oneshot import own
from toygres.oneshot.clearing import Clearing
from toygres.oneshot.database import Database
from toygres.oneshot.foreground import Interrupted
from toygres.oneshot.own import Own
from toygres.platforms import registry
from toygres.processes import disk, metadata, outside, removal


class Destroying:
    """One run of it. With `leave` instances on other platforms than this machine stay, and are named."""

    def __init__(self, home: Home, *, leave: bool) -> None:
        self._home, self._leave = home, leave
        self._interruptions = Interruptions()
        self._may_know = metadata.may_know_elsewhere(home)
        self._known_outside = own.known_outside(home)
        self._own: Own | None = None
        self._trouble: ToygresError | OSError | None = None
        try:
            self._own = own.find(home) if self._may_know else None
        except (ToygresError, OSError) as trouble:
            self._trouble = trouble

    def at_stake(self) -> str:
        """What will be gone beyond this machine, as part of a sentence; what won't, or can't be told, is said."""
        if not self._may_know:
            return ""
        try:
            with self._opened() as held:
                counted = _counted(held.settings, own.known(held))
        except (KeyboardInterrupt, Interrupted):
            say("\nNothing was removed.")
            raise typer.Exit(ExitCode.INTERRUPTED) from None
        except (ToygresError, OSError) as trouble:
            kept = "" if self._leave else " While it can't, nothing will be removed."
            say(f"Which instances there are on other platforms can't be told now.{kept} {_told(self._home, trouble)}")
            return ""
        if self._leave and counted:
            say(f"{counted} will be left, and no Toygres will know them any more.")
        return "" if self._leave else counted

    def clear_platforms(self) -> None:
        """Stop the `up`, then delete what only the home knows, or name it. Raises typer.Exit while some is left."""
        removal.stop_up(self._home, typer.echo)
        if not self._may_know:
            return
        try:
            with self._opened() as held:
                self._clear(held, own.known(held))
        except (KeyboardInterrupt, Interrupted):
            say(f"\nInterrupted. Nothing of {self._home.path} was removed: run it again to go on.")
            raise typer.Exit(ExitCode.INTERRUPTED) from None
        except (ToygresError, OSError) as trouble:
            self._tell_untold(trouble)

    def tell_outside(self) -> None:
        """Name what a metadata DB of somebody else's still knows, which nobody touched."""
        if self._known_outside:
            typer.echo(f"left     {_so_many(self._known_outside)} on other platforms, which that schema knows")

    @contextmanager
    def _opened(self) -> Iterator[Database]:
        if self._own is None:
            raise self._trouble or Misconfigured("It wasn't looked for.")
        logs.configure(self._own.settings.model_copy(update={"log_level": "error"}), "destroy-everything")
        with told_to_stop(self._interruptions), self._own.opened(say, self._interruptions.requested) as held:
            yield held

    def _clear(self, held: Database, found: Sequence[Instance]) -> None:
        if self._leave:
            for instance in found:
                typer.echo(f"left     {_named(held.settings, instance)}; {_by_hand(held.settings, instance)}")
            return
        if found:
            own.require_original(self._home, held)
        asked = self._interruptions
        clearing = Clearing(held, asked.inbox, asked.check, _showing, lambda gone: _tell_removed(held.settings, gone))
        left = clearing.run(found)
        for each in left:
            typer.echo(f"left     {_named(held.settings, each.instance)}: {_why(each.why)}")
        if left:
            self._tell_kept(f"nobody else knows {_so_many(len(left))}, left for the reasons above.")
            raise typer.Exit(exit_code_of(left[0].why))
        # A next run that finds the home half removed needs nothing more of its metadata DB.
        with suppress(OSError, ToygresError):
            outside.note(self._home, **{outside.PLATFORMS: ""})

    def _tell_untold(self, trouble: ToygresError | OSError) -> None:
        """What it knows can't be told: that is said and goes on where clusters are left, else ends it."""
        told = f"which instances there are on other platforms: {_told(self._home, trouble)}"
        if self._leave:
            typer.echo(f"unclear  {told}")
            return
        self._tell_kept(f"it can't be told {told}")
        raise typer.Exit(exit_code_of(trouble) if isinstance(trouble, ToygresError) else ExitCode.FAILED)

    def _tell_kept(self, why: str) -> None:
        say(f"Nothing of {self._home.path} was removed: {why}")
        say("Mend that, and run it again; with --leave-clusters the home goes all the same, and what it knows stays.")


@contextmanager
def _showing() -> Iterator[Callable[[OperationRecord], None]]:
    with display_for(lines=False) as display:
        yield lambda operation: display.show(shown(operation))


def _tell_removed(settings: Settings, instance: Instance) -> None:
    typer.echo(f"removed  {_named(settings, instance)}")


def _counted(settings: Settings, found: Sequence[Instance]) -> str:
    told = [(name, len(list(group))) for name, group in groupby(found, lambda instance: instance.platform)]
    return ", ".join(f"{_so_many(many)} with all data on {name} ({_place(settings, name)})" for name, many in told)


def _so_many(many: int) -> str:
    return f"{many} instance{'' if many == 1 else 's'}"


def _named(settings: Settings, instance: Instance) -> str:
    place = _place(settings, instance.platform)
    return f"{instance.name} on {instance.platform} ({place}; {ids.shown(ids.INSTANCE, instance.id)})"


def _place(settings: Settings, name: str) -> str:
    try:
        return registry.build(settings.model_copy(update={"platform": name, "platforms": (name,)}))[name].describe()
    except ToygresError as untold:
        return f"where that is can't be told: {_why(untold)}"


def _by_hand(settings: Settings, instance: Instance) -> str:
    """How a person removes it."""
    if instance.platform != "kubernetes":
        return "remove it there"
    from toygres.platforms.kubernetes import by_hand

    return f"`{by_hand.removal(settings, instance)}` removes it"


def _told(home: Home, trouble: ToygresError | OSError) -> str:
    found = disk.trouble(home, trouble) if isinstance(trouble, OSError) else trouble
    return _why(found) if found is not None else str(trouble)


def _why(trouble: ToygresError) -> str:
    return sentences(getattr(trouble, "message", "") or str(trouble), getattr(trouble, "remedy", ""))
