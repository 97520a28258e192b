"""A whole control plane under faults, about one a second, while people go on ordering: what ended, and what is left."""

from __future__ import annotations

import secrets
import time
from argparse import ArgumentParser, Namespace
from collections import Counter

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
        report = _judge(under_fire, recorder, load, fire.strikes, options, seconds, seed)
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


def _judge(
    under_fire: Target,
    recorder: Recorder,
    load: Load,
    strikes: list[Strike],
    options: Namespace,
    seconds: float,
    seed: int,
) -> Report:
    # The last fault may have met the metadata DB, and the time of its return counts.
    returned = verdict.await_answer(under_fire.stack.metadata.url, QUIET_SECONDS)
    services = under_fire.stack.services()
    try:
        quiet = verdict.await_quiet(services.store, QUIET_SECONDS, already=returned)
        # What has ended a moment ago is told by the kernel a moment later.
        time.sleep(_LOOK_SECONDS)
        left = verdict.orphans(services)
        doubles = [*recorder.doubles, *verdict.done_twice(services.store)]
        taken = verdict.takeovers(services.store, strikes)
        ended = verdict.count_operations(services.store)
    finally:
        services.close()
    for trouble in (*left, *doubles):
        say(trouble)
    holding = sum(bool(strike.held) for strike in strikes)
    times = [
        Bound(
            "from a kill to the next claim of a step that the victim held, p95",
            _p95(taken),
            most=TAKEOVER_SECONDS,
            unit="s",
        )
    ]
    amounts = [
        Bound("operations", float(sum(ended.values())), least=float(options.operations)),
        Bound("faults", float(len(strikes)), least=float(options.faults)),
        Bound("faults while the victim held a step", float(holding), least=float(options.holding)),
    ]
    bounds = [
        Bound(f"operations open {QUIET_SECONDS:g} s after the last fault", float(quiet.open), most=0.0),
        Bound("orphans", float(len(left)), most=0.0),
        Bound("double effects", float(len(doubles)), most=0.0),
    ]
    told_only = [Figure(bound.name, bound.value, bound.unit) for bound in times] if options.times_only_told else []
    return Report(
        bounds=(*bounds, *amounts, *([] if options.times_only_told else times)),
        figures=(
            *told_only,
            Figure("seed", float(seed)),
            Figure("faults and orders went on for", seconds, "s"),
            Figure(
                "all had ended after the last fault in",
                quiet.seconds if quiet.seconds is not None else QUIET_SECONDS,
                "s",
            ),
            Figure("takeovers after a kill", float(len(taken))),
            Figure("the slowest of them", max(taken, default=0.0), "s"),
            Figure("orders that were refused", float(load.refused)),
            Figure("orders without an answer", float(load.unanswered)),
            Figure("things made on the machine", float(recorder.made)),
        ),
        tables=(
            Table("Faults", ("kind", "times"), tuple(sorted(Counter(str(s.fault.kind) for s in strikes).items()))),
            Table("Operations", ("ended", "number"), tuple(ended.items())),
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
