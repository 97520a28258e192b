"""Runs commands as the servers' user: whatever root has to write among the servers' files is written this way."""

from __future__ import annotations

import functools
import os
import shutil
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, nullcontext
from pathlib import Path

from toygres.errors import ToygresError
from toygres.platforms.local.place import Identity, Place, identity_kwargs

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


class Interrupt:
    """Ends the command that runs with it, and every one that would, once it is set."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._set = False
        self._running: subprocess.Popen[str] | None = None

    def set(self) -> None:
        """Kill what runs."""
        with self._lock:
            self._set = True
            if self._running is not None:
                self._running.kill()

    @contextmanager
    def over(self, process: subprocess.Popen[str]) -> Iterator[None]:
        """Within this block, which must wait for the end of `process`, it can be killed."""
        with self._lock:
            self._running = process
            if self._set:
                process.kill()
        try:
            yield
        finally:
            with self._lock:
                self._running = None


def environment() -> dict[str, str]:
    """What servers and commands see of our environment: nothing that could hold a secret or redirect them."""
    return {"PATH": os.environ.get("PATH") or _FALLBACK_PATH, "LC_ALL": "C", "TZ": "UTC", "HOME": "/"}


def as_server_user(place: Place, command: Sequence[str | Path]) -> tuple[list[str], Identity]:
    """`command` and the arguments of `subprocess.Popen` that make it run as the servers' user.

    By a program that changes the user where there is one: else Python must fork a process as big as ours instead of
    starting a small one, which takes it milliseconds in which nothing else of ours runs.
    """
    words = [str(part) for part in command]
    changer = _changer() if place.user else None
    if changer is None:
        return words, identity_kwargs(place)
    return [changer, f"--reuid={place.owner}", f"--regid={place.group}", "--clear-groups", "--", *words], {}


@functools.cache
def _changer() -> str | None:
    """A `setpriv` that knows what we want of it."""
    found = shutil.which("setpriv") if sys.platform == "linux" else None
    if found is None:
        return None
    tried = [found, f"--reuid={os.geteuid()}", f"--regid={os.getegid()}", "--clear-groups", "--", found, "--version"]
    return found if subprocess.run(tried, capture_output=True, check=False).returncode == 0 else None


def run(
    place: Place,
    command: Sequence[str | Path],
    *,
    seconds: float,
    stdin: str | int = "",
    interrupt: Interrupt | None = None,
) -> str:
    """Run `command` to its end and return what it wrote; `stdin` is its input, as text or a descriptor.

    Raises CommandFailed when it fails, takes longer than `seconds` or is interrupted.
    """
    words, identity = as_server_user(place, command)
    process = subprocess.Popen(
        words,
        stdin=stdin if isinstance(stdin, int) else subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        cwd="/",
        env=environment(),
        umask=0o077,
        start_new_session=True,
        text=True,
        errors="replace",
        **identity,
    )
    name = Path(command[0]).name
    try:
        with interrupt.over(process) if interrupt else nullcontext():
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
