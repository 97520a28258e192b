"""Commands that only ask import none of the dear libraries, and `--help` not even what asking takes."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from typing import Any

NEEDED_BY_NO_CLIENT = (
    "celery",
    "kombu",
    "sqlalchemy",
    "alembic",
    "kubernetes",
    "flask",
    "psycopg",
    "pydantic_settings",
)
PROGRAM = """
import sys
from toygres.cli import main
dear, sys.argv[1:] = sys.argv[1].split(","), sys.argv[2:]
code = 0
try:
    main()
except SystemExit as ended:
    code = ended.code
print("imported:", *(name for name in dear if name in sys.modules), file=sys.stderr)
sys.exit(code)
"""


def _run(dear: tuple[str, ...], *arguments: str, **variables: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-c", PROGRAM, ",".join(dear), *arguments]
    environment = {**os.environ, **variables}
    return subprocess.run(command, env=environment, capture_output=True, text=True, check=False, timeout=60)


def test_help_imports_nothing_dear() -> None:
    ran = _run((*NEEDED_BY_NO_CLIENT, "httpx", "pydantic"), "--help")
    assert (ran.returncode, ran.stderr) == (0, "imported:\n")
    assert "Order a PostgreSQL" in ran.stdout


def test_a_list_that_is_answered_imports_nothing_dear(wire: Any, instance: Callable[..., Any]) -> None:
    wire.answer("GET", "/v1/instances", {"items": [instance()], "next_cursor": None})
    ran = _run(NEEDED_BY_NO_CLIENT, "list")
    assert (ran.returncode, ran.stderr) == (0, "imported:\n")
    assert ran.stdout.splitlines()[1].startswith("demo")


def test_a_list_that_nobody_answers_imports_nothing_dear() -> None:
    ran = _run(NEEDED_BY_NO_CLIENT, "list")
    assert ran.returncode != 0
    assert "No Toygres runs" in ran.stderr
    assert ran.stderr.splitlines()[-1] == "imported:"
