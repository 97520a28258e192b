"""The scripts in bin/ on a machine of stand-ins: what they run, and what they say before they install anything."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

BIN = Path(__file__).parents[3] / "bin"
TOOLS = ("cksum", "dirname", "mkdir", "mv", "readlink", "rm", "sh", "tr")


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """A checkout whose environment's programs say what they were given, and `tools`, a PATH of few programs."""
    shutil.copytree(BIN, tmp_path / "checkout" / "bin")
    (tmp_path / "tools").mkdir()
    for name in TOOLS:
        found = shutil.which(name)
        assert found is not None
        (tmp_path / "tools" / name).symlink_to(found)
    for name in ("celery", "toygres"):
        _install(tmp_path / "checkout" / ".venv" / "bin" / name, f'echo {name} "$@"')
    return tmp_path / "checkout"


def _install(program: Path, script: str) -> None:
    program.parent.mkdir(parents=True, exist_ok=True)
    program.write_text(f"#!/bin/sh\n{script}\n")
    program.chmod(0o755)


def _run(checkout: Path, name: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    path = str(checkout.parent / "tools")
    return subprocess.run(
        [checkout / "bin" / name, *arguments],
        capture_output=True,
        text=True,
        env={"PATH": path},
        check=False,
        timeout=30,
    )


@pytest.mark.parametrize("name", ["celery", "toygres"])
def test_a_script_runs_the_environments_program_with_its_arguments(checkout: Path, name: str) -> None:
    _install(checkout.parent / "tools" / "uv", "exit 0")
    ran = _run(checkout, name, "-A", "worker", "a status")
    assert (ran.returncode, ran.stdout, ran.stderr) == (0, f"{name} -A worker a status\n", "")


def test_root_is_told_before_a_package_is_installed(checkout: Path) -> None:
    tools = checkout.parent / "tools"
    _install(tools / "id", "echo 0")
    _install(tools / "python3", "exit 1")
    _install(tools / "apt-get", "exit 1")
    ran = _run(checkout, "toygres", "--version")
    assert ran.returncode == 69
    assert ran.stderr.splitlines()[:2] == ["Getting uv (once) ...", "Installing Debian's python3-venv (once) ..."]


def test_an_ordinary_user_is_told_what_to_install(checkout: Path) -> None:
    tools = checkout.parent / "tools"
    _install(tools / "id", "echo 1000")
    _install(tools / "python3", "exit 1")
    _install(tools / "apt-get", "exit 1")
    ran = _run(checkout, "celery", "--version")
    assert ran.returncode == 69
    assert "Installing" not in ran.stderr
    assert "install the package python3-venv" in ran.stderr
