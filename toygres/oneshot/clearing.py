"""Deleting all instances that don't live on this machine, one after the other, by the same operation as ever."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, closing
from dataclasses import dataclass
from functools import partial
from itertools import groupby
from queue import SimpleQueue

from toygres.domain.instance import Instance
from toygres.domain.operation import OperationState, StepState
from toygres.domain.records import OperationRecord
from toygres.errors import Conflict, ToygresError, Unavailable
from toygres.keyring import new_key
from toygres.oneshot.database import Database
from toygres.oneshot.deleting import caller, order_delete
from toygres.oneshot.foreground import Foreground, Told
from toygres.platforms import registry
from toygres.secrets import Cipher
from toygres.services import Services
from toygres.store import installation
from toygres.store.session import Store

_CONNECTIONS = 6


@dataclass(frozen=True)
class Left:
    """An instance that wasn't deleted, and why."""

    instance: Instance
    why: ToygresError


class _Late(Exception):
    """A delete takes longer than it may."""


class Clearing:
    """Deletes instances. `showing` is where each delete is shown, `removed` is told which instance is gone.

    `check` raises Interrupted once somebody wants to end this; whatever waits hears that through `inbox`.
    """

    def __init__(
        self,
        held: Database,
        inbox: SimpleQueue[Told],
        check: Callable[[], None],
        showing: Callable[[], AbstractContextManager[Callable[[OperationRecord], None]]],
        removed: Callable[[Instance], None],
    ) -> None:
        self._held, self._inbox, self._check = held, inbox, check
        self._showing, self._removed = showing, removed

    def run(self, found: Sequence[Instance]) -> list[Left]:
        """Delete them all; those that are left. Raises Interrupted."""
        left = []
        for name, group in groupby(found, lambda instance: instance.platform):
            those = list(group)
            try:
                with closing(self._held.patiently(partial(connect, self._held, name))) as services:
                    left += self._clear(services, name, those)
            except ToygresError as trouble:
                left += [Left(instance, trouble) for instance in those]
        return left

    def _clear(self, services: Services, name: str, those: Sequence[Instance]) -> list[Left]:
        left: list[Left] = []
        platform = services.platform(name)
        platform.check()
        self._check()
        with self._held.patiently(lambda: Foreground(services, platform, self._inbox, self._held.mend)) as foreground:
            for at, instance in enumerate(those):
                try:
                    self._delete(services, foreground, instance)
                except ToygresError as trouble:
                    left.append(Left(instance, trouble))
                    try:
                        platform.check()
                    except ToygresError as away:
                        return [*left, *(Left(other, away) for other in those[at + 1 :])]
        return left

    def _delete(self, services: Services, foreground: Foreground, instance: Instance) -> None:
        """Return once it is gone. Raises ToygresError when it isn't, and Interrupted."""
        self._check()
        ordered = self._held.patiently(lambda: order_delete(services, caller(foreground), instance))
        ended = self._carried_out(foreground, ordered, services.settings.undo_seconds)
        if ended.state is not OperationState.SUCCEEDED:
            raise Conflict(f"Its delete was ended by somebody else: it is {ended.state.value}.", "Run this again.")
        self._removed(instance)

    def _carried_out(self, foreground: Foreground, ordered: OperationRecord, seconds: float) -> OperationRecord:
        """The delete as it ended. It would be tried for ever: raises Unavailable when it isn't through in time."""
        last, late = ordered, _Late()

        def keep(operation: OperationRecord) -> None:
            nonlocal last
            last = operation
            show(operation)

        timer = threading.Timer(seconds, self._inbox.put, (late,))
        timer.daemon = True
        timer.start()
        try:
            with self._showing() as show:
                keep(ordered)
                return self._carry_out(foreground, ordered, keep, late)
        except _Late:
            raise _overdue(last, seconds) from None
        finally:
            timer.cancel()

    def _carry_out(
        self, foreground: Foreground, ordered: OperationRecord, show: Callable[[OperationRecord], None], late: _Late
    ) -> OperationRecord:
        while True:
            try:
                return foreground.carry_out(ordered, show)
            except _Late as told:
                # One of an earlier delete may come when that is over.
                if told is late:
                    raise


def connect(held: Database, name: str) -> Services:
    """What it takes to delete on the platform of that name, which is neither met nor made anything on.

    Raises Misconfigured and Unavailable.
    """
    settings = held.settings.model_copy(update={"platform": name, "platforms": (name,)})
    platforms = registry.build(settings)
    store = Store(settings.database_url.get_secret_value() if settings.database_url else "", connections=_CONNECTIONS)
    try:
        if expected := installation.platform_identity(store, name):
            platforms[name].expect(expected)
        found = installation.identity(store)
    except BaseException:
        store.close()
        raise
    # A delete reads no password: keys that were lost mustn't keep anything from it.
    cipher = Cipher([new_key()])
    return Services(settings=settings, store=store, platforms=platforms, cipher=cipher, installation_id=found)


def _overdue(operation: OperationRecord, seconds: float) -> Unavailable:
    waiting = [step.cause for step in operation.steps if step.cause and step.state is StepState.WAITING]
    told = f"Its delete isn't through after {seconds:.0f} s."
    if not waiting:
        return Unavailable(told, "Run this again.")
    return Unavailable(f"{told} {waiting[0].message}", waiting[0].remedy)
