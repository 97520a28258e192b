"""How long a create on Kubernetes takes from the request until `ready`, against the same objects applied by hand."""

from __future__ import annotations

import logging
import statistics
from argparse import ArgumentParser, Namespace
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path

import structlog

from benchmarks.frame.clusters import ReadyTimes, fake_cluster, own_namespace, reachable
from benchmarks.frame.http_orders import Ordered, Orders
from benchmarks.frame.plain_objects import Kubectl, Model, PlainScript, kubectl
from benchmarks.frame.plain_steps import PlainSteps
from benchmarks.frame.report import Bound, Figure, Report, Table
from benchmarks.frame.samples import Pairs, interleaved
from benchmarks.frame.throwaway import running_up, throwaway_home
from toygres.config import load

TO_THE_FLOOR = 1.05
WAKE_SECONDS = 0.1

_NAMESPACE = "toygres-benchmark"
_MODEL = "benchmark-model"
_WAITS, _NEXT = "await_server", "verify_login"


def add_options(parser: ArgumentParser) -> None:
    """How much to measure, and where."""
    parser.add_argument("--pairs", type=int, default=15, help="creates, each with its floor")
    parser.add_argument("--speed", type=float, default=1.0, help="how much faster than recorded the fake cluster acts")
    parser.add_argument("--kubeconfig", type=Path, help="measure on this cluster, against kubectl")


@contextmanager
def _cluster(options: Namespace) -> Iterator[Path]:
    """The kubeconfig of the cluster that was asked for."""
    if options.kubeconfig is not None:
        kubectl()
        yield options.kubeconfig.absolute()
        return
    with fake_cluster(options.speed) as kubeconfig:
        yield kubeconfig


def run(options: Namespace) -> Report:
    """One create at a time, in turns with its floor."""
    # Each call of the floor would be told.
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.WARNING))
    with _cluster(options) as kubeconfig, throwaway_home() as home:
        cluster = reachable(kubeconfig)
        settings = {
            "TOYGRES_PLATFORM": "kubernetes",
            "TOYGRES_PLATFORMS": "kubernetes",
            "TOYGRES_NAMESPACE": _NAMESPACE,
            "KUBECONFIG": str(kubeconfig),
        }
        with (
            own_namespace(cluster, _NAMESPACE),
            ReadyTimes(cluster, _NAMESPACE) as ready,
            running_up(home, **settings) as up,
            closing(Orders(up.client)) as orders,
        ):
            ours = Ours(orders, ready)
            ours.make(_MODEL)
            model = Model.of(cluster, _NAMESPACE, _MODEL)
            floor = _Floor(options, model, ready, kubeconfig)
            pairs = interleaved(options.pairs, floor, ours.one, "request to ready")
            orders.delete([_MODEL])
    return _report(options, pairs, ours, floor.bare)


class _Floor:
    """What ours is measured against: on a real cluster kubectl, on the fake one a script that makes the same calls.

    `bare` are the seconds of a script that makes fewer, beside each of the latter.
    """

    def __init__(self, options: Namespace, model: Model, ready: ReadyTimes, kubeconfig: Path) -> None:
        self.bare: list[float] = []
        self._script: PlainScript | None = None
        self._floor: Callable[[], float]
        if options.kubeconfig is not None:
            self._floor = Kubectl(model, kubeconfig)
        else:
            self._script = PlainScript(model, ready, kubeconfig.parent)
            self._floor = PlainSteps(model.cluster, load(kube_namespace=_NAMESPACE), ready)

    def __call__(self) -> float:
        """Seconds for one."""
        if self._script is not None:
            self.bare.append(self._script())
        return self._floor()


@dataclass
class Ours:
    """The side of the real stack; the first create, which loads the client library, isn't measured."""

    orders: Orders
    ready: ReadyTimes
    creates: list[Ordered] = field(default_factory=list)
    looked: list[float] = field(default_factory=list)
    went_on: list[float] = field(default_factory=list)

    def make(self, name: str) -> Ordered:
        """Order one, and keep it."""
        return self.orders.create(name)

    def one(self) -> float:
        """Seconds for one."""
        created = self.make(f"b{len(self.creates)}")
        came = self.ready.of(f"{created.name}-0")
        steps = {step["name"]: step for step in created.operation["steps"]}
        self.looked.append(_seconds(steps[_WAITS]["ended_at"]) - came)
        self.went_on.append(_seconds(steps[_NEXT]["started_at"]) - came)
        self.creates.append(created)
        self.orders.delete([created.name])
        return created.seconds

    def parts(self) -> Table:
        """Where the time goes."""
        columns = zip(*(created.parts() for created in self.creates), strict=True)
        rows = tuple(
            (parts[0][0], _median_ms([waited for _, waited, _ in parts]), _median_ms([worked for *_, worked in parts]))
            for parts in columns
        )
        return Table("Parts of a create, medians", ("part", "waited ms", "worked ms"), rows)


def _report(options: Namespace, pairs: Pairs, ours: Ours, bare: list[float]) -> Report:
    if options.kubeconfig is None:
        against = "a plain script that makes the same calls one after the other, hears of Ready, and logs in"
        where = f"The cluster is the tests' fake one in a process of its own, at {options.speed:g} times its recorded "
        where += (
            "pace: a pod becomes ready as long after its beginning as on a real cluster, though its real PostgreSQL "
        )
        where += "is up sooner."
    else:
        against = "`kubectl apply` of the same objects and `kubectl wait` for Ready, without a login"
        where = "The cluster is the one that the kubeconfig names."
    return Report(
        bounds=(
            Bound("request to `ready`, to the floor, median of the pairs", pairs.median_of_ratios, most=TO_THE_FLOOR),
            Bound(
                "from Ready on the wire to the claim of the next step, median",
                statistics.median(ours.went_on),
                most=WAKE_SECONDS,
                unit="s",
            ),
        ),
        figures=(
            Figure("ours", statistics.median(pairs.ours), "s"),
            Figure("the floor", statistics.median(pairs.floor), "s"),
            Figure("ours takes longer by, median of the pairs", _longer_ms(pairs), "ms"),
            Figure("ratio of the medians", pairs.ratio),
            *_beside(pairs, bare),
            Figure("from Ready on the wire until it was looked at, median", _median_ms(ours.looked), "ms"),
            Figure("from Ready on the wire to the claim of the next step, slowest", max(ours.went_on) * 1000, "ms"),
            Figure("pairs", float(options.pairs)),
        ),
        tables=(ours.parts(),),
        notes=(
            f"The floor is {against}.",
            where,
            "Ready is taken down by a watch of the measuring process's own: what the wire takes to it isn't counted.",
        ),
    )


def _beside(pairs: Pairs, bare: list[float]) -> tuple[Figure, ...]:
    if not bare:
        return ()
    ratio = statistics.median(ours / alone for ours, alone in zip(pairs.ours, bare, strict=True))
    return (
        Figure(
            "a script that only applies the objects, without a look, a fence or a second login",
            statistics.median(bare),
            "s",
        ),
        Figure("ours to that, median of the pairs", ratio),
    )


def _longer_ms(pairs: Pairs) -> float:
    return _median_ms([ours - floor for ours, floor in zip(pairs.ours, pairs.floor, strict=True)])


def _seconds(moment: str) -> float:
    return datetime.fromisoformat(moment).timestamp()


def _median_ms(seconds: list[float]) -> float:
    return statistics.median(seconds) * 1000
