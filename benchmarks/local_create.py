"""How long a create takes from the request until `ready`, against the same work by a plain script."""

from __future__ import annotations

import os
import statistics
import time
from argparse import ArgumentParser, Namespace
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing

from benchmarks.frame.http_orders import Ordered, Orders
from benchmarks.frame.plain_create import PlainServer, create_at_once
from benchmarks.frame.report import Bound, Figure, Report, Table
from benchmarks.frame.samples import Pairs, interleaved
from benchmarks.frame.throwaway import free_ports, running_up, throwaway_home
from toygres.domain.instance import InstanceSpec
from toygres.home import Home
from toygres.platforms.local import binaries, place, spares, template
from toygres.platforms.local.configuration import render

WITH_SPARE = 1.0
AT_ONCE = 1.5
WITHOUT_SPARE = 1.4
# As many steps as one worker runs at a time.
SLOTS = 16

_SPARES_SECONDS = 60.0
_LOOK_SECONDS = 0.005

_GIB = 2**30
_SPEC = InstanceSpec(version="18", storage_bytes=_GIB, cpu_millicores=1000, memory_bytes=_GIB // 2)


def add_options(parser: ArgumentParser) -> None:
    """How much to measure."""
    parser.add_argument("--pairs", type=int, default=20, help="creates one at a time, each with its floor")
    parser.add_argument("--at-once", type=int, default=20, help="instances ordered together")
    parser.add_argument("--batches", type=int, default=4, help="times that so many are ordered together")


def run(options: Namespace) -> Report:
    """One at a time with a spare folder, many at once, and one at a time without spares."""
    with throwaway_home() as home:
        floor = Floor(home)
        with running_up(home, TOYGRES_SPARE_FOLDERS="1") as up, closing(Orders(up.client)) as orders:
            ours = Ours(orders, home, spares_kept=1)
            spare = interleaved(options.pairs, floor.one, ours.one, "one at a time")
            batches = interleaved(
                options.batches,
                lambda: floor.many(options.at_once),
                lambda: ours.many(options.at_once),
                f"{options.at_once} at once",
            )
        with running_up(home, TOYGRES_SPARE_FOLDERS="0") as up, closing(Orders(up.client)) as orders:
            copying = Ours(orders, home, spares_kept=0)
            plain = interleaved(options.pairs, floor.one, copying.one, "one at a time, without spares")
    return Report(
        bounds=(
            Bound("one at a time, to the floor", spare.ratio, most=WITH_SPARE),
            Bound(f"{options.at_once} at once, to the floor's {options.at_once}", batches.ratio, most=AT_ONCE),
            Bound("one at a time without spares, to the floor", plain.ratio, most=WITHOUT_SPARE),
        ),
        figures=(
            *_figures("one at a time", spare, 1000, "ms"),
            *_figures(f"{options.at_once} at once", batches, 1, "s"),
            *_figures("one at a time without spares", plain, 1000, "ms"),
            Figure("the spare is there again after `ready`", _median_ms(ours.refills), "ms"),
            Figure(
                "until `ready` and the spare is there again, to the floor", ours.whole / statistics.median(spare.floor)
            ),
            Figure("creates that took no spare", ours.not_taken),
        ),
        tables=(
            ours.parts("with a spare folder"),
            ours.parts_at_once(options.at_once),
            copying.parts("without spares"),
            floor.parts(),
        ),
        notes=(
            "Medians; a pair is one floor and one create, the first of which changes with each pair: what one side "
            "deletes slows the disk for the other, so a single batch shows nothing.",
        ),
    )


class Floor:
    """The plain script's side, with its servers beside the home's own."""

    def __init__(self, home: Home) -> None:
        self._place = place.find(home)
        self._binaries = binaries.bundled(self._place)
        self._template = template.ensure(self._place, self._binaries)
        self._parts: list[dict[str, float]] = []

    def one(self) -> float:
        """Seconds for one."""
        return self._measured(1)

    def many(self, count: int) -> float:
        """Seconds for so many at a worker's parallelism."""
        return self._measured(count)

    def _measured(self, count: int) -> float:
        servers = [self._server(port) for port in free_ports(count)]
        try:
            seconds = create_at_once(servers, SLOTS)
        finally:
            with ThreadPoolExecutor(SLOTS) as pool:
                list(pool.map(PlainServer.remove, servers))
        if count == 1:
            self._parts.append(servers[0].parts)
        os.sync()
        return seconds

    def _server(self, port: int) -> PlainServer:
        folder = self._place.root / f"plain-{port}"
        server = PlainServer(self._place, self._binaries, self._template, folder, port)
        server.prepare(render(_SPEC))
        return server

    def parts(self) -> Table:
        """Where the floor's time goes."""
        rows = tuple((part, _median_ms([parts[part] for parts in self._parts])) for part in self._parts[0])
        return Table("Parts of the floor, medians", ("part", "ms"), rows)


class Ours:
    """The side of the real stack. Before each measured create there must be as many spares as are kept."""

    def __init__(self, orders: Orders, home: Home, spares_kept: int) -> None:
        self._orders = orders
        self._place = place.find(home)
        self._kept = spares_kept
        self._creates: list[Ordered] = []
        self._at_once: list[Ordered] = []
        self.refills: list[float] = []
        self.not_taken = 0
        self._await_spares()

    def one(self) -> float:
        """Seconds for one."""
        before = spares.ready(self._place)
        created = self._orders.create(f"b{len(self._creates)}")
        ready_at = time.monotonic()
        self.not_taken += bool(before) and not set(before) - set(spares.ready(self._place))
        self._await_spares()
        self.refills.append(time.monotonic() - ready_at)
        self._creates.append(created)
        self._clear([created.name])
        return created.seconds

    def many(self, count: int) -> float:
        """Seconds for so many that are ordered together."""
        names = [f"m{number}" for number in range(count)]
        created = self._orders.create_at_once(names)
        self._await_spares()
        self._at_once += created
        self._clear(names)
        return max(each.seconds for each in created)

    @property
    def whole(self) -> float:
        """Seconds until an instance was ready and the spare that it took was there again."""
        both = zip(self._creates, self.refills, strict=True)
        return statistics.median(created.seconds + refill for created, refill in both)

    def parts(self, title: str) -> Table:
        """Where our time goes, one at a time."""
        return _parts(f"Parts of a create {title}, medians", self._creates)

    def parts_at_once(self, count: int) -> Table:
        """Where it goes when so many are ordered together."""
        # Who is told last was followed last: the end of the others says nothing.
        return _parts(f"Parts of {count} creates at once, medians", self._at_once, but_the_last=1)

    def _await_spares(self) -> None:
        """Return once the spares are there again: the floor mustn't be slowed by their making."""
        until = time.monotonic() + _SPARES_SECONDS
        while len(spares.ready(self._place)) < self._kept:
            if time.monotonic() > until:
                raise SystemExit(f"There was no spare data folder within {_SPARES_SECONDS:.0f} s.")
            time.sleep(_LOOK_SECONDS)

    def _clear(self, names: list[str]) -> None:
        self._orders.delete(names)
        os.sync()


def _figures(what: str, pairs: Pairs, scale: float, unit: str) -> tuple[Figure, ...]:
    return (
        Figure(f"{what}: ours", statistics.median(pairs.ours) * scale, unit),
        Figure(f"{what}: the floor", statistics.median(pairs.floor) * scale, unit),
        Figure(f"{what}: median of the pairs' ratios", pairs.median_of_ratios),
    )


def _parts(title: str, creates: list[Ordered], but_the_last: int = 0) -> Table:
    columns = list(zip(*(created.parts() for created in creates), strict=True))
    rows = tuple(
        (parts[0][0], _median_ms([waited for _, waited, _ in parts]), _median_ms([worked for *_, worked in parts]))
        for parts in columns[: len(columns) - but_the_last]
    )
    return Table(title, ("part", "waited ms", "worked ms"), rows)


def _median_ms(seconds: list[float]) -> float:
    return statistics.median(seconds) * 1000
