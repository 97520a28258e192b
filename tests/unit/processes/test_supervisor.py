from __future__ import annotations

import itertools
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.unit.processes.conftest import Pipe, Script, await_end, runs
from toygres.processes.supervisor import NotStarted, Supervisor

TELL_AND_WAIT = "import os, signal; os.write({0}, b'%d\\n' % os.getpid()); signal.pause()"
DEAF = "import signal; signal.signal(15, signal.SIG_IGN); " + TELL_AND_WAIT


def test_a_killed_process_is_started_again_and_that_is_said(
    supervisor: Supervisor, script: Script, pipe: Pipe, reports: list[str]
):
    supervisor.settle()
    supervisor.start(script(TELL_AND_WAIT.format(pipe.writing), inherited=(pipe.writing,)))
    first = int(pipe.line())
    os.kill(first, signal.SIGKILL)
    second = int(pipe.line())
    assert second != first
    assert runs(second)
    assert reports == ["part was ended by SIGKILL; it is started again."]


def test_restarts_of_a_process_that_keeps_ending_are_ever_further_apart(
    supervisor: Supervisor, script: Script, pipe: Pipe
):
    supervisor.settle()
    supervisor.start(script(f"import os; os.write({pipe.writing}, b'began\\n')", inherited=(pipe.writing,)))
    times = []
    for _ in range(4):
        pipe.line()
        times.append(time.monotonic())
    pauses = [after - before for before, after in itertools.pairwise(times)]
    assert pauses[0] >= 0.1
    assert pauses[1] >= 0.5
    assert pauses[2] >= 1.0


def test_a_process_that_ends_while_all_are_starting_is_a_failure_told_with_its_last_words(
    supervisor: Supervisor, script: Script
):
    supervisor.start(script("raise SystemExit('the disk is on fire')", name="web"))
    with pytest.raises(NotStarted, match=r"(?s)web ended with exit code 1.*the disk is on fire"):
        supervisor.await_ready("web", lambda: False, 10)
    assert supervisor.pids() == {}


def test_a_failure_is_not_told_with_the_words_of_an_earlier_run(supervisor: Supervisor, script: Script):
    command = script("raise SystemExit('the disk is on fire')", name="web")
    command.log.write_text("the flood of last week\n")
    supervisor.start(command)
    with pytest.raises(NotStarted, match="the disk is on fire") as failed:
        supervisor.await_ready("web", lambda: False, 10)
    assert "flood" not in str(failed.value)


def test_a_program_that_is_missing_is_a_failure_in_words(supervisor: Supervisor, script: Script, tmp_path: Path):
    command = script("")
    object.__setattr__(command, "arguments", (str(tmp_path / "absent"),))
    supervisor.start(command)
    with pytest.raises(NotStarted, match="couldn't be started: No such file or directory"):
        supervisor.await_ready("part", lambda: False, 10)


def test_waiting_for_what_never_gets_ready_ends(supervisor: Supervisor, script: Script, pipe: Pipe):
    supervisor.start(script(TELL_AND_WAIT.format(pipe.writing), inherited=(pipe.writing,)))
    with pytest.raises(NotStarted, match="The part wasn't ready within 0 s"):
        supervisor.await_ready("The part", lambda: False, 0.1)


def test_stopping_asks_first_and_kills_what_is_deaf(supervisor: Supervisor, script: Script, pipe: Pipe):
    supervisor.settle()
    for name, source in (("polite", TELL_AND_WAIT), ("deaf", DEAF)):
        supervisor.start(script(source.format(pipe.writing), name=name, inherited=(pipe.writing,)))
    pids = [int(pipe.line()), int(pipe.line())]
    began = time.monotonic()
    assert supervisor.stop(["polite", "deaf"], 0.5) == ["deaf"]
    assert 0.5 <= time.monotonic() - began < 3
    assert not any(runs(pid) for pid in pids)


def test_stopping_returns_once_all_have_ended(supervisor: Supervisor, script: Script, pipe: Pipe):
    farewell = (
        "import os, signal\n"
        "def end(*_): os.write({0}, b'{1}\\n'); os._exit(0)\n"
        "signal.signal(15, end); os.write({0}, b'up\\n')\n"
        "while 1: signal.pause()"
    )
    for name in ("store", "user"):
        supervisor.start(script(farewell.format(pipe.writing, name), name=name, inherited=(pipe.writing,)))
        assert pipe.line() == "up"
    assert supervisor.stop(["user"], 5.0) == supervisor.stop(["store"], 5.0) == []
    assert [pipe.line(), pipe.line()] == ["user", "store"]


def test_what_a_dead_process_forked_is_ended_before_it_is_started_again(
    supervisor: Supervisor, script: Script, pipe: Pipe
):
    forks = (
        "import os, signal\n"
        "if os.fork() == 0:\n"
        "    os.write({0}, b'%d\\n' % os.getpid())\n"
        "else: os.write({0}, b'%d\\n' % os.getpid())\n"
        "signal.pause()"
    )
    supervisor.settle()
    supervisor.start(script(forks.format(pipe.writing), inherited=(pipe.writing,)))
    family = {int(pipe.line()), int(pipe.line())}
    (parent,) = supervisor.pids().values()
    (child,) = family - {parent}
    os.kill(parent, signal.SIGKILL)
    await_end(child)
    assert int(pipe.line()) not in family


SUPERVISES_TWO = """
import signal, sys
import threading
from pathlib import Path
from toygres.processes.child import Command
from toygres.processes.supervisor import NotStarted, Supervisor

def tell():
    if len(supervisor.pids()) == 2:
        print(*supervisor.pids().values(), flush=True)

folder = Path(sys.argv[1])
supervisor = Supervisor(print, tell, threading.Event())
for name in ("one", "two"):
    wait = (sys.executable, "-S", "-c", "import signal; signal.pause()")
    supervisor.start(Command(name=name, arguments=wait, folder=folder, log=folder / name))
signal.pause()
"""


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells a child that its parent has died")
def test_nothing_outlives_a_killed_supervisor(tmp_path: Path):
    command = [sys.executable, "-c", SUPERVISES_TWO, str(tmp_path)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as parent:
        assert parent.stdout is not None
        children = [int(pid) for pid in parent.stdout.readline().split()]
        assert len(children) == 2
        assert all(runs(pid) for pid in children)
        parent.kill()
    for pid in children:
        await_end(pid)
