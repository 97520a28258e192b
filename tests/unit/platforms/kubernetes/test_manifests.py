"""The objects of an instance: golden files for readers, Kubernetes' own schemas, and what each must hold."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

import kubernetes_validate
import psycopg.conninfo
import pytest
import yaml
from manifest_subject import (
    AUTHORITY,
    ID,
    ISSUED,
    LOGINS,
    NAMESPACE,
    OWNER,
    Manifest,
    all_manifests,
    chosen,
    fussy,
    fussy_target,
    plain,
    target,
)

from toygres.domain.instance import ServiceType
from toygres.errors import Refused
from toygres.platforms.kubernetes import manifests
from toygres.platforms.kubernetes.labels import CONFIG, labels

GOLDEN = Path(__file__).parent / "golden"
SUBJECTS = {"plain": (target(), plain()), "fussy": (fussy_target(), fussy())}
KINDS = tuple(all_manifests(*SUBJECTS["plain"]))
VERSIONS = [f"1.{minor}" for minor in range(28, 38)]


def built(subject: str) -> dict[str, Manifest]:
    return all_manifests(*SUBJECTS[subject])


def test_the_golden_files_show_what_is_applied() -> None:
    """`python tests/golden_manifests.py` writes them anew."""
    from golden_manifests import pages

    shown = {path.name: path.read_text() for path in GOLDEN.glob("*.yaml")}
    assert shown == pages(), "run `python tests/golden_manifests.py` and look at what changed"
    # What a reader sees is what is sent, whole.
    assert {name.removesuffix(".yaml"): yaml.safe_load(page) for name, page in shown.items()} == {
        **built("plain"),
        **{f"{kind}_with_everything": built("fussy")[kind] for kind in ("service", "network_policy", "stateful_set")},
    }


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("subject", SUBJECTS)
def test_kubernetes_schemas_know_every_field(subject: str, version: str) -> None:
    for manifest in built(subject).values():
        kubernetes_validate.validate(manifest, version, strict=True)


def test_the_newest_schemas_are_among_them() -> None:
    assert VERSIONS[-1] == kubernetes_validate.latest_version().rpartition(".")[0]


@pytest.mark.parametrize("subject", SUBJECTS)
def test_all_but_the_anchor_and_the_data_belong_to_the_anchor(subject: str) -> None:
    made = built(subject)
    owned = {kind for kind in KINDS if "ownerReferences" in made[kind]["metadata"]}
    assert owned == set(KINDS) - {"anchor", "data", "namespace", "service_account"}
    for kind in owned:
        assert made[kind]["metadata"]["ownerReferences"] == [OWNER.reference()]


@pytest.mark.parametrize("subject", SUBJECTS)
def test_all_are_labelled_and_selected_by_the_instances_id_alone(subject: str) -> None:
    made = built(subject)
    for kind in set(KINDS) - {"namespace", "service_account"}:
        assert labels(target()).items() <= made[kind]["metadata"]["labels"].items()
        assert made[kind]["metadata"]["annotations"]["toygres.io/fence"] == "7"
        assert made[kind]["metadata"]["namespace"] == NAMESPACE
    mine = {"toygres.io/instance-id": str(ID)}
    assert made["service"]["spec"]["selector"] == mine
    assert made["stateful_set"]["spec"]["selector"] == {"matchLabels": mine}
    assert made["network_policy"]["spec"]["podSelector"] == {"matchLabels": mine}
    assert mine.items() <= made["stateful_set"]["spec"]["template"]["metadata"]["labels"].items()


@pytest.mark.parametrize("subject", SUBJECTS)
def test_no_secret_is_anywhere_but_in_a_secrets_data(subject: str) -> None:
    hidden = [LOGINS.user.password, LOGINS.monitor.password, ISSUED.key.strip(), "SCRAM-SHA-256$"]
    for kind, manifest in built(subject).items():
        open_part = {key: value for key, value in manifest.items() if kind not in SECRETS or key != "data"}
        text = json.dumps(open_part)
        for secret in hidden:
            assert secret not in text, kind
            assert base64.b64encode(secret.encode()).decode().rstrip("=") not in text, kind
    assert AUTHORITY.key.strip() not in json.dumps(list(decoded_secrets(subject).values()))


SECRETS = ("credentials", "monitor", "tls")


def decoded_secrets(subject: str) -> dict[str, dict[str, str]]:
    made = built(subject)
    return {kind: decoded(made[kind]) for kind in SECRETS}


def decoded(secret: Manifest) -> dict[str, str]:
    assert "stringData" not in secret
    return {key: base64.b64decode(value).decode() for key, value in secret["data"].items()}


@pytest.mark.parametrize("subject", SUBJECTS)
@pytest.mark.parametrize("kind", ["credentials", "monitor"])
def test_a_login_is_there_in_every_form_and_each_says_the_same(subject: str, kind: str, tmp_path: Path) -> None:
    found = decoded_secrets(subject)[kind]
    host = {"plain": "demo.toygres.svc.cluster.local", "fussy": "demo.toygres.svc.k8s.example"}[subject]
    login = {"credentials": LOGINS.user, "monitor": LOGINS.monitor}[kind]
    database = SUBJECTS[subject][0].instance.spec.database
    assert {key: found[key] for key in ("user", "password", "database", "host", "port", "ca.crt")} == {
        "user": login.user,
        "password": login.password,
        "database": database,
        "host": host,
        "port": "5432",
        "ca.crt": AUTHORITY.certificate,
    }
    assert psycopg.conninfo.conninfo_to_dict(found["uri"]) == {
        "host": host,
        "port": "5432",
        "user": login.user,
        "password": login.password,
        "dbname": database,
        "sslmode": "require",
    }
    jdbc = urlsplit(found["jdbc-uri"].removeprefix("jdbc:"))
    assert (jdbc.scheme, jdbc.netloc, unquote(jdbc.path)) == ("postgresql", f"{host}:5432", f"/{database}")
    assert parse_qs(jdbc.query) == {"user": [login.user], "password": [login.password], "sslmode": ["require"]}
    escaped = login.password.replace(":", "\\:")
    assert found["pgpass"] == f"{host}:5432:{database}:{login.user}:{escaped}\n"


def test_the_monitors_role_is_made_from_a_verifier_that_the_password_gives() -> None:
    script = decoded_secrets("plain")["monitor"]["monitor.sql"]
    assert script.startswith(
        'CREATE ROLE "toygres_monitor" LOGIN IN ROLE pg_monitor CONNECTION LIMIT 5 PASSWORD \'SCRAM-SHA-256$4096:'
    )
    assert LOGINS.monitor.password not in script
    _, salt, keys = script.rpartition("'SCRAM-")[2].partition("'")[0].split("$")
    rounds, _, salt = salt.partition(":")
    salted = hashlib.pbkdf2_hmac("sha256", LOGINS.monitor.password.encode(), base64.b64decode(salt), int(rounds))
    stored = hashlib.sha256(hmac.digest(salted, b"Client Key", "sha256")).digest()
    served = hmac.digest(salted, b"Server Key", "sha256")
    assert keys == ":".join(base64.b64encode(each).decode() for each in (stored, served))


def test_the_certificate_comes_with_its_key_and_its_signer() -> None:
    secret = built("plain")["tls"]
    assert secret["type"] == "kubernetes.io/tls"
    assert decoded(secret) == {
        "tls.crt": ISSUED.certificate,
        "tls.key": ISSUED.key,
        "ca.crt": AUTHORITY.certificate,
    }


def pod(manifest: Manifest) -> dict[str, Any]:
    spec: dict[str, Any] = manifest["spec"]["template"]["spec"]
    return spec


@pytest.mark.parametrize("subject", SUBJECTS)
def test_the_pod_keeps_to_the_restricted_standard_and_gets_no_token(subject: str) -> None:
    made = pod(built(subject)["stateful_set"])
    (container,) = made["containers"]
    assert made["securityContext"]["runAsNonRoot"] is True
    assert made["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
    assert container["securityContext"] == {
        "allowPrivilegeEscalation": False,
        "readOnlyRootFilesystem": True,
        "capabilities": {"drop": ["ALL"]},
    }
    assert {source for volume in made["volumes"] for source in volume if source != "name"} == {
        *("persistentVolumeClaim", "configMap", "secret", "projected", "emptyDir")
    }
    assert made["automountServiceAccountToken"] is False
    assert built(subject)["service_account"]["automountServiceAccountToken"] is False
    assert made["enableServiceLinks"] is False


@pytest.mark.parametrize("subject", SUBJECTS)
def test_every_mounted_folder_is_a_volume_of_the_pod_and_the_other_way_round(subject: str) -> None:
    made = pod(built(subject)["stateful_set"])
    mounted = [mount["name"] for mount in made["containers"][0]["volumeMounts"]]
    assert mounted == [volume["name"] for volume in made["volumes"]]


def keys_mounted(subject: str) -> Iterator[tuple[str, str]]:
    """The objects and their keys that the pod asks for by name."""
    for volume in pod(built(subject)["stateful_set"])["volumes"]:
        parts = [volume, *(volume.get("projected") or {}).get("sources", ())]
        for source in [part[kind] for part in parts for kind in ("secret", "configMap") if kind in part]:
            for item in source.get("items", ()):
                yield source.get("name") or source["secretName"], item["key"]


@pytest.mark.parametrize("subject", SUBJECTS)
def test_every_key_that_the_pod_mounts_is_in_its_object(subject: str) -> None:
    there = {each["metadata"]["name"]: each.get("data", {}) for each in built(subject).values()}
    mounted = list(keys_mounted(subject))
    assert mounted == [("demo-credentials", "password"), ("demo-monitor", "monitor.sql"), ("demo-config", "finish.sh")]
    assert all(key in there[name] for name, key in mounted)


@pytest.mark.parametrize("subject", SUBJECTS)
def test_what_is_secret_is_mounted_for_the_servers_group_alone(subject: str) -> None:
    made = pod(built(subject)["stateful_set"])
    assert made["securityContext"]["fsGroup"] == made["securityContext"]["runAsGroup"] == 999
    for volume in made["volumes"]:
        if {"secret", "projected"} & set(volume):
            (source,) = (volume[kind] for kind in ("secret", "projected") if kind in volume)
            assert source["defaultMode"] == 0o440


@pytest.mark.parametrize("version", plain().kube_versions)
def test_the_data_lie_on_the_volume(version: str) -> None:
    asked = target(version=version)
    (container,) = pod(manifests.stateful_set(asked, NAMESPACE, OWNER, plain()))["containers"]
    variables = {each["name"]: each["value"] for each in container["env"]}
    (mount,) = (each["mountPath"] for each in container["volumeMounts"] if each["name"] == "data")
    assert variables["PGDATA"].startswith(f"{mount}/")
    assert container["image"] == f"postgres:{version}"
    assert variables["POSTGRES_PASSWORD_FILE"] == "/etc/toygres/credentials/password"


def test_no_dollar_of_a_users_is_taken_for_a_variable() -> None:
    (container,) = pod(built("fussy")["stateful_set"])["containers"]
    assert {"name": "POSTGRES_DB", "value": 'a "b" & $$(PGDATA)'} in container["env"]


def test_it_is_asked_by_address_since_the_socket_answers_while_the_data_are_made() -> None:
    (container,) = pod(built("plain")["stateful_set"])["containers"]
    for probe in ("startupProbe", "readinessProbe"):
        assert container[probe]["exec"]["command"][:3] == ["pg_isready", "-h", "127.0.0.1"]
    assert container["startupProbe"]["periodSeconds"] == 1
    assert "exec" not in container["livenessProbe"]


def test_a_start_has_at_least_the_time_of_its_step_and_of_a_recovery() -> None:
    patient = chosen(server_start_seconds="7200.5")
    for settings, seconds in ((plain(), 3600), (patient, 7201)):
        (container,) = pod(manifests.stateful_set(target(), NAMESPACE, OWNER, settings))["containers"]
        assert container["startupProbe"]["failureThreshold"] == seconds


def test_another_configuration_replaces_the_pod_and_another_step_does_not() -> None:
    def marks(**spec: Any) -> Any:
        made = manifests.stateful_set(target(**spec), NAMESPACE, OWNER, plain(), replicas=1)
        return made["spec"]["template"]["metadata"]

    assert marks() == marks()
    assert set(marks()["annotations"]) == {CONFIG}
    assert marks()["annotations"] != marks(parameters={"work_mem": "8MB"})["annotations"]
    assert marks()["annotations"] != marks(memory_bytes=2**30)["annotations"]


def test_a_stopped_server_is_the_same_one_without_a_pod() -> None:
    there, stopped = (
        manifests.stateful_set(target(), NAMESPACE, OWNER, plain(), replicas=replicas) for replicas in (1, 0)
    )
    assert stopped["spec"].pop("replicas") == 0
    assert there["spec"].pop("replicas") == 1
    assert stopped == there


def test_what_the_platforms_settings_say_of_the_pod_is_in_it() -> None:
    made = pod(built("fussy")["stateful_set"])
    assert made["imagePullSecrets"] == [{"name": "registry"}, {"name": "other"}]
    assert made["nodeSelector"] == {"disk": "ssd"}
    assert made["tolerations"] == [{"key": "databases", "operator": "Exists", "effect": "NoSchedule"}]
    assert "nodeAffinity" in made["affinity"]
    assert made["priorityClassName"] == "databases"
    for kind in set(KINDS) - {"namespace", "service_account"}:
        assert built("fussy")[kind]["metadata"]["labels"]["team"] == "data"
        assert built("fussy")[kind]["metadata"]["annotations"]["example.com/cost"] == "42"
    unset = pod(built("plain")["stateful_set"])
    assert not set(unset) & {"imagePullSecrets", "nodeSelector", "tolerations", "affinity", "priorityClassName"}


@pytest.mark.parametrize(
    ("asked", "settings", "expected"),
    [
        (target(), plain(), None),
        (target(), fussy(), "fast"),
        (target(storage_class="slow"), plain(), "slow"),
        (target(storage_class="slow"), fussy(), "slow"),
    ],
    ids=["neither", "the platform", "the request", "both"],
)
def test_the_requests_storage_class_wins_over_the_platforms(asked: Any, settings: Any, expected: str | None) -> None:
    assert manifests.data(asked, NAMESPACE, settings)["spec"].get("storageClassName") == expected


def test_a_load_balancer_is_internal_and_open_to_the_asked_for_addresses_only() -> None:
    made = built("fussy")["service"]
    assert made["spec"]["type"] == "LoadBalancer"
    assert made["spec"]["loadBalancerSourceRanges"] == ["192.0.2.0/24"]
    for key in ("azure-load-balancer-internal", "aws-load-balancer-internal"):
        assert made["metadata"]["annotations"][f"service.beta.kubernetes.io/{key}"] == "true"
    assert made["metadata"]["annotations"]["networking.gke.io/load-balancer-type"] == "Internal"
    assert made["metadata"]["annotations"]["toygres.io/fence"] == "7"
    assert built("plain")["service"]["spec"]["type"] == "ClusterIP"


def test_a_load_balancer_is_refused_where_the_settings_allow_none_or_it_would_be_open_to_all() -> None:
    for asked, settings in (
        (fussy_target(), plain()),
        (target(service_type=ServiceType.LOAD_BALANCER), fussy()),
    ):
        with pytest.raises(Refused):
            manifests.service(asked, NAMESPACE, OWNER, settings)


def sources(asked: Any, namespace: str, settings: Any) -> list[str]:
    """Who may come, in short: a namespace, `.` for the own one, or a network."""
    (rule,) = manifests.network_policy(asked, namespace, OWNER, settings)["spec"]["ingress"]
    assert rule["ports"] == [{"protocol": "TCP", "port": 5432}]
    told = []
    for source in rule["from"]:
        match source:
            case {"podSelector": {}, **rest} if not rest:
                told.append(".")
            case {"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": name}}}:
                told.append(name)
            case {"ipBlock": {"cidr": cidr}}:
                told.append(cidr)
    assert len(told) == len(rule["from"])
    return told


def test_the_project_the_control_plane_and_who_was_added_may_connect() -> None:
    assert sources(target(), "toygres", plain()) == ["."]
    assert sources(target(), "toygres-shop", plain()) == [".", "toygres"]
    everybody = [".", "platform", "monitoring", "apps", "10.1.0.0/16", "192.0.2.0/24"]
    assert sources(fussy_target(), "toygres", fussy()) == everybody
