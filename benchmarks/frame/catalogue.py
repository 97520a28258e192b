"""Which benchmarks there are: the modules of the package that can run."""

from __future__ import annotations

import importlib
import pkgutil
from argparse import ArgumentParser, Namespace
from typing import Protocol, cast

import benchmarks
from benchmarks.frame.report import Report

_OTHERS = {"__main__", "document", "frame", "results"}


class Benchmark(Protocol):
    """A module: its docstring says in one sentence what it measures."""

    __doc__: str | None

    def add_options(self, parser: ArgumentParser) -> None:
        """Say what can be chosen on the command line."""

    def run(self, options: Namespace) -> Report:
        """Measure."""


def names() -> list[str]:
    """Every benchmark's name."""
    return sorted({module.name for module in pkgutil.iter_modules(benchmarks.__path__)} - _OTHERS)


def load(name: str) -> Benchmark:
    """The benchmark called `name`, which is one of `names()`."""
    return cast(Benchmark, importlib.import_module(f"benchmarks.{name}"))


def sentence(benchmark: Benchmark) -> str:
    """What it measures."""
    return (benchmark.__doc__ or "").strip().partition("\n")[0]
