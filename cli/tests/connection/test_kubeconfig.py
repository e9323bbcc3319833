"""Which context is used, and by which client."""

import base64
import json
import os
import signal
import socket
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from hardenctl.connection.kubeconfig import target
from hardenctl.output.outcome import CommandEnd


def config(name: str = "one", *, user: Any = None, cluster: Any = None, namespace: str = "", current: str = "one") -> dict[str, Any]:
    context = {"cluster": name, "user": name, **({"namespace": namespace} if namespace else {})}
    return {
        "current-context": current,
        "clusters": [{"name": name, "cluster": {"server": f"https://{name}.example/", **(cluster or {})}}],
        "users": [{"name": name, "user": user or {"token": "t"}}],
        "contexts": [{"name": name, "context": context}],
    }


@pytest.fixture
def files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.delenv("KUBERNETES_SERVICE_HOST", raising=False)

    def write(*configs: Any) -> Path:
        paths = [tmp_path / f"config{i}" for i, _ in enumerate(configs)]
        for path, content in zip(paths, configs, strict=True):
            path.write_text(content if isinstance(content, str) else json.dumps(content))
        monkeypatch.setenv("KUBECONFIG", ":".join(map(str, paths)))
        return tmp_path

    return write


def test_the_current_context_and_its_namespace_are_used(files: Any) -> None:
    files(config(namespace="shop"))
    found = target()
    assert (found.context, found.namespace, found.server) == ("one", "shop", "https://one.example")
    assert target(namespace="other").namespace == "other"


def test_the_first_of_several_files_wins(files: Any) -> None:
    files(config("one", current=""), config("two", current="two"), config("one", namespace="late", current="one"))
    assert target().context == "two"
    assert target(context="one").namespace == "default"


def test_paths_are_relative_to_their_file(files: Any) -> None:
    folder = files(config(cluster={"certificate-authority": "ca.crt"}, user={"exec": {"command": "./login", "apiVersion": "x"}}))
    found = target()
    assert found.cluster["certificate-authority"] == str(folder / "ca.crt")
    assert found.user["exec"]["command"] == str(folder / "login")


BETA = {"apiVersion": "client.authentication.k8s.io/v1beta1", "command": "login"}


@pytest.mark.parametrize(
    ("user", "cluster", "expected"),
    [
        ({"token": "t"}, {}, False),
        ({"client-certificate-data": "eA=="}, {}, False),
        ({"exec": BETA}, {}, False),
        ({"exec": {**BETA, "apiVersion": "client.authentication.k8s.io/v1"}}, {}, True),
        ({"exec": {**BETA, "provideClusterInfo": True}}, {}, True),
        ({"auth-provider": {"name": "oidc"}}, {}, True),
        ({"tokenFile": "/t"}, {}, True),
        ({"token": "t"}, {"proxy-url": "http://proxy.example"}, True),
    ],
)
def test_the_client_is_chosen_by_the_kubeconfig(files: Any, user: Any, cluster: Any, expected: bool) -> None:
    files(config(user=user, cluster=cluster))
    assert target().needs_official_client is expected


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP, signal.SIGINT])
def test_keys_are_gone_once_the_process_is_told_to_end(kubeconfig_file: Any, tmp_path: Path, number: signal.Signals) -> None:
    (folder := tmp_path / "private").mkdir()
    with socket.create_server(("127.0.0.1", 0)) as server:
        entry = {"server": f"http://127.0.0.1:{server.getsockname()[1]}"}
        file = kubeconfig_file(user={"client-key-data": base64.b64encode(b"KEY").decode()}, cluster=entry)
        environment = {
            **os.environ,
            "TMPDIR": str(folder),
            "KUBECONFIG": str(file),
            "NO_PROXY": "*",
            "PYTHONPATH": os.pathsep.join(sys.path),
        }
        argv = [sys.executable, "-m", "hardenctl", "status", "web", "-w"]
        silent = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
        with subprocess.Popen(argv, env=environment, preexec_fn=_as_at_a_terminal, **silent) as process:
            server.settimeout(60)
            with server.accept()[0]:
                assert [path.read_text() for path in folder.glob("hardenctl-*/*")] == ["KEY"]
                process.send_signal(number)
                assert process.wait(60) == 128 + number
    assert list(folder.iterdir()) == []


