"""The stack under fire: two web, two worker processes, beat, broker and metadata DB, each started again at once."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from benchmarks.frame.stack import Stack, await_that, running_stack
from benchmarks.frame.throwaway import free_ports, throwaway_home
from toygres.cli.client import Client

INSTANCES = 24
_PAGE_SECONDS = 60.0


@dataclass(frozen=True)
class Target:
    """The stack, and where its web processes answer."""

    stack: Stack
    clients: tuple[Client, ...]


@contextmanager
def target() -> Iterator[Target]:
    """All of it, running."""
    ports = free_ports(INSTANCES + 2)
    instances = f"{ports[2]}-{ports[-1]}"
    with throwaway_home() as home, running_stack(home, TOYGRES_INSTANCE_PORTS=instances) as stack:
        for number in range(2):
            arguments = ("gunicorn", "--config", "python:web.gunicorn", "web.app:create_app()")
            stack.run(stack.python(f"web{number}", arguments, TOYGRES_PORT=str(ports[number])))
        stack.run(stack.python("beat", ("celery", "-A", "worker", "beat", f"--schedule={home.path}/beat-schedule")))
        for number in range(2):
            stack.worker(f"worker{number}", app="worker")
        token = home.token.read_text().strip()
        clients = tuple(Client(f"http://127.0.0.1:{port}", token) for port in ports[:2])
        await_that("answers", lambda: all(_answers(client) for client in clients), _PAGE_SECONDS, 0.2)
        yield Target(stack, clients)


def _answers(client: Client) -> bool:
    try:
        client.get("/v1/instances")
    except Exception:
        return False
    return True
