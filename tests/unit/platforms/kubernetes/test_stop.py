"""What runs before a pod ends, with the container's own PID 1: a first start isn't waited for, a server is stopped."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from manifest_subject import all_manifests, plain, target

from toygres.platforms.kubernetes.configuration import FILES

# Root of a namespace alone, where the tester isn't root of the machine.
AS_ROOT = () if os.geteuid() == 0 else ("--user", "--map-root-user")
ENTRYPOINT = """#!/bin/bash
# As the official image's, which waits for initdb and heeds no signal meanwhile.
set -e
echo begun
sleep 600
echo "went on"
"""
STUB = """#!/bin/sh
echo "$@" > "$PGDATA.told"
"""


class Container:
    """A container's processes, numbered as in a container: the entrypoint is PID 1, whatever else is there."""

    def __init__(self, folder: Path) -> None:
        made = all_manifests(target(), plain())
        self.data = folder / "pgdata"
        self.files = folder / "conf"
        for path, text in (
            *((self.files / name, text) for name, text in made["config"]["data"].items()),
            (folder / "bin" / "docker-entrypoint.sh", ENTRYPOINT),
            (folder / "bin" / "pg_ctl", STUB),
        ):
            path.parent.mkdir(exist_ok=True)
            path.write_text(text)
            path.chmod(0o755)
        (self._container,) = made["stateful_set"]["spec"]["template"]["spec"]["containers"]
        self._variables = {"PATH": f"{folder}/bin:{os.environ['PATH']}", "PGDATA": str(self.data), "LC_ALL": "C"}
        command = ("unshare", *AS_ROOT, "--pid", "--fork", "--mount-proc", *self._moved(self._container["command"]))
        self.process = subprocess.Popen(
            (*command, "postgres"), env=self._variables, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE
        )
        assert self.process.stdout is not None
        assert self.process.stdout.readline() == b"begun\n"

    def stop(self) -> None:
        """Run what Kubernetes runs before it sends a signal."""
        children = Path(f"/proc/{self.process.pid}/task/{self.process.pid}/children").read_text().split()
        inside = ("nsenter", "--target", children[0], "--pid", "--mount", *(("--user",) if AS_ROOT else ()))
        command = self._moved(self._container["lifecycle"]["preStop"]["exec"]["command"])
        subprocess.run((*inside, *command), env=self._variables, check=False, timeout=30)

    def end(self) -> None:
        """Whatever is left, with the namespace's PID 1."""
        for child in Path(f"/proc/{self.process.pid}/task/{self.process.pid}/children").read_text().split():
            os.kill(int(child), 9)
        self.process.communicate(timeout=30)

    def _moved(self, command: list[str]) -> list[str]:
        return [part.replace(FILES, str(self.files)) for part in command]


@pytest.fixture
def container(tmp_path: Path) -> Iterator[Container]:
    made = Container(tmp_path)
    yield made
    if made.process.poll() is None:
        made.end()


def test_a_first_start_ends_at_once_and_is_made_anew_later(container: Container) -> None:
    assert Path(f"{container.data}.making").is_dir()
    container.stop()
    left, _ = container.process.communicate(timeout=30)
    assert left == b""
    assert container.process.returncode == 137
    assert not Path(f"{container.data}.told").exists()
    assert Path(f"{container.data}.making").is_dir()


def test_a_server_that_has_begun_is_stopped_in_its_time(container: Container) -> None:
    Path(f"{container.data}.making").rmdir()
    container.stop()
    told = Path(f"{container.data}.told").read_text().split()
    assert told[:-1] == ["stop", "-m", "fast", "-w", "-t"]
    assert 1 <= int(told[-1]) < plain().server_stop_seconds
    assert container.process.poll() is None


def test_nothing_is_killed_where_the_entrypoint_is_not_the_first_process(tmp_path: Path) -> None:
    made = all_manifests(target(), plain())
    (tmp_path / "pgdata.making").mkdir()
    for path, text in ((tmp_path / "stop.sh", made["config"]["data"]["stop.sh"]), (tmp_path / "pg_ctl", STUB)):
        path.write_text(text)
        path.chmod(0o755)
    data = tmp_path / "pgdata"
    # Of this namespace the test's own shell is the first process, should the script be wrong.
    script = f"PGDATA={data} PATH={tmp_path}:$PATH sh {tmp_path}/stop.sh 5"
    inside = ("unshare", *AS_ROOT, "--pid", "--fork", "--mount-proc", "sh", "-c", f"sleep 60 & {script}; kill -0 $!")
    assert subprocess.run(inside, check=False, timeout=30).returncode == 0
    assert Path(f"{data}.told").read_text() == "stop -m fast -w -t 5\n"
