"""POSTGRES_PASSWORD: by whichever way it comes, it is used once and stays in nobody's environment."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from toygres.home import Home, write_private

BIN = Path(__file__).parents[3] / "bin"
INSTANCES = "/v1/instances"
HARD = r"""it's "hard" \n%41 $HOME `id` \\ #!"""
UNUSABLE = "POSTGRES_PASSWORD can't be used: 8 to 128 printable ASCII characters"
# What the program finds: its own environment as the kernel tells it, and what the descriptor holds.
TELL = """\
import os, sys
from pathlib import Path
from toygres.cli import given_password
given_password.take()
environment = Path("/proc/self/environ").read_bytes() if sys.platform == "linux" else b""
print(repr((given_password._GIVEN, environment.decode(errors="replace"), dict(os.environ))))
"""


@pytest.fixture(params=["sh", "bash"])
def script(request: pytest.FixtureRequest, tmp_path: Path) -> Callable[..., subprocess.CompletedProcess[str]]:
    """Runs bin/toygres of a checkout whose program tells what it was given, by this machine's shells."""
    shell = shutil.which(request.param)
    assert shell is not None
    checkout = tmp_path / "checkout"
    shutil.copytree(BIN, checkout / "bin")
    if request.param == "bash":
        # The script begins itself anew by /bin/sh, which is bash on many systems.
        text = (checkout / "bin" / "toygres").read_text()
        assert "exec /bin/sh" in text
        (checkout / "bin" / "toygres").write_text(text.replace("exec /bin/sh", f"exec {shell}"))
    _install(checkout / ".venv/bin/toygres", f"#!{sys.executable}\n{TELL}")
    # What installs packages tells which descriptors it was handed, and its environment.
    uv = "#!/bin/sh\nls -l /proc/self/fd >&2 2>/dev/null; echo >&2; env >&2; tr '\\0' '\\n' </proc/$PPID/environ >&2\n"
    _install(tmp_path / "tools" / "uv", uv)

    def run(password: str | bytes) -> subprocess.CompletedProcess[str]:
        path = f"{tmp_path / 'tools'}:{os.environ['PATH']}"
        environment = {b"PATH": path.encode(), b"PYTHONPATH": os.fsencode(BIN.parent)}
        return subprocess.run(
            [shell, checkout / "bin" / "toygres", "create", "a b"],
            env={**environment, b"POSTGRES_PASSWORD": os.fsencode(password)},
            capture_output=True,
            text=True,
            timeout=30,
            check=True,
            close_fds=True,
        )

    return run


def _install(program: Path, text: str) -> None:
    program.parent.mkdir(parents=True, exist_ok=True)
    program.write_text(text)
    program.chmod(0o755)


@pytest.mark.parametrize(
    "password",
    ["correct horse", HARD, "two\nlines\n", "password\n$(id)\npassword", "-n %s \\c", "ends in a backslash\\"],
)
def test_the_script_hands_it_on_as_it_is_and_nothing_else_sees_it(script: Any, password: str) -> None:
    ran = script(password)
    given, environment, seen = eval(ran.stdout)  # noqa: S307
    assert given == [password]
    assert password not in environment + repr(seen)
    assert not {"POSTGRES_PASSWORD", "TOYGRES_PASSWORD_FD"} & set(seen)
    # Neither what installs packages nor the script itself, which waits for it, has it in its environment.
    assert "PATH=" in ran.stderr
    assert "POSTGRES_PASSWORD" not in ran.stderr
    assert "pipe:" not in ran.stderr.replace(" 1 -> pipe:", "").replace(" 2 -> pipe:", "")


def test_the_script_hands_on_that_one_is_too_long_without_waiting_for_a_reader(script: Any) -> None:
    given, _, _ = eval(script("x" * 100_000).stdout)  # noqa: S307
    assert given == ["-"]


def test_the_script_takes_an_empty_one_for_none(script: Any) -> None:
    ran = script("")
    assert eval(ran.stdout)[0] == []  # noqa: S307


@pytest.fixture
def create(wire: Any, instance: Any, operation: Any) -> Callable[..., subprocess.CompletedProcess[str]]:
    """Runs `toygres create demo` in a process of its own, as `uv run` and the installed script do."""
    wire.answer("POST", INSTANCES, {"instance": instance("requested"), "operation": operation()}, status=202)

    def run(*more: str, **variables: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-m", "toygres", "create", "demo", "--no-wait", *more],
            env={**os.environ, **variables},
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )

    return run


@pytest.mark.parametrize("password", ["correct horse", HARD])
def test_create_uses_it(wire: Any, create: Any, password: str) -> None:
    assert create(POSTGRES_PASSWORD=password).returncode == 0
    assert wire.seen[0].body == {"name": "demo", "password": password}


