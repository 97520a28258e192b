"""What a server in a pod is told; tests/unit/platforms/kubernetes/test_first_start.py has one read it."""

from __future__ import annotations

import base64
import re

import pytest
from conf_grammar import read
from hypothesis import given
from hypothesis import strategies as st
from manifest_subject import ID, plain, target

from toygres.domain.instance import Login
from toygres.errors import CauseCode, Refused
from toygres.platforms.kubernetes.configuration import (
    DEFAULTS,
    arguments,
    digest,
    files,
    monitor_script,
    render,
)
from toygres.platforms.kubernetes.versions import find
from toygres.platforms.local import scram
from toygres.platforms.parameters import catalogue
from toygres.platforms.parameters.values import check

MIB = 2**20


def settings_of(**spec: object) -> dict[str, str]:
    return dict(read(render(target(**spec).instance.spec)))


@pytest.mark.parametrize("version", plain().kube_versions)
def test_the_defaults_are_ones_that_every_version_takes(version: str) -> None:
    known = catalogue.parameters(version)
    written = settings_of(version=version)
    assert DEFAULTS.items() <= written.items()
    assert {name: check(known[name], value) for name, value in written.items() if name in known} == dict.fromkeys(
        name for name in written if name in known
    )


def test_the_servers_promises_are_written_down() -> None:
    promised = {"fsync": "on", "full_page_writes": "on", "synchronous_commit": "on"}
    assert {**promised, "password_encryption": "scram-sha-256"}.items() <= settings_of().items()


@pytest.mark.parametrize(
    ("memory", "buffers", "cache"),
    [(512 * MIB, "131072kB", "393216kB"), (16 * 1024 * MIB, "4194304kB", "12582912kB"), (MIB, "1024kB", "1024kB")],
)
def test_shared_memory_goes_by_the_pods_memory(memory: int, buffers: str, cache: str) -> None:
    written = settings_of(memory_bytes=memory)
    assert (written["shared_buffers"], written["effective_cache_size"]) == (buffers, cache)


def test_a_parameter_that_was_asked_for_wins_over_the_default() -> None:
    assert settings_of(parameters={"max_connections": "7", "shared_buffers": "1MB"}).items() >= {
        ("max_connections", "7"),
        ("shared_buffers", "1MB"),
    }


@pytest.mark.parametrize("name", ["archive_command", "shared_preload_libraries", "port", "hba_file", "ssl", "x\ny", ""])
def test_a_parameter_that_is_not_on_the_list_is_refused(name: str) -> None:
    with pytest.raises(Refused) as refused:
        settings_of(parameters={name: "x"})
    assert refused.value.cause.code is CauseCode.PARAMETERS_REJECTED


@given(st.text(max_size=30))
def test_no_value_leaves_its_line_and_each_is_read_back_as_it_was_given(value: str) -> None:
    try:
        written = settings_of(parameters={"timezone": value})
    except Refused:
        assert not value.isprintable()
    else:
        assert written["timezone"] == value
        assert written.keys() == settings_of().keys()


@pytest.mark.parametrize("fixed", ["ssl=on", "ssl_min_protocol_version=TLSv1.2", "listen_addresses=*", "lc_messages=C"])
def test_what_nobody_may_change_is_on_the_command_line(fixed: str) -> None:
    said = arguments()
    assert said[said.index(fixed) - 1] == "-c"


def test_everybody_but_the_pod_itself_needs_a_password_and_whoever_is_outside_tls() -> None:
    lines = [line.split() for line in files(target().instance.spec, find(plain(), "16"))["pg_hba.conf"].splitlines()]
    assert [line for line in lines if line[0] != "#"] == [
        ["local", "all", "all", "trust"],
        ["host", "all", "all", "127.0.0.1/32", "scram-sha-256"],
        ["host", "all", "all", "::1/128", "scram-sha-256"],
        ["hostssl", "all", "all", "all", "scram-sha-256"],
    ]


@pytest.mark.parametrize(("version", "known"), [("16", False), ("17", True), ("18", True)])
def test_no_limit_of_the_instances_holds_while_its_roles_are_made(version: str, known: bool) -> None:
    start = files(target(version=version).instance.spec, find(plain(), version))["start.sh"]
    (options,) = re.findall(r'export PGOPTIONS="(.*)"', start)
    assert "-c statement_timeout=0" in options
    assert "-c log_statement=none" in options
    assert ("-c transaction_timeout=0" in options) is known


def test_the_monitors_verifier_is_the_same_for_the_same_login_and_another_for_any_other() -> None:
    login = Login(user="toygres_monitor", password="made up")
    script = monitor_script(login, ID)
    (verifier, salt) = re.findall(r"'(SCRAM-SHA-256\$4096:([^$]+)\$[^']+)'", script)[0]
    assert script == monitor_script(login, ID)
    assert salt not in monitor_script(Login(user="toygres_monitor", password="another"), ID)
    assert verifier == scram.verifier("made up", base64.b64decode(salt))


def test_a_name_with_a_quote_stays_in_its_quotes() -> None:
    assert monitor_script(Login(user='a"b', password="made up"), ID).startswith('CREATE ROLE "a""b" LOGIN ')


def test_any_change_of_any_file_shows_in_the_digest() -> None:
    one = {"a": "1", "b": "2"}
    assert digest(one) == digest(dict(reversed(one.items())))
    assert len({digest(each) for each in (one, {"a": "1", "b": "3"}, {"a": "1"}, {"a": "1b", "": "2"})}) == 4
