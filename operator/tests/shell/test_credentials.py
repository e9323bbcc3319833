import asyncio
from pathlib import Path

import pytest

from hardened.shell import credentials
from hardened.shell.credentials import Credentials
from hardened.shell.settings import BadSetting

CONFIG = """
current-context: c
contexts: [{name: c, context: {cluster: k, user: u}}]
clusters: [{name: k, cluster: {server: "http://api:8080/", tls-server-name: other}}]
users: [{name: u, user: USER}]
"""


def load(environ: dict[str, str]) -> Credentials:
    return asyncio.run(credentials.load(environ))


@pytest.mark.parametrize(
    ("user", "expected"),
    [
        pytest.param("{token: t1}", "Bearer t1", id="a token"),
        pytest.param("{tokenFile: token}", "Bearer from-file", id="a file beside the kubeconfig, with its line end"),
        pytest.param("{username: a, password: b}", "Basic YTpi", id="a password"),
    ],
)
def test_a_kubeconfig_says_who_asks(tmp_path: Path, user: str, expected: str) -> None:
    (tmp_path / "token").write_text("from-file\n")
    (tmp_path / "config").write_text(CONFIG.replace("USER", user))
    who = load({"KUBECONFIG": str(tmp_path / "config"), "KUBERNETES_SERVICE_HOST": "10.0.0.1"})
    assert (who.server, who.authorization, who.server_name, who.proxy) == ("http://api:8080", expected, "other", None)
    assert expected not in repr(who)


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        pytest.param("http://me:sesame@proxy:3128", "http://me:sesame@proxy:3128", id="HTTP"),
        pytest.param("https://proxy", "https://proxy", id="HTTPS"),
        pytest.param("socks5://me:sesame@proxy:1080", None, id="SOCKS"),
    ],
)
def test_a_proxy_is_the_kubeconfigs_and_nobody_elses(
    tmp_path: Path, given: str, expected: str | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("HTTP_PROXY", "HTTPS_PROXY", "http_proxy", "https_proxy"):
        monkeypatch.setenv(name, "http://elsewhere:1")
    text = CONFIG.replace("USER", "{token: t1}")
    (tmp_path / "config").write_text(text)
    environ = {"KUBECONFIG": str(tmp_path / "config")}
    assert load(environ).proxy is None
    (tmp_path / "config").write_text(text.replace("tls-server-name: other", f'proxy-url: "{given}"'))
    if expected:
        who = load(environ)
        assert who.proxy == expected
        assert "sesame" not in repr(who)
    else:
        with pytest.raises(BadSetting, match="KUBECONFIG: its proxy-url") as caught:
            load(environ)
        assert "sesame" not in str(caught.value)


def test_without_kubeconfig_a_pod_uses_its_service_account(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(credentials, "SERVICE_ACCOUNT", str(tmp_path))
    environ = {"KUBERNETES_SERVICE_HOST": "fd00::1", "KUBERNETES_SERVICE_PORT": "443"}
    with pytest.raises(BadSetting, match="KUBECONFIG"):
        load(environ)
    (tmp_path / "token").write_text("one\n")
    (tmp_path / "ca.crt").write_text("certificate")
    who = load(environ)
    assert (who.server, who.authorization, who.ca_file) == ("https://[fd00::1]:443", "Bearer one", str(tmp_path / "ca.crt"))
    (tmp_path / "token").write_text("two")
    assert load(environ).authorization == "Bearer two"


def test_on_a_desk_the_kubeconfig_of_the_home_folder_is_used(tmp_path: Path) -> None:
    (tmp_path / ".kube").mkdir()
    (tmp_path / ".kube" / "config").write_text(CONFIG.replace("USER", "{token: t1}"))
    assert load({"HOME": str(tmp_path)}).server == "http://api:8080"


@pytest.mark.parametrize(
    "text",
    [
        pytest.param(None, id="no file"),
        pytest.param("", id="an empty file"),
        pytest.param("{", id="no YAML"),
        pytest.param("users: [{name: u, user: {token: 'sesame\n\tx: y", id="no YAML, with a token in it"),
        pytest.param("[]", id="a list"),
        pytest.param("current-context: nobody\ncontexts: []", id="no such context"),
        pytest.param(CONFIG.replace("USER", "{tokenFile: nowhere}"), id="no token file"),
    ],
)
def test_a_kubeconfig_that_cannot_be_used_is_named(tmp_path: Path, text: str | None) -> None:
    if text is not None:
        (tmp_path / "config").write_text(text)
    with pytest.raises(BadSetting) as caught:
        load({"KUBECONFIG": str(tmp_path / "config")})
    assert str(caught.value).startswith("KUBECONFIG: ")
    assert str(tmp_path / "config") in str(caught.value)
    assert "sesame" not in str(caught.value)
    assert caught.value.__cause__ is None
