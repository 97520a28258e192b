"""The settings in Kubernetes' words: read from variables as people write them, wrong ones named."""

from __future__ import annotations

import json
from typing import Any

import pytest

from toygres.config import load
from toygres.errors import Misconfigured
from toygres.home import Home
from toygres.processes import running


@pytest.mark.parametrize(
    ("name", "written", "read"),
    [
        ("TOYGRES_NAMESPACE", "databases", "databases"),
        ("TOYGRES_KUBE_CONTEXT", "arn:aws:eks:eu-1:1:cluster/a", "arn:aws:eks:eu-1:1:cluster/a"),
        ("TOYGRES_KUBE_CONTEXT", "", None),
        ("TOYGRES_KUBE_STORAGE_CLASS", "", None),
        ("TOYGRES_KUBE_STORAGE_CLASS", "managed-csi.v2", "managed-csi.v2"),
        ("TOYGRES_KUBE_CONTROL_NAMESPACE", "", None),
        ("TOYGRES_KUBE_VERSIONS", "17, 16", ("17", "16")),
        ("TOYGRES_KUBE_IMAGES", '{"16": "example.com:5000/pg@sha256:0a"}', {"16": "example.com:5000/pg@sha256:0a"}),
        ("TOYGRES_KUBE_IMAGE_PREFIX", "", ""),
        ("TOYGRES_KUBE_IMAGE_PREFIX", "registry.example.com:5000/mirror/", "registry.example.com:5000/mirror/"),
        ("TOYGRES_KUBE_PULL_SECRETS", "one,two", ("one", "two")),
        ("TOYGRES_KUBE_NODE_SELECTOR", '{"example.com/arch": "a", "b": ""}', {"example.com/arch": "a", "b": ""}),
        ("TOYGRES_KUBE_TOLERATIONS", '[{"operator": "Exists"}]', ({"operator": "Exists"},)),
        ("TOYGRES_KUBE_TOLERATIONS", "", ()),
        ("TOYGRES_KUBE_AFFINITY", '{"podAntiAffinity": {}}', {"podAntiAffinity": {}}),
        ("TOYGRES_KUBE_LABELS", '{"app.kubernetes.io/part-of": "shop"}', {"app.kubernetes.io/part-of": "shop"}),
        ("TOYGRES_KUBE_ANNOTATIONS", '{"example.com/a": "any text, \\n too"}', {"example.com/a": "any text, \n too"}),
        ("TOYGRES_KUBE_LOAD_BALANCERS", "true", True),
        ("TOYGRES_KUBE_LOAD_BALANCER_ANNOTATIONS", "{}", {}),
        ("TOYGRES_KUBE_ALLOWED_NAMESPACES", "apps, monitoring", ("apps", "monitoring")),
        ("TOYGRES_KUBE_ALLOWED_CIDRS", "10.0.0.0/8,2001:db8::/32", ("10.0.0.0/8", "2001:db8::/32")),
        ("TOYGRES_KUBE_NETWORK_POLICY", "off", False),
    ],
)  # fmt: skip
def test_a_value_is_read_as_people_write_it(
    monkeypatch: pytest.MonkeyPatch, home: Home, name: str, written: str, read: Any
) -> None:
    monkeypatch.setenv(name, written)
    setting = {"TOYGRES_NAMESPACE": "kube_namespace"}.get(name, name.removeprefix("TOYGRES_").lower())
    assert getattr(load(), setting) == read


