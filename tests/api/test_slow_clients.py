"""Clients that stop in the middle of a request hold no thread for long."""

from __future__ import annotations

import os
import re
import socket
import subprocess
import sys
import threading
from contextlib import ExitStack
from pathlib import Path

import httpx

from toygres.config import Settings

HALF = b"GET /healthz HTTP/1.1\r\nHost: localhost\r\nX: "


def test_more_half_sent_requests_than_threads_do_not_freeze_the_page(settings: Settings) -> None:
    command = [sys.executable, "-m", "gunicorn", "--config", "python:web.gunicorn", "--bind=127.0.0.1:0"]
    database = settings.database_url
    assert database is not None
    environment = {**os.environ, "TOYGRES_HOME": str(settings.home), "DATABASE_URL": database.get_secret_value()}
    with (
        subprocess.Popen(
            [*command, "web.app:create_app()"],
            env=environment,
            cwd=Path(__file__).parents[2],
            stderr=subprocess.PIPE,
            text=True,
        ) as web,
        ExitStack() as clients,
    ):
        assert web.stderr is not None
        # It logs each client that it gives up: a full pipe would stop it.
        lines = iter(web.stderr.readline, "")
        port = next(int(found[1]) for line in lines if (found := re.search(r"127\.0\.0\.1:(\d+)", line)))
        assert any("Booting worker" in line for line in lines)
        draining = threading.Thread(target=web.stderr.read)
        draining.start()
        clients.callback(draining.join)
        clients.callback(web.terminate)
        for _ in range(40):
            client = clients.enter_context(socket.create_connection(("127.0.0.1", port)))
            client.sendall(HALF)
        answer = httpx.get(f"http://127.0.0.1:{port}/healthz", timeout=60, trust_env=False)
        assert answer.json() == {"status": "ok"}
