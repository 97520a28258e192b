from __future__ import annotations

import os
import socket
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from toygres.processes import health


def answered_with(status: str, path: str = "/healthz") -> tuple[str, str]:
    """What the check finds wrong with a page that answers so, and what it asked."""
    asked: list[str] = []
    with socket.create_server(("127.0.0.1", 0)) as listening:

        def serve() -> None:
            connection, _ = listening.accept()
            with connection:
                asked.append(connection.recv(4096).decode())
                connection.sendall(f"HTTP/1.1 {status}\r\n\r\n".encode())

        serving = threading.Thread(target=serve)
        serving.start()
        found = health.http(listening.getsockname()[1], path)
        serving.join(10)
    return found, asked[0]


def test_a_page_that_answers_200_is_well():
    found, asked = answered_with("200 OK")
    assert found == ""
    assert asked.startswith("GET /healthz HTTP/1.0\r\nHost: localhost:")


@pytest.mark.parametrize("status", ["503 Service Unavailable", "401 Unauthorized", "nonsense"])
def test_a_page_that_answers_otherwise_is_not(status: str):
    assert "/healthz answers" in answered_with(status)[0]


def test_a_port_that_nobody_listens_on_is_not_well():
    with socket.socket() as bound:
        bound.bind(("127.0.0.1", 0))
        assert "nothing answers" in health.http(bound.getsockname()[1], "/")


def test_a_file_is_fresh_for_so_long_and_from_the_future_never(tmp_path: Path):
    file = tmp_path / "pulse"
    assert "No such file" in health.pulse(str(file), 10)
    file.touch()
    assert health.pulse(str(file), 10) == ""
    for seconds in (-60, 60):
        os.utime(file, (0, time.time() + seconds))
        assert "was last touched" in health.pulse(str(file), 10)


def test_the_command_says_what_is_wrong_and_fails(tmp_path: Path):
    def run(*arguments: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-m", "toygres.processes.health", *arguments],
            env={**os.environ, "TOYGRES_PULSE_FILE": str(tmp_path / "pulse")},
            capture_output=True,
            text=True,
            check=False,
        )

    missing = run("pulse", "10")
    assert (missing.returncode, missing.stderr) == (1, f"{tmp_path / 'pulse'}: No such file or directory\n")
    (tmp_path / "pulse").touch()
    assert run("pulse", "10").returncode == 0
    assert run("pulse").returncode == 1


def test_the_command_imports_nothing_of_ours_but_itself():
    source = "import sys, toygres.processes.health; print(sorted(name for name in sys.modules if 'toygres' in name))"
    ran = subprocess.run([sys.executable, "-c", source], capture_output=True, text=True, check=True)
    assert ran.stdout.strip() == "['toygres', 'toygres.processes', 'toygres.processes.health']"
