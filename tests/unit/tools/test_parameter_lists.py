"""The lists are what real servers say, and nothing gets on them that nobody has judged."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from making import local_platform

from tools.parameters import lists, servers
from tools.parameters.limits import LIMITS
from tools.parameters.rules import CATEGORIES, WITHHELD, why_not
from tools.parameters.servers import Server, Setting
from toygres.platforms.local.platform import LocalPlatform
from toygres.platforms.parameters.catalogue import FOLDER

PLAIN = Setting(
    name="work_mem",
    type="integer",
    unit="kB",
    minimum="64",
    maximum="2147483647",
    choices=(),
    context="user",
    category="Resource Usage / Memory",
    description="Sets the maximum memory to be used for query workspaces.",
    default="4096",
    in_sample=True,
)


@pytest.fixture(scope="module")
def platform() -> Iterator[LocalPlatform]:
    """A place to ask servers from."""
    with local_platform() as found:
        yield found


@pytest.mark.parametrize("version", ["18", "15"])
def test_the_kept_list_is_what_the_server_says_today(platform: LocalPlatform, version: str) -> None:
    if version not in platform.versions:
        pytest.skip(f"PostgreSQL {version} isn't installed here (Debian's postgresql-{version})")
    server = servers.ask(platform.place, platform.versions[version])
    assert server.major == version
    assert lists.differences(_kept(version), lists.make([server])) == [], "run: python -m tools.parameters write BIN…"
    assert set(json.loads((FOLDER / "timezones.json").read_text())) <= server.timezones
    assert list(platform.place.root.glob("described-*")) == []


@pytest.mark.parametrize("version", ["14", "15", "16", "17", "18"])
def test_a_list_is_kept_as_the_command_writes_it(version: str) -> None:
    assert (FOLDER / f"{version}.json").read_text() == lists.written(_kept(version))


def test_every_rule_and_limit_names_something_that_there_is() -> None:
    kept = [_kept(version) for version in ("14", "15", "16", "17", "18")]
    offered = {name for each in kept for name in each["parameters"]}
    withheld = {name for each in kept for name in each["withheld"]}
    assert WITHHELD.keys() <= withheld
    assert LIMITS.keys() <= offered
    assert {name for rule in CATEGORIES.values() for name in rule.names} <= offered | withheld
    assert all(rule.opened or rule.reason for rule in CATEGORIES.values())


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"name": "ssl_passphrase_command"}, "runs commands"),
        ({"category": "Connections and Authentication / SSL"}, "gets in"),
        ({"category": "Connections and Authentication / Connection Settings", "name": "new_port"}, "listens"),
        ({"in_sample": False}, "developers"),
        ({"context": "internal"}, "developers"),
        ({"type": "enum", "choices": ("only",)}, "one value"),
    ],
)
def test_what_a_rule_withholds_has_its_reason(change: dict[str, object], reason: str) -> None:
    assert why_not(PLAIN) is None
    assert reason in (why_not(replace(PLAIN, **change)) or "")  # type: ignore[arg-type]


@pytest.mark.parametrize("change", [{"category": "New Things"}, {"type": "string"}])
def test_what_nobody_has_judged_stops_the_command(change: dict[str, str]) -> None:
    with pytest.raises(LookupError, match="work_mem"):
        why_not(replace(PLAIN, **change))  # type: ignore[arg-type]


def test_only_what_every_build_takes_is_offered() -> None:
    compression = replace(PLAIN, name="wal_compression", type="enum", category="Write-Ahead Log / Settings")
    made = lists.make(
        [_server(replace(compression, choices=choices)) for choices in (("on", "lz4", "off"), ("on", "off"))]
    )
    assert made["parameters"]["wal_compression"]["choices"] == ["on", "off"]


@pytest.mark.parametrize("other", [replace(PLAIN, maximum="9"), replace(PLAIN, name="other_mem")])
def test_builds_that_contradict_each_other_make_no_list(other: Setting) -> None:
    with pytest.raises(ValueError, match="build"):
        lists.make([_server(PLAIN), _server(other)])


def test_a_limit_narrows_what_the_server_says() -> None:
    most = replace(PLAIN, name="max_connections", unit="", minimum="1", maximum="262143", context="postmaster")
    entry = lists.make([_server(most)])["parameters"]["max_connections"]
    assert (entry["minimum"], entry["maximum"], entry["restart"]) == ("10", "200000", True)
    assert entry["note"]


@pytest.mark.parametrize(
    ("change", "told"),
    [({"maximum": "9"}, "9"), ({"unit": "MB"}, "MB"), ({"context": "postmaster"}, "restart"), ({"name": "x"}, "x is")],
)
def test_a_list_that_is_out_of_date_is_told(change: dict[str, str], told: str) -> None:
    kept, now = lists.make([_server(PLAIN)]), lists.make([_server(replace(PLAIN, **change))])  # type: ignore[arg-type]
    assert lists.differences(kept, kept) == []
    assert any(told in difference for difference in lists.differences(kept, now))


def test_lists_are_written_by_major_version(tmp_path: Path) -> None:
    files = lists.write(tmp_path, [_server(PLAIN, "17.2"), _server(PLAIN, "17.1"), _server(PLAIN, "18.0")])
    assert [file.name for file in files] == ["17.json", "18.json", "timezones.json"]
    assert json.loads(files[0].read_text())["made_from"] == ["17.1", "17.2"]
    assert json.loads(files[-1].read_text()) == ["UTC"]


def _server(setting: Setting, version: str = "18.0") -> Server:
    return Server(version=version, settings={setting.name: setting}, timezones=frozenset({"UTC"}))


def _kept(version: str) -> dict[str, dict[str, dict[str, object]]]:
    found: dict[str, dict[str, dict[str, object]]] = json.loads((FOLDER / f"{version}.json").read_text())
    return found
