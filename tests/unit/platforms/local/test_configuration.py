"""What a server is told."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest
from conf_grammar import read
from hypothesis import given, settings
from hypothesis import strategies as st
from making import Subject, make_instance, reserved_port

from toygres.errors import CauseCode, Refused
from toygres.platforms.local import template
from toygres.platforms.local.commands import environment
from toygres.platforms.local.configuration import command, render
from toygres.platforms.local.layout import Layout
from toygres.platforms.local.place import identity_kwargs
from toygres.platforms.local.platform import LocalPlatform
from toygres.platforms.parameters import catalogue
from toygres.platforms.parameters.values import check
from toygres.platforms.parameters.written import quoted

NASTY = ["it's", "back\\slash", "trailing\\", "''", "# not a comment", "a = 'b'", "\\n", "é ", "include 'x'"]


def test_the_servers_promises_are_written_down() -> None:
    written = render(make_instance("18", 20000).spec).splitlines()
    for line in (
        "fsync = 'on'",
        "full_page_writes = 'on'",
        "synchronous_commit = 'on'",
        "max_connections = '100'",
        "password_encryption = 'scram-sha-256'",
    ):
        assert line in written


def test_a_parameter_that_was_asked_for_wins_over_the_default() -> None:
    written = render(make_instance("18", 20000, {"max_connections": "7"}).spec)
    assert "max_connections = '7'" in written
    assert "max_connections = '100'" not in written


@pytest.mark.parametrize("name", ["archive_command", "shared_preload_libraries", "port", "hba_file", "x\ny", ""])
def test_a_parameter_that_is_not_on_the_list_is_refused(name: str) -> None:
    with pytest.raises(Refused) as refused:
        render(make_instance("18", 20000, {name: "x"}).spec)
    assert refused.value.cause.code is CauseCode.PARAMETERS_REJECTED


NAMES = [(version, name) for version in catalogue.VERSIONS for name in catalogue.parameters(version)]
ODD = st.text(st.sampled_from("0123456789.-+eExX kMGTBmsind\"'\\\n\r#=$,_abpublic/"), max_size=30)


@settings(deadline=None)
@given(st.sampled_from(NAMES), st.data())
def test_what_passes_the_check_is_read_back_as_that_one_setting_and_nothing_else(
    of: tuple[str, str], data: st.DataObject
) -> None:
    version, name = of
    known = catalogue.parameters(version)[name]
    likely = [known.default, known.minimum, known.maximum, "on", "UTC", '"$user", public', *known.choices]
    value = data.draw(
        st.one_of(st.sampled_from(likely), st.sampled_from(likely).map(str.upper), ODD, st.text(max_size=30))
    )
    if check(known, value) is not None:
        return
    alone, asked = (read(render(make_instance(version, 20000, given).spec)) for given in ({}, {name: value}))
    assert dict(asked) == {**dict(alone), name: value}
    assert len(asked) == len(dict(asked))


@given(st.text(st.characters().filter(str.isprintable), max_size=30))
def test_even_a_value_that_nothing_has_checked_is_read_back_as_it_was_given(value: str) -> None:
    spec = make_instance("18", 20000, {"timezone": value}).spec
    assert dict(read(render(spec)))["timezone"] == value


@given(st.text(max_size=30))
def test_no_value_leaves_its_line(value: str) -> None:
    spec = make_instance("18", 20000, {"timezone": value}).spec
    lines = render(make_instance("18", 20000, {"timezone": "UTC"}).spec).count("\n")
    try:
        assert render(spec).count("\n") == lines
    except Refused as refused:
        assert not value.isprintable(), refused  # noqa: PT017 (the refusal hangs on the value)


@pytest.mark.parametrize("value", NASTY)
def test_a_value_is_read_back_as_it_was_given(local: LocalPlatform, folder: Path, value: str) -> None:
    folder.chmod(0o755)
    file = folder / "postgresql.conf"
    file.write_text(f"toygres.value = {quoted(value)}\n")
    file.chmod(0o644)
    programs = local.versions["18"]
    asked = [programs / "postgres", "-D", template.ensure(local.place, programs), "-C", "toygres.value"]
    said = subprocess.run(
        [*asked, "-c", f"config_file={file}"],
        capture_output=True,
        text=True,
        check=True,
        cwd="/",
        env=environment(),
        **identity_kwargs(local.place),
    )
    assert said.stdout == f"{value}\n"


def test_where_a_server_listens_is_on_its_command_line(local: LocalPlatform, subject: Subject) -> None:
    layout = Layout(local.place, subject.instance.id)
    with reserved_port() as port:
        said = command(Path("/bin"), layout, port, address="127.0.0.1")
    assert said[:3] == ["/bin/postgres", "-D", str(layout.data)]
    for option in (f"port={port}", "listen_addresses=127.0.0.1", f"unix_socket_directories={layout.sockets}"):
        assert said[said.index(option) - 1] == "-c"
