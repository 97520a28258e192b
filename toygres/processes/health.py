"""Whether a process is well, asked from outside it, as containers' health checks do every few seconds.

`python -m toygres.processes.health http PORT PATH` asks for a page; `… pulse SECONDS` looks when the file that
TOYGRES_PULSE_FILE names was last touched. Both take a thirtieth of a second, since they import nothing of ours.
"""

from __future__ import annotations

import os
import socket
import sys
import time

_ANSWER_SECONDS = 3.0


def http(port: int, path: str) -> str:
    """What is wrong with the page `path` on a port of loopback; empty when it answers 200."""
    try:
        with socket.create_connection(("127.0.0.1", port), timeout=_ANSWER_SECONDS) as connection:
            connection.sendall(f"GET {path} HTTP/1.0\r\nHost: localhost:{port}\r\n\r\n".encode())
            answer = connection.recv(4096).decode(errors="replace").partition("\r\n")[0]
    except OSError as error:
        return f"nothing answers on port {port}: {error}"
    return "" if answer.split()[1:2] == ["200"] else f"{path} answers {answer!r}"


def pulse(file: str, seconds: float) -> str:
    """What is wrong with a file's age; empty when it was touched in the last `seconds`."""
    try:
        age = time.time() - os.stat(file).st_mtime  # noqa: PTH116 (pathlib takes as long to import as all the rest)
    except OSError as error:
        return f"{file}: {error.strerror}"
    # A clock that stepped back is put right by the next touch.
    return "" if abs(age) <= seconds else f"{file} was last touched {age:.0f} s ago"


def main(arguments: list[str]) -> str:
    """What is wrong; empty when nothing is."""
    match arguments:
        case ["http", port, path]:
            return http(int(port), path)
        case ["pulse", seconds]:
            return pulse(os.environ.get("TOYGRES_PULSE_FILE", ""), float(seconds))
        case _:
            return "write `http PORT PATH` or `pulse SECONDS`"


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]) or None)
