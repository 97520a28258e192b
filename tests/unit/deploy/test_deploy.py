"""deploy/, read as kustomize reads it: schemas, Pod Security, rights, settings, and the table of processes."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path
from typing import Any

import kubernetes_validate
import pytest
import yaml
from fake_cluster.pod_security import violations
from kustomized import Object, documents, identity, objects

from toygres import config
from toygres.config import SECRETS, Settings, variable
from toygres.home import Home
from toygres.platforms.kubernetes import manifests
from toygres.platforms.kubernetes.rights import NAMESPACES, WEB, WORKER, rules
from toygres.processes import containers
from toygres.processes.table import PROCESSES, row

REPOSITORY = Path(__file__).parents[3]
DEPLOY = REPOSITORY / "deploy"
CONTROL, INSTANCES = "control-toygres", "toygres"
FILES = sorted(path for path in DEPLOY.rglob("*.yaml") if path.name != "kustomization.yaml")
EVERYTHING = [each for file in FILES for each in documents(file)]
BASE = objects(DEPLOY / "base")
SERVERS = objects(DEPLOY / "components" / "servers")
PER_PROJECT = objects(DEPLOY / "overlays" / "namespace-per-project")
WITH_PODS = [each for each in EVERYTHING if "template" in each.get("spec", {})]
OURS = [each for each in WITH_PODS if each in BASE]
COMPOSE: dict[str, Any] = yaml.safe_load((REPOSITORY / "docker-compose.yml").read_text())["services"]
SETTINGS = next(each for each in BASE if each["kind"] == "ConfigMap")
VERSIONS = [f"1.{minor}" for minor in range(28, 38)]

every_pod = pytest.mark.parametrize("owner", WITH_PODS, ids=lambda owner: owner["metadata"]["name"])
our_pods = pytest.mark.parametrize("owner", OURS, ids=lambda owner: owner["metadata"]["name"])


def pod(owner: Object) -> Object:
    return owner["spec"]["template"]["spec"]


def every_container(owner: Object) -> list[Object]:
    return [*pod(owner).get("initContainers", []), *pod(owner)["containers"]]


def part(owner: Object) -> str:
    """Which process it is: what docker-compose.yml calls its service."""
    return owner["metadata"]["name"].removeprefix("toygres-")


def ours(name: str) -> Object:
    return next(owner for owner in OURS if part(owner) == name)


def variables(container: Object) -> dict[str, str]:
    found = {each["name"]: each["value"] for each in container.get("env", [])}
    assert len(found) == len(container.get("env", []))
    return found


def secrets_of(owner: Object) -> dict[str, set[str]]:
    """Which keys of which Secret a pod mounts."""
    found: dict[str, set[str]] = {}
    for volume in pod(owner)["volumes"]:
        if "secret" in volume:
            keys = {item["key"] for item in volume["secret"]["items"]}
            found.setdefault(volume["secret"]["secretName"], set()).update(keys)
    return found


def test_every_file_is_applied_by_somebody():
    applied = {identity(each) for each in (*BASE, *SERVERS, *PER_PROJECT, *documents(DEPLOY / "namespaces.yaml"))}
    assert {identity(each) for each in EVERYTHING} | {identity(SETTINGS)} == applied


@pytest.mark.parametrize("version", VERSIONS)
def test_kubernetes_schemas_know_every_field(version: str):
    for each in (*EVERYTHING, SETTINGS):
        kubernetes_validate.validate(each, version, strict=True)


def test_the_newest_schemas_are_among_them():
    assert VERSIONS[-1] == kubernetes_validate.latest_version().rpartition(".")[0]


def test_whatever_has_a_namespace_names_one_that_is_made_before():
    made = {each["metadata"]["name"]: each for each in documents(DEPLOY / "namespaces.yaml")}
    assert set(made) == {CONTROL, INSTANCES}
    assert made[INSTANCES] == manifests.namespace(INSTANCES)
    assert made[CONTROL]["metadata"]["labels"]["pod-security.kubernetes.io/enforce"] == "restricted"
    clusterwide = {"Namespace", "ClusterRole", "ClusterRoleBinding"}
    for each in (*EVERYTHING, SETTINGS):
        named = each["metadata"].get("namespace")
        assert named in made if each["kind"] not in clusterwide else named is None
    assert not CONTROL.startswith(f"{INSTANCES}-"), "a project could be called so"


def test_what_is_deleted_with_the_control_plane_is_no_namespace_and_no_secret():
    kinds = {each["kind"] for each in (*BASE, *SERVERS, *PER_PROJECT)}
    assert not kinds & {"Namespace", "Secret", "PersistentVolumeClaim"}


@every_pod
def test_the_restricted_pod_security_standard_admits_every_pod(owner: Object):
    assert violations(pod(owner), "restricted") == ""
    for container in every_container(owner):
        assert container["securityContext"] == {
            "allowPrivilegeEscalation": False,
            "readOnlyRootFilesystem": True,
            "capabilities": {"drop": ["ALL"]},
        }
    context = pod(owner)["securityContext"]
    assert context["runAsNonRoot"] is True
    assert context["runAsUser"] == context["runAsGroup"] == context["fsGroup"] in (10001, 999)
    assert context["seccompProfile"] == {"type": "RuntimeDefault"}


@every_pod
def test_a_container_writes_to_bounded_volumes_only_and_has_its_share_of_the_node(owner: Object):
    volumes = {volume["name"]: volume for volume in pod(owner)["volumes"]}
    for claim in owner["spec"].get("volumeClaimTemplates", []):
        volumes[claim["metadata"]["name"]] = claim
    for container in every_container(owner):
        for mount in container["volumeMounts"]:
            volume = volumes[mount["name"]]
            assert mount.get("readOnly", False) is ("secret" in volume)
            assert "secret" in volume or "spec" in volume or volume["emptyDir"]["sizeLimit"]
        assert set(container["resources"]["requests"]) == {"cpu", "memory"}
        assert container["resources"]["limits"]["memory"]
        assert container["terminationMessagePolicy"] == "FallbackToLogsOnError"
    mounted = {mount["name"] for container in every_container(owner) for mount in container["volumeMounts"]}
    assert mounted == set(volumes)


@every_pod
def test_only_those_who_talk_to_the_cluster_have_a_token(owner: Object):
    accounts = {each["metadata"]["name"]: each for each in BASE if each["kind"] == "ServiceAccount"}
    assert all(account["automountServiceAccountToken"] is False for account in accounts.values())
    talks = part(owner) in ("web", "worker")
    assert pod(owner)["automountServiceAccountToken"] is talks
    assert pod(owner)["serviceAccountName"] == (owner["metadata"]["name"] if talks else "toygres")
    # Else a Service could become one of our settings.
    assert pod(owner)["enableServiceLinks"] is False


@pytest.mark.parametrize(
    ("kind", "found", "wanted"),
    [
        ("Role", BASE, {"toygres-web": (WEB, "toygres-web"), "toygres-worker": (WORKER, "toygres-worker")}),
        (
            "ClusterRole",
            PER_PROJECT,
            {
                "toygres-namespaces": (NAMESPACES, "toygres-worker"),
                "toygres-web": (WEB, "toygres-web"),
                "toygres-worker": (WORKER, "toygres-worker"),
            },
        ),
    ],
)
def test_the_roles_give_exactly_the_rights_that_are_used(kind: str, found: list[Object], wanted: dict[str, Any]):
    roles = {each["metadata"]["name"]: each for each in found if each["kind"] == kind}
    bindings = [each for each in found if each["kind"] == f"{kind}Binding"]
    assert set(roles) == set(wanted)
    assert [each for each in BASE if each["kind"].startswith("Cluster")] == []
    for name, (rights, account) in wanted.items():
        role = roles[name]
        assert role["rules"] == rules(rights)
        assert role["metadata"].get("namespace") == (INSTANCES if kind == "Role" else None)
        bound = [each for each in bindings if each["roleRef"]["name"] == name]
        assert [each["subjects"] for each in bound] == [
            [{"kind": "ServiceAccount", "name": account, "namespace": CONTROL}]
        ]
        assert bound[0]["roleRef"] == {"apiGroup": "rbac.authorization.k8s.io", "kind": kind, "name": name}
        assert bound[0]["metadata"].get("namespace") == role["metadata"].get("namespace")


def test_every_process_of_the_table_has_its_pods_and_runs_as_the_table_says():
    named = {process.name for process in PROCESSES if process.command}
    assert {part(owner) for owner in OURS} == named | {"migrate"}
    for name in sorted(named):
        (container,) = pod(ours(name))["containers"]
        command = row(name).command
        assert command is not None
        assert tuple(container["command"]) == command(Home(Path(variables(container)["TOYGRES_HOME"])))
    (container,) = pod(ours("migrate"))["containers"]
    assert container["command"] == COMPOSE["migrate"]["command"]


@pytest.mark.parametrize("name", ["web", "worker", "beat", "flower"])
def test_each_is_asked_how_it_is_and_ended_as_in_docker_compose(name: str):
    service, (container,) = COMPOSE[name], pod(ours(name))["containers"]
    assert f"{pod(ours(name))['terminationGracePeriodSeconds']}s" == service["stop_grace_period"]
    # Kubernetes sends SIGTERM, unless an image says otherwise; ours says nothing.
    assert service["stop_signal"] == row(name).stop_signal.name == "SIGTERM"
    asked = [part for part in service["healthcheck"]["test"] if part != "CMD"]
    if name == "web":
        assert asked[-2:] == [str(container["ports"][0]["containerPort"]), "/healthz"]
        return
    assert container["startupProbe"]["exec"]["command"] == asked


def test_the_web_process_is_alive_by_healthz_and_ready_by_readyz():
    (container,) = pod(ours("web"))["containers"]
    paths = {probe: container[probe]["httpGet"] for probe in ("startupProbe", "livenessProbe", "readinessProbe")}
    assert {probe: get["path"] for probe, get in paths.items()} == {
        "startupProbe": "/healthz",
        "livenessProbe": "/healthz",
        "readinessProbe": "/readyz",
    }
    # By the pod's address, which kubelet would name, it isn't known.
    assert all(get["httpHeaders"] == [{"name": "Host", "value": "localhost"}] for get in paths.values())


@pytest.mark.parametrize("name", ["worker", "beat"])
def test_a_process_whose_server_is_away_for_minutes_is_not_restarted_for_it(name: str):
    (container,) = pod(ours(name))["containers"]
    *asked, seconds = container["livenessProbe"]["exec"]["command"]
    assert asked == ["python", "-m", "toygres.processes.health", "pulse"]
    assert int(seconds) >= 300
    assert variables(container)["TOYGRES_PULSE_FILE"] == COMPOSE[name]["environment"]["TOYGRES_PULSE_FILE"]


def test_beat_is_one_and_flower_is_off():
    for name, replicas in {"beat": 1, "flower": 0}.items():
        assert ours(name)["spec"]["replicas"] == replicas
        assert ours(name)["spec"]["strategy"] == {"type": "Recreate"}


@pytest.mark.parametrize("name", ["web", "worker"])
def test_those_that_are_several_go_one_at_a_time(name: str):
    spec = ours(name)["spec"]
    assert spec["replicas"] > 1
    assert spec["strategy"]["rollingUpdate"]["maxUnavailable"] == 0
    (budget,) = [
        each for each in BASE if each["kind"] == "PodDisruptionBudget" and each["metadata"]["name"] == f"toygres-{name}"
    ]
    assert budget["spec"]["selector"] == spec["selector"]
    assert budget["spec"]["maxUnavailable"] == 1


@every_pod
def test_selectors_find_the_pods_of_their_own_and_no_others(owner: Object):
    labels = owner["spec"]["template"]["metadata"]["labels"]
    if owner["kind"] != "Job":
        chosen = owner["spec"]["selector"]["matchLabels"].items()
        assert chosen <= labels.items()
        others = [other["spec"]["template"]["metadata"]["labels"] for other in WITH_PODS if other is not owner]
        assert not [other for other in others if chosen <= other.items()]


def test_services_lead_to_ports_that_pods_have():
    for service in (each for each in EVERYTHING if each["kind"] == "Service"):
        chosen = service["spec"]["selector"].items()
        (owner,) = [each for each in WITH_PODS if chosen <= each["spec"]["template"]["metadata"]["labels"].items()]
        ports = {port["name"]: port["containerPort"] for port in pod(owner)["containers"][0]["ports"]}
        for port in service["spec"]["ports"]:
            assert ports[port["targetPort"]] == port["port"]


@our_pods
def test_the_image_is_this_release(owner: Object):
    version = tomllib.loads((REPOSITORY / "pyproject.toml").read_text())["project"]["version"]
    assert {container["image"] for container in every_container(owner)} == {f"toygres:{version}"}


@pytest.mark.parametrize("name", ["metadata", "broker"])
def test_the_servers_are_those_of_docker_compose(name: str):
    owner = next(owner for owner in WITH_PODS if owner["metadata"]["name"] == name)
    (container,) = pod(owner)["containers"]
    assert container["image"] == COMPOSE[name]["image"]
    moved = [word.replace("/etc/toygres/broker-server", "/etc/toygres/server") for word in COMPOSE[name]["command"]]
    assert container["command"] == moved
    assert f"{pod(owner)['terminationGracePeriodSeconds']}s" == COMPOSE[name]["stop_grace_period"]
    asked = COMPOSE[name].get("environment", {})
    assert set(variables(container)) == set(asked)
    assert variables(container).get("POSTGRES_INITDB_ARGS") == asked.get("POSTGRES_INITDB_ARGS")


def test_the_servers_are_found_by_the_urls_that_prepare_writes(tmp_path: Path):
    containers.make(tmp_path)
    ports = {
        each["metadata"]["name"]: each["spec"]["ports"][0]["port"] for each in SERVERS if each["kind"] == "Service"
    }
    urls = [(tmp_path / name).read_text() for name in (containers.METADATA_URL, containers.BROKER_URL)]
    assert {re.search(r"@(\w+):(\d+)/", url).groups() for url in urls} == {  # type: ignore[union-attr]
        (name, str(port)) for name, port in ports.items()
    }


@our_pods
def test_every_setting_that_is_given_exists(owner: Object):
    known = {variable(field) for field in Settings.model_fields} | {f"{variable(secret)}_FILE" for secret in SECRETS}
    for container in every_container(owner):
        assert set(variables(container)) <= known | {"TOYGRES_URL", "TOYGRES_TOKEN_FILE"}
        assert [each["configMapRef"]["name"] for each in container["envFrom"]] == [SETTINGS["metadata"]["name"]]
        assert not set(variables(container)) & set(SETTINGS["data"])
    assert set(SETTINGS["data"]) <= known


def test_with_these_settings_there_is_the_cluster_and_nothing_else(monkeypatch: pytest.MonkeyPatch):
    for name, value in SETTINGS["data"].items():
        monkeypatch.setenv(name, value)
    settings = config.load()
    assert settings.platforms == (settings.platform,) == ("kubernetes",)
    assert settings.kube_namespace == INSTANCES
    assert settings.kube_control_namespace == CONTROL


def test_secrets_are_mounted_by_those_alone_who_need_them():
    assert {part(owner): secrets_of(owner).get("toygres", set()) for owner in OURS} == {
        "migrate": {"database-url"},
        "web": {"database-url", "redis-url", "secret-keys", "token"},
        "worker": {"database-url", "redis-url", "secret-keys"},
        "beat": {"redis-url"},
        "flower": {"redis-url"},
    }
    assert all(set(secrets_of(owner)) == {"toygres"} for owner in OURS)
    told = (DEPLOY / "README.md").read_text()
    assert set(re.findall(r"^\| `([a-z-]+)` \|", told, re.MULTILINE)) == set.union(
        *(secrets_of(owner)["toygres"] for owner in OURS)
    )


@our_pods
def test_secrets_come_as_files_that_are_mounted_there(owner: Object):
    volumes = {volume["name"]: volume for volume in pod(owner)["volumes"]}
    for container in every_container(owner):
        there = {
            f"{mount['mountPath']}/{item['path']}"
            for mount in container["volumeMounts"]
            for item in volumes[mount["name"]].get("secret", {}).get("items", [])
        }
        named = {
            value for name, value in variables(container).items() if name.endswith("_FILE") and "PULSE" not in name
        }
        assert named == there
        assert not {variable(secret) for secret in SECRETS} & set(variables(container))
    assert all(volume["secret"]["defaultMode"] == 0o440 for volume in volumes.values() if "secret" in volume)


def test_the_web_process_is_known_by_the_names_of_its_service():
    (container,) = pod(ours("web"))["containers"]
    assert variables(container)["TOYGRES_ALLOWED_HOSTS"].split(",") == [
        "toygres-web",
        f"toygres-web.{CONTROL}",
        f"toygres-web.{CONTROL}.svc",
        f"toygres-web.{CONTROL}.svc.cluster.local",
    ]
    assert variables(container)["TOYGRES_TOKEN_FILE"] == str(Home(Path(variables(container)["TOYGRES_HOME"])).token)


def test_network_policies_let_in_only_who_has_business_there():
    """Who may connect to what, by the policies that apply to each pod; a pod without any is open."""
    policies = [each["spec"] for each in EVERYTHING if each["kind"] == "NetworkPolicy"]
    assert all(policy["policyTypes"] == ["Ingress"] for policy in policies)
    let_in: dict[str, list[tuple[Any, int]]] = {}
    for owner in WITH_PODS:
        labels = owner["spec"]["template"]["metadata"]["labels"]
        applying = [policy for policy in policies if policy["podSelector"]["matchLabels"].items() <= labels.items()]
        assert applying
        let_in[part(owner)] = [
            (tuple(yaml.safe_dump(each) for each in rule["from"]), port["port"])
            for policy in applying
            for rule in policy.get("ingress", [])
            for port in rule["ports"]
        ]
    assert {name for name, rules_ in let_in.items() if rules_} == {"web", "metadata", "broker"}
    assert let_in["web"] == [(("namespaceSelector: {}\n",), 8000)]
    for server, clients in {
        "metadata": ["migrate", "web", "worker"],
        "broker": ["web", "worker", "beat", "flower"],
    }.items():
        ((sources, _),) = let_in[server]
        (source,) = map(yaml.safe_load, sources)
        names = {each["key"]: each["values"] for each in source["podSelector"]["matchExpressions"]}
        assert names == {"app.kubernetes.io/name": ["toygres"], "app.kubernetes.io/component": clients}


def test_the_readme_names_files_and_commands_that_exist():
    from toygres.cli import COMMAND_MODULES

    told = (DEPLOY / "README.md").read_text()
    for path in re.findall(r"(?<![\w/.])(deploy/[\w./-]+)", told):
        assert path.startswith("deploy/overlays/mine") or (REPOSITORY / path).exists(), path
    for path in re.findall(r"`((?:base|components|overlays)/[\w./-]*)`", told):
        assert (DEPLOY / path).exists(), path
    commands = re.findall(
        r"toygres(?:-there)? (prepare|create|uri|signin|doctor|list|delete|[a-z]+)\b(?= --| demo| NAME|`)", told
    )
    assert {"prepare", "create", "uri", "doctor"} <= set(commands)
    assert set(commands) <= set(COMMAND_MODULES)