@pytest.mark.parametrize(
    ("name", "written", "why"),
    [
        ("TOYGRES_NAMESPACE", "Databases", "'Databases' can't be one: at most 63 of a to z"),
        ("TOYGRES_NAMESPACE", "n" * 64, "at most 63"),
        ("TOYGRES_NAMESPACE", "", "at most 63"),
        ("TOYGRES_NAMESPACE", "a\n", "at most 63"),
        ("TOYGRES_KUBE_CLUSTER_DOMAIN", "cluster_local", "beginning and ending"),
        ("TOYGRES_KUBE_VERSIONS", "13", "name at least one of 14, 15, 16, 17, 18, each once"),
        ("TOYGRES_KUBE_VERSIONS", "", "name at least one"),
        ("TOYGRES_KUBE_VERSIONS", "16,16", "each once"),
        ("TOYGRES_KUBE_IMAGES", "postgres:16", "write it as JSON"),
        ("TOYGRES_KUBE_IMAGES", '{"latest": "postgres"}', "isn't a major version and an image's name"),
        ("TOYGRES_KUBE_IMAGE_PREFIX", "https://x y/", "it begins an image's name"),
        ("TOYGRES_KUBE_PULL_SECRETS", "one two", "'one two' can't be one"),
        ("TOYGRES_KUBE_STORAGE_CLASS", "Fast", "'Fast' can't be one"),
        ("TOYGRES_KUBE_NODE_SELECTOR", '{"a b": "c"}', "'a b' isn't a key"),
        ("TOYGRES_KUBE_NODE_SELECTOR", '{"disk": "very fast"}', "'very fast' isn't a label's value"),
        ("TOYGRES_KUBE_NODE_SELECTOR", '{"disk": 1}', "valid string"),
        ("TOYGRES_KUBE_NODE_SELECTOR", "[]", "valid dictionary"),
        ("TOYGRES_KUBE_TOLERATIONS", '{"key": "a"}', "valid tuple"),
        ("TOYGRES_KUBE_TOLERATIONS", '[{"kee": "a"}]', "'kee' isn't known here, only effect, key"),
        ("TOYGRES_KUBE_AFFINITY", '{"nodes": {}}', "'nodes' isn't known here, only nodeAffinity"),
        ("TOYGRES_KUBE_AFFINITY", "{", "write it as JSON"),
        ("TOYGRES_KUBE_LABELS", '{"toygres.io/instance-id": "x"}', "'toygres.io/instance-id' is Toygres' own"),
        ("TOYGRES_KUBE_LABELS", '{"app.kubernetes.io/name": "x"}', "is Toygres' own"),
        ("TOYGRES_KUBE_ANNOTATIONS", '{"toygres.io/fence": "99"}', "is Toygres' own"),
        ("TOYGRES_KUBE_ANNOTATIONS", '{"-/a": "x"}', "isn't a key"),
        ("TOYGRES_KUBE_LOAD_BALANCER_ANNOTATIONS", "", "valid dictionary"),
        ("TOYGRES_KUBE_LOAD_BALANCER_ANNOTATIONS", '{"toygres.io/fence": "99"}', "is Toygres' own"),
        ("TOYGRES_KUBE_ALLOWED_CIDRS", "10.0.0.1/8", "write each as a network such as 10.0.0.0/8"),
        ("TOYGRES_KUBE_ALLOWED_CIDRS", "everybody", "write each as a network"),
        ("TOYGRES_KUBE_CERTIFICATE_DAYS", "0", "greater than 0"),
    ],
)
def test_a_wrong_value_is_refused_in_a_sentence_with_the_variables_name(
    monkeypatch: pytest.MonkeyPatch, home: Home, name: str, written: str, why: str
) -> None:
    monkeypatch.setenv(name, written)
    with pytest.raises(Misconfigured) as refused:
        load()
    assert name in str(refused.value)
    assert why in str(refused.value)


def test_a_running_up_hands_them_on_as_they_are(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    given = load(
        kube_namespace="databases",
        kube_labels='{"team": "data"}',
        kube_tolerations='[{"operator": "Exists"}]',
        kube_versions="18",
        kube_load_balancer_annotations="{}",
    )
    running.write(home, given, url="http://127.0.0.1:1", flower_url="", pids={})
    assert json.loads(home.running.read_text())["settings"]["kube_namespace"] == "databases"
    found = load()
    for name in type(given).model_fields:
        if name.startswith("kube_"):
            assert getattr(found, name) == getattr(given, name), name
