"""The one door to a cluster's API."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from stub_api import Asked, Reply, StubApi

from toygres.errors import CauseCode, Misconfigured, Refused, Unavailable
from toygres.home import Home
from toygres.platforms.kubernetes import access
from toygres.platforms.kubernetes.client import Cluster, Request, ensure_namespace

GET = Request("get Pod demo-0", "GET", "/api/v1/namespaces/ns/pods/demo-0")
NAMESPACE = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "ns"}}


def _answers(status: int, body: Any, **headers: str) -> Any:
    return lambda _asked, reply: reply.json(status, body, **headers)


def _refuses(status: int, reason: str, message: str, details: Any = None, **headers: str) -> Any:
    return lambda _asked, reply: reply.refuse(status, reason, message, details, **headers)


def test_importing_us_never_loads_the_client_library() -> None:
    modules = (
        "toygres",
        "toygres.cli",
        "toygres.platforms.kubernetes.client",
        "toygres.platforms.kubernetes.calls",
        "toygres.platforms.kubernetes.watching",
        "toygres.platforms.kubernetes.forward",
        "toygres.platforms.kubernetes.trouble",
    )
    script = (
        f"import importlib, sys\nfor name in {modules!r}: importlib.import_module(name)\n"
        "from toygres.platforms.kubernetes.client import Cluster; Cluster()\n"
        "print(*(name for name in sys.modules if name.split('.')[0] in ('kubernetes', 'urllib3', 'websocket')))"
    )
    ran = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert ran.stdout.strip() == ""


def test_no_process_of_ours_loads_the_client_library_before_it_talks_to_a_cluster(home: Home, tmp_path: Path) -> None:
    script = (
        "import sys, worker.app, worker.beat, worker.flower, worker.monitor, worker.runtime, worker.tasks, web.app\n"
        "from toygres.config import settings\n"
        "from toygres.platforms import registry\n"
        "assert [each.kind for each in registry.build(settings()).values()] == ['kubernetes']\n"
        "print(*(name for name in sys.modules if name.split('.')[0] in ('kubernetes', 'websocket')))"
    )
    variables = {"TOYGRES_HOME": str(home.path), "TOYGRES_PLATFORM": "kubernetes", "TOYGRES_PLATFORMS": "kubernetes"}
    ran = subprocess.run(
        [sys.executable, "-c", script], env={**os.environ, **variables}, capture_output=True, text=True, check=False
    )
    assert (ran.stdout.strip(), ran.stderr) == ("", "")


def test_it_tells_server_and_context_without_asking_anybody(api: StubApi) -> None:
    told = Cluster("other", api.kubeconfig()).describe()
    assert (told.server, told.context) == (api.url, "other")
    assert str(told) == f"{api.url} (context other of {api.folder / 'kubeconfig'})"
    assert api.asked == []


def test_the_environment_names_the_kubeconfig(api: StubApi, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KUBECONFIG", f"/nowhere/config:{api.kubeconfig()}")
    assert Cluster().describe().server == api.url


def test_without_any_kubeconfig_it_says_so(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.delenv("KUBECONFIG", raising=False)
    monkeypatch.delenv("KUBERNETES_SERVICE_HOST", raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))
    with pytest.raises(Misconfigured, match="No Kubernetes cluster is known"):
        Cluster().describe()


def test_a_kubeconfig_that_is_named_must_be_there(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KUBECONFIG", "/nowhere/config")
    monkeypatch.setenv("KUBERNETES_SERVICE_HOST", "10.0.0.1")
    with pytest.raises(Misconfigured, match="there is no such file"):
        Cluster().describe()


@pytest.mark.parametrize("text", ["", "just words", "a: [", "kind: Config\nclusters: []\n", "contexts: 7"])
def test_a_broken_kubeconfig_is_refused_with_its_path(text: str, tmp_path: Path) -> None:
    path = tmp_path / "config"
    path.write_text(text)
    with pytest.raises(Misconfigured, match=str(path)):
        Cluster(kubeconfig=str(path)).describe()


def test_an_unknown_context_is_refused_with_those_there_are(api: StubApi) -> None:
    with pytest.raises(Misconfigured, match=r"no context 'absent'.*TOYGRES_KUBE_CONTEXT to one of: other, stub"):
        Cluster("absent", api.kubeconfig()).describe()


def test_a_pod_takes_its_own_service_account(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.delenv("KUBECONFIG", raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("KUBERNETES_SERVICE_HOST", "10.0.0.1")
    monkeypatch.setenv("KUBERNETES_SERVICE_PORT", "443")
    with pytest.raises(Misconfigured, match="This pod's service account can't be used"):
        Cluster().describe()


@pytest.fixture
def token_in_pod(safe_api: StubApi, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """The file of this pod's token, in a pod of the stub's cluster."""
    from kubernetes.config import incluster_config

    assert safe_api.authority is not None
    token, authority = tmp_path / "token", tmp_path / "ca.crt"
    token.write_text("token-of-the-pod")
    authority.write_bytes(safe_api.authority.read_bytes())
    where = urlsplit(safe_api.url)
    monkeypatch.setattr(incluster_config, "SERVICE_TOKEN_FILENAME", str(token))
    monkeypatch.setattr(incluster_config, "SERVICE_CERT_FILENAME", str(authority))
    monkeypatch.delenv("KUBECONFIG", raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("KUBERNETES_SERVICE_HOST", str(where.hostname))
    monkeypatch.setenv("KUBERNETES_SERVICE_PORT", str(where.port))
    return token


def test_in_a_pod_its_service_account_is_who_calls(safe_api: StubApi, token_in_pod: Path) -> None:
    safe_api.does(_answers(200, {"metadata": {"uid": "u-1"}}))
    cluster = Cluster()
    assert str(cluster.describe()) == f"{safe_api.url} (the pod's service account)"
    assert cluster.identity("ns") == "u-1"
    assert [_bearer(asked.headers) for asked in safe_api.asked] == ["token-of-the-pod"]
    url, headers, _ = cluster.handshake("/api/v1/namespaces/ns/pods/demo-0/portforward")
    assert url.startswith(safe_api.url)
    assert _bearer(headers) == "token-of-the-pod"


def _bearer(headers: Mapping[str, str]) -> str:
    """The token; the scheme before it may be written in any case."""
    scheme, _, token = headers["authorization"].partition(" ")
    assert scheme.lower() == "bearer"
    return token


def test_a_pods_token_that_was_replaced_is_read_again(safe_api: StubApi, token_in_pod: Path) -> None:
    def guarded(asked: Asked, reply: Reply) -> None:
        if _bearer(asked.headers) == "token-2":
            reply.json(200, {})
        else:
            reply.refuse(401, "Unauthorized", "Unauthorized")

    safe_api.does(guarded)
    cluster = Cluster()
    cluster.describe()
    token_in_pod.write_text("token-2")
    assert cluster.send(GET).fine
    assert len(safe_api.asked) == 2


def test_the_version_is_read_by_its_digits(api: StubApi, cluster: Cluster) -> None:
    api.does(_answers(200, {"major": "1", "minor": "36+", "gitVersion": "v0.0.0-master+$Format:%H$"}))
    assert cluster.version() == (1, 36)


def test_the_identity_is_the_namespaces_uid(api: StubApi, cluster: Cluster) -> None:
    api.does(_answers(200, {"metadata": {"name": "ns", "uid": "u-1"}}), _refuses(404, "NotFound", "not found"))
    assert cluster.identity("ns") == "u-1"
    assert cluster.identity("ns") is None


def test_a_namespace_that_is_there_needs_no_right_to_make_one(api: StubApi, cluster: Cluster) -> None:
    api.does(_answers(200, {"metadata": {"uid": "u-1"}}))
    assert ensure_namespace(cluster, NAMESPACE) == "u-1"
    assert api.paths() == ["GET /api/v1/namespaces/ns"]


def test_a_namespace_is_made_even_if_another_makes_it_at_the_same_time(api: StubApi, cluster: Cluster) -> None:
    absent = _refuses(404, "NotFound", "not found")
    api.does(absent, _answers(201, {"metadata": {"uid": "u-1"}}))
    assert ensure_namespace(cluster, NAMESPACE) == "u-1"
    api.does(absent, _refuses(409, "AlreadyExists", "exists"), _answers(200, {"metadata": {"uid": "u-2"}}))
    assert ensure_namespace(cluster, NAMESPACE) == "u-2"


def test_one_who_may_not_make_a_namespace_is_told_so(api: StubApi, cluster: Cluster) -> None:
    words = (
        'namespaces is forbidden: User "me" cannot create resource "namespaces" in API group "" at the cluster scope'
    )
    api.does(_refuses(404, "NotFound", "not found"), _refuses(403, "Forbidden", words, {"kind": "namespaces"}))
    with pytest.raises(Refused) as refused:
        ensure_namespace(cluster, NAMESPACE)
    assert refused.value.cause.code is CauseCode.FORBIDDEN
    assert any("create Namespace ns: HTTP 403" in line for line in refused.value.cause.evidence)


def test_nothing_is_repeated_behind_our_back_and_retry_after_is_handed_on(api: StubApi, cluster: Cluster) -> None:
    for status in (429, 503):
        api.asked.clear()
        api.does(_refuses(status, "TooManyRequests", "slow down", Retry_After="7"))
        with pytest.raises(Unavailable) as away:
            cluster.send(GET)
        assert away.value.retry_after == 7.0
        assert away.value.cause is not None
        assert len(api.asked) == 1


def test_a_call_that_meets_passing_trouble_is_made_again(api: StubApi, cluster: Cluster) -> None:
    answers = [_refuses(500, "InternalError", "etcdserver: leader changed"), lambda _asked, reply: reply.reset()]

    def answer(asked: Asked, reply: Reply) -> None:
        (answers.pop() if answers else lambda _asked, reply: reply.json(200, {"kind": "Pod"}))(asked, reply)

    api.does(answer)
    assert cluster.send(GET).json() == {"kind": "Pod"}
    assert len(api.asked) == 3


def test_a_call_that_meets_lasting_trouble_is_given_up_within_some_seconds(api: StubApi, cluster: Cluster) -> None:
    api.does(_refuses(500, "InternalError", "etcdserver: leader changed"))
    with pytest.raises(Unavailable):
        cluster.send(GET)
    assert len(api.asked) == 4


@pytest.mark.parametrize("status", [401, 403, 409, 422])
def test_what_trying_again_cant_help_is_asked_once(api: StubApi, cluster: Cluster, status: int) -> None:
    cluster.renew()
    api.does(_refuses(status, "Whatever", "no"))
    with pytest.raises((Unavailable, Refused)):
        cluster.send(GET)
    assert len(api.asked) == 1


def test_a_server_that_says_nothing_is_given_up(api: StubApi, cluster: Cluster) -> None:
    api.does(lambda _asked, reply: reply.hang())
    with pytest.raises(Unavailable, match=r"doesn't answer \(get Pod demo-0\): Read timed out"):
        cluster.send(GET, read_seconds=0.1)
    assert len(api.asked) == 1


def test_a_connection_that_is_torn_down_is_trouble_that_heals(api: StubApi, cluster: Cluster) -> None:
    def half(_asked: Asked, reply: Reply) -> None:
        reply.handler.send_response(200)
        reply.handler.send_header("Content-Length", "100")
        reply.handler.end_headers()
        reply.handler.wfile.write(b'{"half')
        reply.reset()

    for answer in (half, lambda _asked, reply: reply.reset()):
        api.does(answer)
        with pytest.raises(Unavailable, match="doesn't answer"):
            cluster.send(GET)


def test_a_server_that_isnt_there_is_told_in_a_sentence(api: StubApi, tmp_path: Path) -> None:
    gone = tmp_path / "config"
    gone.write_text(Path(api.kubeconfig()).read_text().replace(api.url, "http://127.0.0.1:9"))
    with pytest.raises(Unavailable) as away:
        Cluster(kubeconfig=str(gone)).send(GET)
    assert away.value.message == (
        "The Kubernetes API doesn't answer (get Pod demo-0): "
        "Failed to establish a new connection: [Errno 111] Connection refused."
    )


def test_a_certificate_that_isnt_trusted_is_told_in_a_sentence(safe_api: StubApi, tmp_path: Path) -> None:
    path = safe_api.kubeconfig()
    safe_api.authority = None
    path = safe_api.kubeconfig()
    with pytest.raises(Unavailable, match=r"No safe connection to the Kubernetes API \(get Pod demo-0\).*CERTIFICATE"):
        Cluster(kubeconfig=path).send(GET)


def test_a_page_of_something_else_is_trouble(api: StubApi, cluster: Cluster) -> None:
    api.does(lambda _asked, reply: reply.text(200, "<html>log in here</html>"))
    with pytest.raises(Unavailable, match="isn't an object"):
        cluster.send(GET).json()
    api.does(lambda _asked, reply: reply.text(502, "bad gateway"))
    with pytest.raises(Unavailable, match="bad gateway"):
        cluster.send(GET)


def test_the_librarys_own_words_are_never_shown(api: StubApi, cluster: Cluster) -> None:
    api.does(_refuses(500, "InternalError", "etcd is away", X_Odd="header"))
    with pytest.raises(Unavailable) as away:
        cluster.send(GET)
    assert "Traceback" not in str(away.value)
    assert "HTTP response" not in str(away.value)
    assert "X-Odd" not in str(away.value)


def test_a_token_that_was_refused_is_read_again_once(api: StubApi, cluster: Cluster) -> None:
    def guarded(asked: Asked, reply: Reply) -> None:
        if asked.headers.get("authorization") == "Bearer token-2":
            reply.json(200, {"metadata": {"uid": "u"}})
        else:
            reply.refuse(401, "Unauthorized", "Unauthorized")

    api.does(guarded)
    cluster.describe()
    api.kubeconfig("token-2")
    assert cluster.send(GET).fine
    assert len(api.asked) == 2
    api.kubeconfig("token-3")
    assert cluster.send(GET).fine
    assert len(api.asked) == 3


def test_a_token_that_stays_refused_isnt_read_again_at_each_call(
    api: StubApi, cluster: Cluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    loads: list[object] = []
    load = access.load
    monkeypatch.setattr(access, "load", lambda *given: loads.append(given) or load(*given))
    api.does(_refuses(401, "Unauthorized", "Unauthorized"))
    for _ in range(3):
        with pytest.raises(Unavailable) as away:
            cluster.send(GET)
        assert away.value.cause is not None
        assert away.value.cause.code is CauseCode.PLATFORM_LOGIN_REFUSED
    assert len(loads) == 2
    assert len(api.asked) == 4


def test_a_kubeconfig_that_is_broken_meanwhile_is_no_worse_than_a_refused_token(api: StubApi, cluster: Cluster) -> None:
    api.does(_refuses(401, "Unauthorized", "Unauthorized"))
    cluster.describe()
    (api.folder / "kubeconfig").write_text("")
    with pytest.raises(Unavailable):
        cluster.send(GET)


def test_many_threads_share_it_and_load_it_once(
    api: StubApi, cluster: Cluster, monkeypatch: pytest.MonkeyPatch, recwarn: pytest.WarningsRecorder
) -> None:
    loads: list[object] = []
    load = access.load
    monkeypatch.setattr(access, "load", lambda *given: loads.append(given) or load(*given))
    together = threading.Barrier(24)

    def call(_number: int) -> bool:
        together.wait(10)
        return all(cluster.send(GET).fine for _ in range(5))

    api.does(_answers(200, {}))
    with ThreadPoolExecutor(24) as pool:
        assert all(pool.map(call, range(24)))
    assert len(loads) == 1
    assert len(api.asked) == 120
    assert not recwarn.list


def test_a_threads_secret_is_in_no_message(api: StubApi, cluster: Cluster) -> None:
    api.does(_refuses(422, "Invalid", "the value c2VzYW1l (sesame) isn't taken"))
    with pytest.raises(Refused) as refused:
        cluster.send(GET, secrets=("sesame", "c2VzYW1l"))
    assert "sesame" not in str(refused.value.cause)
    assert "c2VzYW1l" not in str(refused.value.cause)
    assert "[hidden]" in refused.value.cause.message
