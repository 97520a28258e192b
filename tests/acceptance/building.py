"""Builds the Dockerfile's image by hand: its own lines, run in order on this machine's files, which stay as they are.

With TOYGRES_TEST_WHOLE_IMAGE all of it is built, from the registry; else the last stage's packages are the tests' own.
"""

from __future__ import annotations

import os
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

from tests.acceptance.containers import REPOSITORY, Image, Line

WHOLE = "TOYGRES_TEST_WHOLE_IMAGE"
_ENVIRONMENT = "opt/toygres/.venv"
_CACHE = "--mount=type=cache,target="


def build(image: Image, folder: Path) -> Path:
    """What the last stage adds to its base, in a folder."""
    stage = _Stage(folder / "last")
    for line in image.stages[-1]:
        stage.carry_out(line)
    target = stage.files / _ENVIRONMENT
    target.parent.mkdir(parents=True, exist_ok=True)
    if not os.environ.get(WHOLE):
        target.symlink_to(sys.prefix)
        return stage.files
    first = _Stage(folder / "first")
    for line in image.stages[0]:
        first.carry_out(line)
    (first.files / _ENVIRONMENT).rename(target)
    return stage.files


class _Stage:
    """One stage: what it has added so far, and where it is."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.files = folder, folder / "files"
        for path in (self.files, folder / "work", folder / "merged"):
            path.mkdir(parents=True)
        # A base image's Python is nowhere that only root may pass.
        for above in reversed(Path(sys.base_prefix).parents[:-1]):
            (self.files / above.relative_to("/")).mkdir()
        self.where = "/"
        self.environment: dict[str, str] = {}

    def carry_out(self, line: Line) -> None:
        match line.command:
            case "WORKDIR":
                self.where = line.words[0]
                (self.files / self.where.lstrip("/")).mkdir(parents=True, exist_ok=True)
            case "ENV":
                self.environment |= dict(zip(line.words[::2], line.words[1::2], strict=True))
            case "COPY" if not line.flags:
                self._copy(*line.words)
            case "RUN":
                self._run(line)

    def _copy(self, *words: str) -> None:
        *sources, target = words
        for source in sources:
            found, to = REPOSITORY / source, self.files / self.where.lstrip("/") / target
            if found.is_dir():
                shutil.copytree(found, to, ignore=shutil.ignore_patterns("__pycache__"))
            else:
                shutil.copy(found, to)

    def _run(self, line: Line) -> None:
        merged = self.folder / "merged"
        layers = f"lowerdir=/,upperdir={self.files},workdir={self.folder / 'work'}"
        lines = [f"mount -t overlay overlay -o {layers} {merged}", f"mount --rbind /dev {merged}/dev"]
        for flag in line.flags:
            cache = flag.removeprefix(_CACHE)
            kept = Path.home() / ".cache" / "uv"
            kept.mkdir(parents=True, exist_ok=True)
            lines += [f"mkdir -p {merged}{cache}", f"mount --bind {kept} {merged}{cache}"]
        inside = ["sh", "-ec", f"cd {self.where} && {line.words[0]}"]
        lines.append(f"exec chroot {merged} {shlex.join(inside)}")
        path = f"{sys.base_prefix}/bin:{os.environ['PATH']}"
        ran = subprocess.run(
            ["unshare", "--mount", "sh", "-ec", "\n".join(lines)],
            env={
                **os.environ,
                **self.environment,
                "UV_SYSTEM_CERTS": "true",
                "PATH": path,
            },
            capture_output=True,
            text=True,
            check=False,
        )
        assert ran.returncode == 0, f"{line.words[0]}\n{ran.stdout}{ran.stderr}"