def test_a_password_file_wins(wire: Any, create: Any, tmp_path: Path) -> None:
    (tmp_path / "password").write_text("from the file")
    assert create("--password-file", str(tmp_path / "password"), POSTGRES_PASSWORD="from the variable").returncode == 0
    assert wire.seen[0].body["password"] == "from the file"


@pytest.mark.parametrize("password", ["short", "pass\nword", "p\u00e4ssword", "x" * 5000])
def test_one_that_cannot_be_used_is_an_error_that_does_not_show_it(wire: Any, create: Any, password: str) -> None:
    ran = create(POSTGRES_PASSWORD=password)
    assert (ran.returncode, ran.stdout) == (2, "")
    assert UNUSABLE in ran.stderr
    assert password not in ran.stderr
    assert wire.seen == []


@pytest.mark.parametrize("number", ["77", "-1", "x", "9" * 30])
def test_a_descriptor_that_is_none_is_an_error_that_names_the_variable(create: Any, number: str) -> None:
    ran = create(TOYGRES_PASSWORD_FD=number)
    assert ran.returncode == 78
    assert "TOYGRES_PASSWORD_FD" in ran.stderr


def test_up_refuses_one_that_cannot_be_used_before_it_starts_anything(tmp_path: Path) -> None:
    home = tmp_path / "home"
    ran = subprocess.run(
        [sys.executable, "-m", "toygres", "up", "demo"],
        env={**os.environ, "TOYGRES_HOME": str(home), "POSTGRES_PASSWORD": "short"},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert ran.returncode == 2
    assert UNUSABLE in ran.stderr
    assert not home.exists()


@pytest.mark.parametrize(("kind", "sent"), [("create", {"password": "correct horse"}), ("start", None)])
def test_a_retry_uses_it_for_a_create_alone(
    wire: Any, instance: Any, operation: Any, kind: str, sent: dict[str, str] | None
) -> None:
    failed = operation("failed", 2, kind=kind)
    wire.answer("GET", f"/v1/operations/{failed['id']}", failed)
    accepted = {"instance": instance("requested"), "operation": operation()}
    wire.answer("POST", f"/v1/operations/{failed['id']}/retry", accepted, status=202)
    subprocess.run(
        [sys.executable, "-m", "toygres", "retry", failed["id"], "--no-wait"],
        env={**os.environ, "POSTGRES_PASSWORD": "correct horse"},
        timeout=60,
        check=True,
    )
    assert [seen.body for seen in wire.seen if seen.method == "POST"] == [sent]


WELCOME = """\
from toygres.cli import given_password
from toygres.cli.welcome import welcome
from toygres.home import Home
given_password.take()
welcome(Home.find(), "demo")
"""


@pytest.fixture
def welcomed(wire: Any, operation: Any, tmp_path: Path) -> Callable[..., subprocess.CompletedProcess[str]]:
    """What `up demo`, with --detach or without, does once the page answers."""
    home = Home(tmp_path / "home")
    home.make()
    write_private(home.running, json.dumps({"url": wire.url}))
    wire.answer("POST", "/v1/signins", {"url": f"{wire.url}/signin/code"}, status=201)
    wire.answer("GET", f"{INSTANCES}/demo/credentials", {"uri": "postgresql://demo"})

    def run(password: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-c", WELCOME],
            env={**os.environ, "POSTGRES_PASSWORD": password},
            capture_output=True,
            text=True,
            timeout=60,
            check=True,
        )

    return run


def test_up_uses_it_for_an_instance_that_it_orders(wire: Any, welcomed: Any, instance: Any, operation: Any) -> None:
    wire.answer(
        "POST", INSTANCES, {"instance": instance("requested"), "operation": operation("succeeded", 2)}, status=202
    )
    ran = welcomed("correct horse")
    assert [seen.body for seen in wire.seen if seen.path == INSTANCES] == [
        {"name": "demo", "password": "correct horse"}
    ]
    assert "isn't used" not in ran.stderr


@pytest.mark.parametrize("state", ["ready", "stopped"])
def test_up_says_that_an_instance_which_exists_keeps_its_own(
    wire: Any, welcomed: Any, instance: Any, operation: Any, state: str
) -> None:
    wire.answer("GET", f"{INSTANCES}/demo", instance(state))
    wire.answer("POST", f"{INSTANCES}/demo/start", {"operation": operation("succeeded", 2)}, status=202)
    ran = welcomed("correct horse")
    assert "demo exists and keeps its password: POSTGRES_PASSWORD isn't used." in ran.stderr
    assert "correct horse" not in ran.stdout + ran.stderr + repr([seen.body for seen in wire.seen])
