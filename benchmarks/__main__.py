"""`python -m benchmarks NAME`: run one benchmark; without a name, list them."""

from __future__ import annotations

import argparse
import shlex
import sys
from collections.abc import Sequence
from datetime import UTC, datetime

from benchmarks.frame import catalogue, results
from benchmarks.frame.catalogue import Benchmark
from benchmarks.frame.machine import this_machine
from benchmarks.frame.report import as_text
from benchmarks.frame.results import Result

_COMMAND = "uv run python -m benchmarks"
# Options of ours, which say nothing of what is measured.
_OURS = ("--json", "--save")


def main(arguments: Sequence[str]) -> int:
    """The exit code: 1 when a bound is missed, 2 when there is no such benchmark."""
    if not arguments or arguments[0].startswith("-"):
        return _list()
    name = arguments[0].replace("-", "_")
    if name not in catalogue.names():
        sys.stderr.write(f"There is no benchmark {arguments[0]!r}; there are {', '.join(catalogue.names())}.\n")
        return 2
    return run(name, catalogue.load(name), arguments[1:])


def run(name: str, benchmark: Benchmark, arguments: Sequence[str]) -> int:
    """Run it and tell what it found; 1 when it missed a bound."""
    parser = argparse.ArgumentParser(prog=f"{_COMMAND} {name}", description=catalogue.sentence(benchmark))
    parser.add_argument("--json", action="store_true", help="print the figures as JSON")
    parser.add_argument("--save", action="store_true", help="keep this run for docs/benchmarks.md")
    benchmark.add_options(parser)
    options = parser.parse_args(arguments)
    machine, began = this_machine(), datetime.now(UTC)
    result = Result(
        benchmark=name,
        command=shlex.join([*_COMMAND.split(), name, *(word for word in arguments if word not in _OURS), "--save"]),
        began_at=began.strftime("%Y-%m-%d %H:%M UTC"),
        machine=machine,
        report=benchmark.run(options),
    )
    if options.save:
        results.save(result)
    sys.stdout.write(results.as_json(result) if options.json else f"{as_text(result.report)}\n\n{machine}\n")
    return 0 if result.report.met else 1


def _list() -> int:
    for name in catalogue.names():
        sys.stdout.write(f"{name:14} {catalogue.sentence(catalogue.load(name))}\n")
    sys.stdout.write(f"\n{_COMMAND} NAME runs one; NAME --help tells its options.\n")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
