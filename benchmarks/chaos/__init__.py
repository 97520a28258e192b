"""A whole control plane under faults, about one a second, while people go on ordering: what ended, and what is left."""

from __future__ import annotations

import secrets
import time
from argparse import ArgumentParser, Namespace
from collections import Counter
from dataclasses import dataclass

from benchmarks.chaos import verdict
from benchmarks.chaos.faults import Fire, Strike, told
from benchmarks.chaos.load import Load
from benchmarks.chaos.plan import faults
from benchmarks.chaos.recorder import Recorder
from benchmarks.chaos.stack import Target, target
from benchmarks.frame.report import Bound, Figure, Report, Table
from benchmarks.frame.samples import percentile, say
from toygres.platforms.local import place

QUIET_SECONDS = 60.0
TAKEOVER_SECONDS = 15.0
_TELL_EVERY = 20
_LOOK_SECONDS = 1.0


def add_options(parser: ArgumentParser) -> None:
    """How much of it, and which."""
    parser.add_argument("--seed", type=int, default=None, help="which faults and orders; a new one each time")
    parser.add_argument("--faults", type=int, default=200)
    parser.add_argument(
        "--holding", type=int, default=100, help="of them, at least so many while the victim holds a step"
    )
    parser.add_argument("--operations", type=int, default=300, help="at least so many are ordered")
    parser.add_argument("--every-seconds", type=float, default=1.0, help="about how long between two faults")
    parser.add_argument("--without-beat", action="store_true", help="stop beat before the first fault")
    parser.add_argument("--times-only-told", action="store_true", help="times and amounts have no bounds")


def run(options: Namespace) -> Report:
    """Orders and faults together, until there were enough of both; then silence, and a look at what is left."""
    seed = options.seed if options.seed is not None else secrets.randbelow(1_000_000)
    say(f"seed {seed}")
    with target() as under_fire:
        recorder = Recorder(place.find(under_fire.stack.home))
        recorder.start()
        load, fire = Load(under_fire, seed), Fire(under_fire.stack)
        if options.without_beat:
            under_fire.stack.supervisor.stop(["beat"], 5)
        began = time.monotonic()
        load.start()
        _burn(fire, load, options, seed)
        seconds = time.monotonic() - began
        fire.thaw()
        load.stop()
        left = _look(under_fire, recorder, fire.strikes)
        for trouble in (*left.orphans, *left.doubles):
            say(trouble)
        report = _report(left, recorder, load, fire.strikes, options, seconds, seed)
        recorder.stop()
        _clear(under_fire)
    return report


def _burn(fire: Fire, load: Load, options: Namespace, seed: int) -> None:
    for fault in faults(seed, options.every_seconds):
        time.sleep(fault.pause)
        fire.strike(fault)
        if len(fire.strikes) % _TELL_EVERY == 0:
            told(fire.strikes)
        holding = sum(bool(strike.held) for strike in fire.strikes)
        enough = len(fire.strikes) >= options.faults and holding >= options.holding
        if enough and len(load.accepted) >= options.operations:
            return


@dataclass(frozen=True, kw_only=True)
class _Left:
    """What was found once all was silent."""

    quiet: verdict.Quiet
    orphans: list[str]
    doubles: list[str]
    takeovers: list[float]
    operations: dict[str, int]


def _look(under_fire: Target, recorder: Recorder, strikes: list[Strike]) -> _Left:
    # The last fault may have met the metadata DB, and the time of its return counts.
    returned = verdict.await_answer(under_fire.stack.metadata.url, QUIET_SECONDS)
    services = under_fire.stack.services()
    try:
        quiet = verdict.await_quiet(services.store, QUIET_SECONDS, already=returned)
        # What has ended a moment ago is told by the kernel a moment later.
        time.sleep(_LOOK_SECONDS)
        return _Left(
            quiet=quiet,
            orphans=verdict.orphans(services),
            doubles=[*recorder.doubles, *verdict.done_twice(services.store)],
            takeovers=verdict.takeovers(services.store, strikes),
            operations=verdict.count_operations(services.store),
        )
    finally:
        services.close()


def _bounds(left: _Left, strikes: list[Strike], options: Namespace) -> tuple[Bound, ...]:
    holding = sum(bool(strike.held) for strike in strikes)
    return (
        Bound(f"operations open {QUIET_SECONDS:g} s after the last fault", float(left.quiet.open), most=0.0),
        Bound("orphans", float(len(left.orphans)), most=0.0),
        Bound("double effects", float(len(left.doubles)), most=0.0),
        Bound("operations", float(sum(left.operations.values())), least=float(options.operations)),
        Bound("faults", float(len(strikes)), least=float(options.faults)),
        Bound("faults while the victim held a step", float(holding), least=float(options.holding)),
    )


def _report(
    left: _Left, recorder: Recorder, load: Load, strikes: list[Strike], options: Namespace, seconds: float, seed: int
) -> Report:
    taken = "from a kill to the next claim of a step that the victim held, p95"
    takeover = Bound(taken, _p95(left.takeovers), most=TAKEOVER_SECONDS, unit="s")
    told = (Figure(takeover.name, takeover.value, takeover.unit),) if options.times_only_told else ()
    ended_in = left.quiet.seconds if left.quiet.seconds is not None else QUIET_SECONDS
    kinds = Counter(str(strike.fault.kind) for strike in strikes)
    return Report(
        bounds=(*_bounds(left, strikes, options), *(() if options.times_only_told else (takeover,))),
        figures=(
            *told,
            Figure("seed", float(seed)),
            Figure("faults and orders went on for", seconds, "s"),
            Figure("all had ended after the last fault in", ended_in, "s"),
            Figure("takeovers after a kill", float(len(left.takeovers))),
            Figure("the slowest of them", max(left.takeovers, default=0.0), "s"),
            Figure("orders that were refused", float(load.refused)),
            Figure("orders without an answer", float(load.unanswered)),
            Figure("things made on the machine", float(recorder.made)),
        ),
        tables=(
            Table("Faults", ("kind", "times"), tuple(sorted(kinds.items()))),
            Table("Operations", ("ended", "number"), tuple(left.operations.items())),
        ),
    )


def _p95(values: list[float]) -> float:
    return percentile(values, 95) if values else 0.0


def _clear(under_fire: Target) -> None:
    """End the servers that are left, once no worker runs."""
    from toygres import config
    from toygres.platforms.local.platform import LocalPlatform

    names = [name for name in under_fire.stack.names if name not in ("metadata", "broker")]
    under_fire.stack.supervisor.stop(names, 5.0)
    LocalPlatform("local", config.load(home=under_fire.stack.home.path)).shut_down(10.0)