def _as_at_a_terminal() -> None:
    """A run of the tests that was started by nohup passes on that SIGHUP is ignored."""
    signal.signal(signal.SIGHUP, signal.SIG_DFL)


def test_keys_go_into_private_files_only(files: Any, tmp_path: Path) -> None:
    files(config(user={"client-key-data": base64.b64encode(b"secret").decode()}))
    document = target().document(tmp_path)
    path = Path(document["users"][0]["user"]["client-key"])
    assert path.parent == tmp_path
    assert path.stat().st_mode & 0o077 == 0
    assert "client-key-data" not in document["users"][0]["user"]


@pytest.mark.parametrize(
    ("content", "context", "expected"),
    [
        (config(), "nope", "there is no context 'nope'"),
        (config(current=""), "", "the kubeconfig has no current context"),
        ({**config(), "clusters": []}, "", "which the kubeconfig does not have"),
        ("[1]", "", "is not a kubeconfig"),
        ("a: [", "", "is not YAML"),
        ("a: 2020-13-45", "", "is not YAML"),
        ('{"a":' * 5000, "", "is not YAML"),
        ({"clusters": [1]}, "", "clusters[0] must be an object"),
        ({"clusters": [None]}, "", "clusters[0] must not be null"),
        ({"contexts": 5}, "", "config0 is not a kubeconfig: contexts must be a list"),
        ({"contexts": {"a": {}}}, "", "contexts must be a list"),
        ({"contexts": [{"name": [1]}]}, "", "contexts[0].name must be a string"),
        ({"contexts": [{"name": "c", "context": {"cluster": ["k"]}}]}, "", "contexts[0].context.cluster must be a string"),
        ({"contexts": [{"name": "c", "context": {"user": {}}}]}, "", "contexts[0].context.user must be a string"),
        ({"contexts": [{"name": "c", "context": {"namespace": 5}}]}, "", "contexts[0].context.namespace must be a string"),
        (config(cluster={"certificate-authority": 5}), "", "clusters[0].cluster.certificate-authority must be a string"),
        (config(cluster={"insecure-skip-tls-verify": "yes"}), "", "insecure-skip-tls-verify must be true or false"),
        (config(cluster={"proxy-url": 5}), "", "clusters[0].cluster.proxy-url must be a string"),
        (config(user={"as-groups": "a"}), "", "users[0].user.as-groups must be a list"),
        (config(user={"as-groups": [None]}), "", "users[0].user.as-groups[0] must not be null"),
        (config(user={"as-user-extra": {"a": "b"}}), "", "users[0].user.as-user-extra.a must be a list"),
        (config(user={"as-uid": 42}), "", "users[0].user.as-uid must be a string"),
        (config(user={"exec": "x"}), "", "users[0].user.exec must be an object"),
        (config(user={"exec": {**BETA, "args": 5}}), "", "users[0].user.exec.args must be a list"),
        (config(user={"exec": {**BETA, "args": [5]}}), "", "users[0].user.exec.args[0] must be a string"),
        (config(user={"exec": {"command": "x"}}), "", "the kubeconfig's exec has no apiVersion"),
        (config(user={"exec": {"apiVersion": "x"}}), "", "the kubeconfig's exec has no command"),
        (config(user={"auth-provider": "x"}), "", "users[0].user.auth-provider must be an object"),
        (config(user={"auth-provider": {"name": "gcp"}}), "", "the kubeconfig's auth-provider gcp is not supported"),
        (config(cluster={"server": "https://[::1"}), "", "the kubeconfig's server is not an http or https URL"),
        (config(cluster={"server": "https://h:99999"}), "", "the kubeconfig's server is not an http or https URL"),
        (config(cluster={"server": "h:6443"}), "", "the kubeconfig's server is not an http or https URL"),
        (config(cluster={"proxy-url": "socks5://h:1"}), "", "the kubeconfig's proxy-url is not an http or https URL"),
        (config(cluster={"proxy-url": "foo"}), "", "the kubeconfig's proxy-url is not an http or https URL"),
    ],
)
def test_an_unusable_kubeconfig_is_a_usage_error(files: Any, content: Any, context: str, expected: str) -> None:
    files(content)
    with pytest.raises(CommandEnd) as caught:
        target(context=context)
    assert expected in caught.value.message
    assert caught.value.code == 2


def test_no_kubeconfig_at_all(files: Any) -> None:
    files()
    with pytest.raises(CommandEnd, match="no kubeconfig found"):
        target()
