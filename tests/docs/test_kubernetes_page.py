"""docs/kubernetes.md is true: its generated parts are fresh, and its objects, examples, commands and settings exist."""

from __future__ import annotations

import base64
import re
import shlex
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import kubernetes_validate
import pytest
import yaml
from fake_cluster.pod_security import violations
from manifest_subject import ID, NAMESPACE, all_manifests, plain, target
from typer.main import get_command

from toygres.cli import load_commands
from toygres.config import Settings, variable
from toygres.platforms.kubernetes import doctor, versions
from toygres.platforms.kubernetes.document import PAGE, page
from toygres.platforms.kubernetes.names import hosts

README = PAGE.parents[1] / "README.md"
TEXT = PAGE.read_text()
MANIFESTS = all_manifests(target(), plain())
# What all instances of a namespace share stands in the text below the table.
OWN = [each for kind, each in MANIFESTS.items() if kind not in ("namespace", "service_account")]
# Where the page names beginnings only.
BEGINNINGS = {"TOYGRES_KUBE"}


def test_the_page_is_fresh() -> None:
    assert page(TEXT) == TEXT, "run: python -m toygres.platforms.kubernetes.document"


@pytest.mark.parametrize("part", ["rights", "causes"])
def test_there_is_a_place_for_each_generated_part(part: str) -> None:
    assert TEXT.count(f"<!-- {part}: ") == 2


@pytest.mark.parametrize("manifest", OWN, ids=lambda each: f"{each['kind']}-{each['metadata']['name']}")
def test_each_object_is_in_the_table_with_its_owner_and_all_that_it_holds(manifest: dict[str, Any]) -> None:
    name = manifest["metadata"]["name"].replace("demo", "NAME").replace(ID.hex[-8:], "<id8>")
    row = next(line for line in TEXT.splitlines() if line.startswith(f"| {manifest['kind']} `{name}` |"))
    _, _, owner, _ = re.split(r" ?\| ?", row.removesuffix(" |"), maxsplit=3)
    owners = [each["name"] for each in manifest["metadata"].get("ownerReferences", ())]
    assert owner == ("anchor" if owners == ["demo-anchor"] else "")
    # The monitor's are the user's and one more; the anchor holds a sentence for whoever looks at it.
    same = MANIFESTS["credentials"]["data"] if name == "NAME-monitor" else {"about"}
    told = {key for key in manifest.get("data", {}) if f"`{key}`" in row}
    assert told == manifest.get("data", {}).keys() - same


def test_no_object_is_told_of_that_there_is_not() -> None:
    told = re.findall(r"^\| [A-Z]\w+ `(NAME\S*)` \|", TEXT, re.MULTILINE)
    assert len(told) == len(OWN)


def test_the_names_that_a_certificate_holds_for_are_those_of_the_service() -> None:
    assert [host for host in hosts("NAME", "NAMESPACE") if f"`{host}`" not in TEXT] == []


def test_versions_are_those_that_there_are() -> None:
    offered = sorted(plain().kube_versions)
    assert f"`postgres:{offered[0]}` to `postgres:{offered[-1]}`" in TEXT
    assert [versions.find(plain(), each).image for each in offered] == [f"postgres:{each}" for each in offered]
    assert f"**Kubernetes {'.'.join(map(str, doctor.OLDEST))} or later.**" in TEXT


def client() -> dict[str, Any]:
    """The example of a client's pod."""
    found: dict[str, Any] = yaml.safe_load(TEXT.partition("```yaml\n")[2].partition("```")[0])
    return found


@pytest.mark.parametrize("version", ["1.28", kubernetes_validate.latest_version().rpartition(".")[0]])
def test_the_clients_pod_is_one_that_the_namespace_admits(version: str) -> None:
    kubernetes_validate.validate(client(), version, strict=True)
    assert client()["metadata"]["namespace"] == NAMESPACE
    assert violations(client()["spec"], "restricted") == ""


def test_the_clients_pod_reads_what_the_secret_holds() -> None:
    secret, (container,) = MANIFESTS["credentials"], client()["spec"]["containers"]
    taken = [each["valueFrom"]["secretKeyRef"] for each in container["env"] if "valueFrom" in each]
    (volume,) = client()["spec"]["volumes"]
    names = {each["name"] for each in taken} | {volume["secret"]["secretName"]}
    assert names == {secret["metadata"]["name"]}
    assert [each["key"] for each in [*taken, *volume["secret"]["items"]] if each["key"] not in secret["data"]] == []


def test_the_clients_pod_checks_the_server_by_the_file_that_it_mounts() -> None:
    (container,), (volume,) = client()["spec"]["containers"], client()["spec"]["volumes"]
    given = {each["name"]: each.get("value") for each in container["env"]}
    (mount,), (item,) = container["volumeMounts"], volume["secret"]["items"]
    assert (given["PGSSLMODE"], item["key"]) == ("verify-full", "ca.crt")
    assert given["PGSSLROOTCERT"] == f"{mount['mountPath']}/{item['path']}"


@pytest.mark.parametrize("key", ["uri", "jdbc-uri"])
def test_the_ready_made_uris_end_with_what_the_page_says_to_replace(key: str) -> None:
    ready = base64.b64decode(MANIFESTS["credentials"]["data"][key]).decode()
    assert ready.endswith("sslmode=require")


def test_every_setting_that_is_named_exists() -> None:
    named = {name.rstrip("_") for name in re.findall(r"TOYGRES_\w+", TEXT)}
    assert named - {variable(name) for name in Settings.model_fields} - BEGINNINGS == set()


def commands(text: str) -> Iterator[list[str]]:
    """Each `toygres …` of the text, in examples and in sentences, as a shell would take it apart."""
    lines = [line for block in re.findall(r"```sh\n(.*?)```", text, re.DOTALL) for line in block.splitlines()]
    for line in (*lines, *re.findall(r"`([^`\n]+)`", text)):
        if found := re.match(r"(?:bin/)?toygres( [a-z-].*)", line):
            yield shlex.split(found[1], comments=True)


@pytest.mark.parametrize("written", [PAGE, README], ids=lambda written: written.name)
def test_every_command_and_option_that_is_shown_exists(written: Path) -> None:
    known = get_command(load_commands()).commands
    shown = list(commands(written.read_text()))
    assert shown
    for name, *arguments in shown:
        options = {option for parameter in known[name].params for option in parameter.opts}
        assert [each for each in arguments if each.startswith("-") and each not in options] == [], name
