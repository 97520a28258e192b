"""Runs commands as the servers' user: whatever root has to write among the servers' files is written this way."""

from __future__ import annotations

import os
import signal
import subprocess
from collections.abc import Sequence
from pathlib import Path

from toygres.errors import ToygresError
from toygres.platforms.local.place import Place, identity_kwargs

_FALLBACK_PATH = "/usr/local/bin:/usr/bin:/bin:/usr/sbin:/sbin"
_OUTPUT_LINES = 30


class CommandFailed(ToygresError):
    """A command ended with an error; `output` is the end of what it said."""

    def __init__(self, command: str, outcome: str, output: tuple[str, ...]) -> None:
        super().__init__(f"{command} {outcome}: {output[-1] if output else 'it said nothing'}")
        self.output = output

    @property
    def disk_full(self) -> bool:
        """Whether it failed for want of space."""
        return any("No space left on device" in line or "Disk quota exceeded" in line for line in self.output)


def environment() -> dict[str, str]:
    """What servers and commands see of our environment: nothing that could hold a secret or redirect them."""
    return {"PATH": os.environ.get("PATH") or _FALLBACK_PATH, "LC_ALL": "C", "TZ": "UTC", "HOME": "/"}


def run(
    place: Place,
    command: Sequence[str | Path],
    *,
    seconds: float,
    stdin: str | int = "",
) -> str:
    """Run `command` to its end and return what it wrote; `stdin` is its input, as text or a descriptor.

    Raises CommandFailed when it fails or takes longer than `seconds`.
    """
    process = subprocess.Popen(
        [str(part) for part in command],
        stdin=stdin if isinstance(stdin, int) else subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        cwd="/",
        env=environment(),
        umask=0o077,
        start_new_session=True,
        text=True,
        errors="replace",
        **identity_kwargs(place),
    )
    name = Path(command[0]).name
    try:
        output, _ = process.communicate(stdin if isinstance(stdin, str) else None, timeout=seconds)
    except subprocess.TimeoutExpired:
        raise CommandFailed(name, f"took longer than {seconds:g} s", _end_of(process)) from None
    if process.returncode:
        raise CommandFailed(name, f"failed with status {process.returncode}", _last_lines(output))
    return output


def _end_of(process: subprocess.Popen[str]) -> tuple[str, ...]:
    os.killpg(process.pid, signal.SIGKILL)
    output, _ = process.communicate()
    return _last_lines(output)


def _last_lines(output: str) -> tuple[str, ...]:
    return tuple(line for line in output.splitlines() if line.strip())[-_OUTPUT_LINES:]
