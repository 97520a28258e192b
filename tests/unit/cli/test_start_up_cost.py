"""`toygres --help` imports none of the dear libraries, and no command's module imports them for another's sake."""

from __future__ import annotations

import subprocess
import sys

DEAR = ("celery", "sqlalchemy", "kubernetes", "flask", "httpx", "pydantic_settings", "psycopg")
PROGRAM = """
import sys
sys.argv = ["toygres", "--help"]
from toygres.cli import main
try:
    main()
except SystemExit as ended:
    assert not ended.code
print("imported:", *(name for name in {dear!r} if name in sys.modules), file=sys.stderr)
"""


def test_help_imports_nothing_dear() -> None:
    ran = subprocess.run(
        [sys.executable, "-c", PROGRAM.format(dear=DEAR)], capture_output=True, text=True, check=True, timeout=60
    )
    assert ran.stderr.strip() == "imported:"
    assert "Order a PostgreSQL" in ran.stdout
