"""The floor of `up`: the programs that it runs, all started at once, with nothing of ours in the Python ones."""

from __future__ import annotations

import subprocess
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path
from signal import Signals

import psutil

from benchmarks.frame.memory import family
from benchmarks.frame.throwaway import answers, free_ports, without_settings
from toygres.home import Home
from toygres.platforms.local import place
from toygres.processes import child
from toygres.processes.broker import Broker
from toygres.processes.metadata import Metadata

_SECONDS = 120.0
_STOP_SECONDS = 20.0
_LOOK_SECONDS = 0.005
_PAGE = """\
def app(environ, start_response):
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [b"a page"]
"""
_CELERY = """\
from celery import Celery

celery = Celery("bare", broker={url!r})
celery.conf.update(worker_send_task_events=True, task_ignore_result=True)
"""


@dataclass
class BareStack:
    """PostgreSQL, Valkey, gunicorn, a Celery worker and Flower on a home of their own, until they are stopped."""

    home: Home
    _running: dict[str, subprocess.Popen[bytes]] = field(default_factory=dict)
    _stops: dict[str, Signals] = field(default_factory=dict)

    def start(self) -> float:
        """Run all; the seconds until the stores are ready and the page answers."""
        self.home.make()
        (self.home.path / "page.py").write_text(_PAGE)
        metadata, broker = Metadata(self.home, place.find(self.home, place.Tenant.METADATA)), Broker(self.home)
        (self.home.path / "bare.py").write_text(_CELERY.format(url=broker.url))
        port, flower = free_ports(2)
        commands = [metadata.prepare(), broker.prepare()]
        began = time.perf_counter()
        for command in commands:
            self._spawn(command)
        self._python("web", "gunicorn", f"--bind=127.0.0.1:{port}", "--threads=32", "page:app")
        self._python("worker", "celery", "-A", "bare", "worker", "-P", "threads", "-c", "16")
        while not (metadata.ready() and broker.ready() and answers(port)):
            if time.perf_counter() - began > _SECONDS:
                raise SystemExit("The bare programs didn't start.")
            time.sleep(_LOOK_SECONDS)
        taken = time.perf_counter() - began
        self._python("flower", "celery", "-A", "bare", "flower", f"--port={flower}", "--address=127.0.0.1")
        return taken

    def stop(self) -> None:
        """End all."""
        left = [process for processes in self.processes().values() for process in processes]
        for name, process in reversed(self._running.items()):
            process.send_signal(self._stops[name])
        for process in self._running.values():
            try:
                process.wait(_STOP_SECONDS)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
        psutil.wait_procs(left, timeout=_STOP_SECONDS)
        self._running.clear()

    def processes(self) -> dict[str, list[psutil.Process]]:
        """Its processes by the names that those of `up` have, each with what it forked."""
        return {name: family(psutil.Process(process.pid)) for name, process in self._running.items()}

    def _python(self, name: str, program: str, *arguments: str) -> None:
        self._spawn(
            child.Command(
                name=name,
                arguments=(str(Path(sys.executable).with_name(program)), *arguments),
                folder=self.home.path,
                log=self.home.logs / f"{name}.log",
                environment={**without_settings(), "PYTHONPATH": str(self.home.path)},
            )
        )

    def _spawn(self, command: child.Command) -> None:
        self._running[command.name] = child.spawn(command)
        self._stops[command.name] = command.stop_signal
