"""What each fault does to a row's step."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable, Iterator

from driving import CALLER
from faults.declared import Fault, Part
from faults.scene import HOPELESS, Scene

from toygres.domain import ids
from toygres.domain.instance import InstanceState
from toygres.domain.operation import StepFunction
from toygres.engine import Outcome
from toygres.errors import Conflict, Refused
from toygres.operations import DELETE
from toygres.operations.context import Context
from toygres.provisioning import request_cancel

_PATIENCE = 60.0


class Died(BaseException):
    """The process is gone: nothing of what would follow happens."""


def _raising(error: Callable[[], BaseException], *, after: bool) -> Callable[[StepFunction, Context], None]:
    def act(step: StepFunction, ctx: Context) -> None:
        if after:
            step(ctx)
        raise error()

    return act


def raises(scene: Scene, *, after: bool) -> None:
    """The step raises something that may help to try again."""
    scene.meets(_raising(lambda: OSError(5, "Input/output error"), after=after))
    assert scene.deliver() == Outcome.WAITING
    scene.finish()


def refused(scene: Scene, *, after: bool) -> None:
    """The step raises what no trying again can help."""
    scene.meets(_raising(lambda: Refused(HOPELESS), after=after))
    scene.deliver()
    scene.finish()


def dies(scene: Scene, *, after: bool) -> None:
    """The worker is gone with the claim."""
    _die(scene, after=after)
    scene.world.kill(scene.one)
    scene.finish()


def forgotten(scene: Scene) -> None:
    """The claim is there, and its worker doesn't know of it."""
    _die(scene, after=True)
    scene.world.shift(1)
    scene.world.beat(scene.one)
    scene.finish()


def _die(scene: Scene, *, after: bool) -> None:
    scene.meets(_raising(Died, after=after))
    with contextlib.suppress(Died):
        scene.deliver()
        raise AssertionError("the step didn't run")


def twice(scene: Scene) -> None:
    """Two workers are handed the step at once: one runs it while the other is turned away."""
    away = threading.Event()
    outcomes: list[str] = []

    def deliver(which: int) -> None:
        driver = (scene.one, scene.other)[which]
        steps = driver.engine.steps

        def step(ctx: Context) -> None:
            assert away.wait(_PATIENCE), "both workers run the step"
            steps[scene.row.step](ctx)

        driver.engine.steps = {**steps, scene.row.step: step}
        together.wait(_PATIENCE)
        outcomes.append(scene.deliver(driver))
        driver.engine.steps = steps
        away.set()

    together = threading.Barrier(2)
    threads = [threading.Thread(target=deliver, args=(which,)) for which in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(2 * _PATIENCE)
    assert sorted(outcomes) == [Outcome.DONE, Outcome.DROPPED]
    scene.finish()


def out_of_order(scene: Scene) -> None:
    """Messages of other steps change nothing, before the step or after the end."""
    before = list(scene.effects)
    stray = scene.others()
    _deliver_in_vain(scene, reversed(stray))
    assert scene.effects == before
    assert scene.deliver() == Outcome.DONE
    scene.finish()
    ended = list(scene.effects)
    _deliver_in_vain(scene, [*stray, scene.row.step])
    assert scene.effects == ended


def _deliver_in_vain(scene: Scene, steps: Iterator[str] | list[str]) -> None:
    for step in steps:
        assert scene.one.engine.run_step(scene.operation, step) is Outcome.DROPPED


def lease_lost(scene: Scene) -> None:
    """The attempt takes longer than it may, and another one is made meanwhile."""

    def act(step: StepFunction, ctx: Context) -> None:
        step(ctx)
        scene.world.shift(scene.limit)
        assert scene.deliver(scene.other) == Outcome.DONE

    scene.meets(act)
    assert scene.deliver() == Outcome.DROPPED
    scene.finish()


def thawed_after_end(scene: Scene) -> None:
    """The step goes on when its operation has ended and another one has, too."""

    def meanwhile() -> None:
        scene.world.shift(scene.limit)
        scene.finish()
        state = scene.other.instance(scene.instance).state
        following = {InstanceState.READY: "stop", InstanceState.STOPPED: "start"}.get(state)
        if following:
            scene.finish(scene.request(following))

    _frozen(scene, meanwhile)


def thawed_after_delete(scene: Scene) -> None:
    """The step goes on when nothing is left of the instance."""

    def meanwhile() -> None:
        if scene.row.operation is DELETE:
            scene.world.kill(scene.one)
            scene.finish()
        else:
            scene.finish(scene.request("delete"))
        assert scene.objects == {}

    _frozen(scene, meanwhile)


def _frozen(scene: Scene, meanwhile: Callable[[], None]) -> None:
    """Freeze the step before its first call of the platform, or at its end when it makes none."""
    left = [meanwhile]

    def freeze(point: str) -> None:
        if left:
            left.pop()()

    def act(step: StepFunction, ctx: Context) -> None:
        scene.world.platform.at = freeze
        step(ctx)
        freeze("the end")

    scene.meets(act)
    try:
        assert scene.deliver() == Outcome.DROPPED
    finally:
        scene.world.platform.at = lambda point: None


def cancelled(scene: Scene) -> None:
    """Somebody asks for a cancel while the step runs; what undoes or deletes goes on."""
    stays = scene.row.operation.persistent or scene.row.part is not Part.STEP

    def act(step: StepFunction, ctx: Context) -> None:
        step(ctx)
        with contextlib.nullcontext() if not stays else _a_conflict():
            request_cancel(scene.world.services, CALLER, ids.shown(ids.OPERATION, scene.operation))

    scene.meets(act)
    scene.deliver()
    scene.finish()


@contextlib.contextmanager
def _a_conflict() -> Iterator[None]:
    try:
        yield
    except Conflict:
        return
    raise AssertionError("the cancel was accepted")


ACTS: dict[Fault, Callable[[Scene], None]] = {
    Fault.RAISES_BEFORE: lambda scene: raises(scene, after=False),
    Fault.RAISES_AFTER: lambda scene: raises(scene, after=True),
    Fault.REFUSED_BEFORE: lambda scene: refused(scene, after=False),
    Fault.REFUSED_AFTER: lambda scene: refused(scene, after=True),
    Fault.DIES_BEFORE: lambda scene: dies(scene, after=False),
    Fault.DIES_AFTER: lambda scene: dies(scene, after=True),
    Fault.FORGOTTEN: forgotten,
    Fault.TWICE: twice,
    Fault.OUT_OF_ORDER: out_of_order,
    Fault.LEASE_LOST: lease_lost,
    Fault.THAWED_AFTER_END: thawed_after_end,
    Fault.THAWED_AFTER_DELETE: thawed_after_delete,
    Fault.CANCELLED: cancelled,
}
