"""`toygres up --detach`: the same `up` in a session of its own, waited for until it's ready."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import typer

from toygres.cli.output import say
from toygres.home import Home


def start_detached(home: Home) -> None:
    """Start `up` in the background; returns once it's ready. Raises typer.Exit with its code when it ends instead."""
    home.make()
    log = home.logs / "up.log"
    log.touch(mode=0o600)
    before = log.stat().st_size
    reading, writing = os.pipe()
    try:
        process = _start(home, log, writing)
    finally:
        os.close(writing)
    ready = _wait(process, reading)
    with log.open("rb") as file:
        file.seek(before)
        say(file.read().decode(errors="replace").rstrip())
    if not ready:
        raise typer.Exit(process.wait())
    say(f"It runs in the background as process {process.pid}; `toygres down` stops it.")


def _start(home: Home, log: Path, ready_fd: int) -> subprocess.Popen[bytes]:
    with log.open("ab") as output:
        return subprocess.Popen(
            (sys.executable, "-m", "toygres", "up", "--ready-fd", str(ready_fd)),
            cwd=home.path,
            env={**os.environ, "TOYGRES_HOME": str(home.path)},
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
            pass_fds=(ready_fd,),
        )


def _wait(process: subprocess.Popen[bytes], ready_fd: int) -> bool:
    try:
        with os.fdopen(ready_fd, "rb") as pipe:
            # It ends without a word when the process ends.
            return pipe.read() == b"ready"
    except KeyboardInterrupt:
        process.terminate()
        process.wait()
        raise
