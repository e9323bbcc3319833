"""Who calls: what the server gets of a kubeconfig's user; and whatever goes wrong, nobody is shown a header, a token or a body."""

import base64
import http.server
import json
import subprocess
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from hardenctl import unexpected
from hardenctl.cluster.api_cluster import connect
from hardenctl.connection.credentials import REREAD, LoggedIn, Plugin, TokenFile, source
from hardenctl.connection.kubeconfig import ResolvedContext, target
from hardenctl.connection.transport import HttpCall, HttpReply
from hardenctl.output.outcome import CommandEnd
from hardened.errors import ApiFailure, TryAgain

MARK = "S3CR3T"
#: A proxy-url makes the official client work; the light one does without.
CLIENTS = pytest.mark.parametrize("is_official", [False, True], ids=["the light client", "the official client"])
BETA = "client.authentication.k8s.io/v1beta1"


class Server(http.server.ThreadingHTTPServer):
    """An API server that remembers the headers of each call, in the order in which they came. answer: code and body of each."""

    def __init__(self) -> None:
        self.calls: list[list[tuple[str, str]]] = []
        self.answer: tuple[int, bytes] = (200, b"{}")
        self.accepted = ""
        super().__init__(("127.0.0.1", 0), _Handler)

    def got(self, name: str) -> list[str]:
        """The values of a header in the last call."""
        return [value for key, value in self.calls[-1] if key.lower() == name.lower()]


class _Handler(http.server.BaseHTTPRequestHandler):
    server: Server

    def do_GET(self) -> None:
        self.rfile.read(int(self.headers.get("content-length") or 0))
        self.server.calls.append(list(self.headers.items()))
        is_known = self.server.accepted in ("", self.headers.get("authorization"))
        code, body = self.server.answer if is_known else (401, b"{}")
        self.send_response(code)
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    do_POST = do_GET

    def log_message(self, *_: Any) -> None:
        """Quiet."""


@pytest.fixture
def server() -> Iterator[Server]:
    with Server() as found:
        threading.Thread(target=found.serve_forever, args=(0.01,), daemon=True).start()
        yield found
        found.shutdown()


@pytest.fixture
def reached(server: Server, kubeconfig_file: Any, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Any]:
    """reached(user, is_official=…): the cluster behind the server, as this user."""
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")

    def connected(user: dict[str, Any], *, is_official: bool = False, flag: str = "", **cluster: Any) -> Any:
        if is_official:
            monkeypatch.setattr(ResolvedContext, "needs_official_client", True)
        entry = {"server": f"http://127.0.0.1:{server.server_port}", **cluster}
        return connect(kubeconfig=str(kubeconfig_file(user=user, cluster=entry)), user=flag, request_timeout=5)

    return connected


ACTING = {
    "token": "t",
    "as": "dev",
    "as-uid": "42",
    "as-groups": ["shop-admins", "system:authenticated"],
    "as-user-extra": {"reason": ["ticket-7", "ticket-8"], "example.org/Größe": ["L"]},
}


@CLIENTS
def test_whom_to_act_as_is_sent_as_kubectl_sends_it(server: Server, reached: Any, is_official: bool) -> None:
    reached(ACTING, is_official=is_official).get("/version")
    assert server.got("Authorization") == ["Bearer t"]
    assert server.got("Impersonate-User") == ["dev"]
    assert server.got("Impersonate-Uid") == ["42"]
    assert server.got("Impersonate-Group") == ["shop-admins", "system:authenticated"]
    assert server.got("Impersonate-Extra-reason") == ["ticket-7", "ticket-8"]
    assert server.got("Impersonate-Extra-example.org%2FGr%C3%B6%C3%9Fe") == ["L"]


@CLIENTS
def test_the_flag_goes_before_the_kubeconfigs_name_alone(server: Server, reached: Any, is_official: bool) -> None:
    reached(ACTING, is_official=is_official, flag="ops").get("/version")
    assert server.got("Impersonate-User") == ["ops"]
    assert server.got("Impersonate-Group") == ["shop-admins", "system:authenticated"]


def test_groups_without_a_name_are_nobodys(server: Server, reached: Any) -> None:
    reached({**ACTING, "as": ""}).get("/version")
    assert [name for name, _ in server.calls[-1] if name.startswith("Impersonate")] == []


def _users(folder: Path, secret: str) -> dict[str, dict[str, Any]]:
    """A user for each place that a secret may stand in."""
    file = folder / "token"
    file.write_bytes(secret.encode(errors="surrogatepass"))
    (folder / "credential").write_text(json.dumps({"status": {"token": secret}}))
    plugin = {"apiVersion": BETA, "command": "cat", "args": [str(folder / "credential")]}
    return {
        "token": {"token": secret},
        "tokenFile": {"tokenFile": str(file)},
        "password": {"username": "bob", "password": secret},
        "exec": {"exec": plugin},
        "exec that fails": {"exec": {**plugin, "command": "sh", "args": ["-c", 'printf "%s" "$1"', "sh", secret.replace("\0", "")]}},
        "exec with odd words": {"exec": {**plugin, "command": "false", "args": [secret], "env": [{"name": "TOKEN", "value": secret}]}},
        "as": {"as": secret},
        "as-uid": {"as": "a", "as-uid": secret},
        "as-groups": {"as": "a", "as-groups": [secret]},
        "as-user-extra": {"as": "a", "as-user-extra": {"a": [secret]}},
        "a key of as-user-extra": {"as": "a", "as-user-extra": {secret: ["a"]}},
    }


_CHARACTERS = st.characters(exclude_categories=()) | st.sampled_from("\r\n\t\0\x85\xa0\u2028 :=,€é\ud800\x7f")
ODD = st.text(_CHARACTERS, max_size=4)


@CLIENTS
@settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(before=ODD, after=ODD)
def test_no_error_shows_what_was_to_be_sent(
    server: Server, reached: Any, tmp_path: Path, is_official: bool, before: str, after: str
) -> None:
    secret = before + MARK + after
    for place, user in _users(tmp_path, secret).items():
        server.calls.clear()
        try:
            reached(user, is_official=is_official).get("/version")
        except (CommandEnd, ApiFailure) as error:
            shown = f"{error} {error!r} {getattr(error, 'hint', '')} {unexpected.where(error)}"
            assert MARK not in shown, place
        else:
            sent = "\n".join(f"{name}: {value}" for name, value in server.calls[-1])
            basic = base64.b64encode(f"bob:{secret}".encode(errors="surrogatepass")).decode()
            assert MARK in sent or basic in sent, place


@CLIENTS
@pytest.mark.parametrize(
    "answer",
    [(500, b"<html>"), (200, b"not JSON"), (200, b"[]"), (400, b"{}"), (401, b"{}"), (302, b"")],
    ids=["an error", "no JSON", "a list", "refused", "who are you", "elsewhere"],
)
def test_no_error_shows_the_body_that_was_sent(server: Server, reached: Any, is_official: bool, answer: tuple[int, bytes]) -> None:
    server.answer = answer
    with pytest.raises(ApiFailure) as caught:
        reached({"token": MARK}, is_official=is_official).create("/apis", {"data": MARK})
    assert MARK not in f"{caught.value} {caught.value!r}"


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        (b'{"a":' * 5000 + b"1" + b"}" * 5000, "nested too deep"),
        (b"<html>" + MARK.encode(), "does a proxy or a login page stand before"),
        (MARK.encode(), "is this the URL of a Kubernetes API server"),
    ],
    ids=["nested deep", "a page for people", "text"],
)
def test_a_reply_that_cannot_be_read_is_told_from_one_that_is_none_and_is_in_no_error(
    server: Server, reached: Any, answer: bytes, said: str
) -> None:
    server.answer = (200, answer)
    with pytest.raises(TryAgain, match=said) as caught:
        reached({"token": "t"}).get("/version")
    assert caught.value.__cause__ is None


@pytest.mark.parametrize(
    ("command", "hint"),
    [
        ("no-such-plugin", "brew install it"),
        ("false", "run it by hand, or log in again; brew install it"),
    ],
)
def test_a_plugin_that_fails_says_what_to_do_and_leaves_its_words_on_the_terminal(
    server: Server, reached: Any, capfd: pytest.CaptureFixture[str], command: str, hint: str
) -> None:
    script = {"command": command} if command != "false" else {"command": "sh", "args": ["-c", "echo its own words >&2; exit 3"]}
    plugin = {"apiVersion": BETA.replace("v1beta1", "v1"), "installHint": "brew install it", **script}
    with pytest.raises(CommandEnd) as caught:
        reached({"exec": plugin}).get("/version")
    assert (caught.value.code, caught.value.hint) == (5, hint)
    assert ("its own words" in capfd.readouterr().err) == (command == "false")
    assert server.calls == []


@CLIENTS
@pytest.mark.parametrize("version", ["v1", "v1beta1"])
def test_a_plugin_runs_again_once_its_token_is_not_accepted_any_more(
    server: Server, reached: Any, tmp_path: Path, is_official: bool, version: str
) -> None:
    (tmp_path / "tok").write_text('{"status": {"token": "one"}}')
    script = f"echo >> {tmp_path}/runs; cat {tmp_path}/tok"
    cluster = reached(
        {"exec": {"apiVersion": f"client.authentication.k8s.io/{version}", "command": "sh", "args": ["-c", script]}},
        is_official=is_official,
    )
    for _ in range(3):
        cluster.get("/version")
    server.accepted = "Bearer two"
    (tmp_path / "tok").write_text('{"status": {"token": "two"}}')
    for _ in range(3):
        cluster.get("/version")
    assert (tmp_path / "runs").read_text() == "\n\n"
    assert server.got("Authorization") == ["Bearer two"]


def _pair(folder: Path, name: str) -> tuple[bytes, bytes]:
    """A certificate of its own signature, and its key."""
    certificate, key = folder / f"{name}.crt", folder / f"{name}.key"
    make = ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-subj", f"/CN={name}"]
    subprocess.run([*make, "-keyout", key, "-out", certificate], check=True, capture_output=True)
    return certificate.read_bytes(), key.read_bytes()


def test_a_certificate_that_is_renewed_in_its_files_is_used_once_both_are(tmp_path: Path, kubeconfig_file: Any) -> None:
    one, two = _pair(tmp_path, "one"), _pair(tmp_path, "two")
    certificate, key = tmp_path / "tls.crt", tmp_path / "tls.key"
    certificate.write_bytes(one[0])
    key.write_bytes(one[1])
    (folder := tmp_path / "private").mkdir()
    times = [0.0]
    chosen = target(str(kubeconfig_file(user={"client-certificate": "tls.crt", "client-key": "tls.key"})))
    found = source(chosen, folder, lambda: times[0])

    def used() -> tuple[bytes, bytes]:
        pair = found.login().certificate
        assert pair
        return Path(pair[0]).read_bytes(), Path(pair[1]).read_bytes()

    first = found.login().certificate
    times[0] = REREAD
    certificate.write_bytes(two[0])  # and the key not yet
    assert found.login().certificate == first
    found.renew()
    assert found.login().certificate == first
    key.write_bytes(two[1])
    times[0] = 2 * REREAD
    assert used() == two
    assert found.login().certificate != first
    key.unlink()
    found.renew()
    assert used() == two
    assert all(path.stat().st_mode & 0o077 == 0 for path in folder.iterdir())


@CLIENTS
@pytest.mark.parametrize("end", ["\n", "\r\n", " \n", ""])
def test_a_token_file_may_end_in_a_newline(server: Server, reached: Any, tmp_path: Path, is_official: bool, end: str) -> None:
    (tmp_path / "tok").write_bytes(f"{MARK}{end}".encode())
    reached({"tokenFile": "tok", "token": "of old"}, is_official=is_official).get("/version")
    assert server.got("Authorization") == [f"Bearer {MARK}"]


@pytest.mark.parametrize(("content", "why"), [(None, "No such file or directory"), (b" \n", "it is empty")])
def test_a_token_file_without_a_token_is_named(tmp_path: Path, content: bytes | None, why: str) -> None:
    path = tmp_path / "tok"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(CommandEnd, match=f"tokenFile {path}: {why}"):
        TokenFile(path, "", lambda: 0).login()
    assert TokenFile(path, "other", lambda: 0).login().authorization == "Bearer other"


def test_a_token_file_is_read_again_in_time(tmp_path: Path) -> None:
    path, times = tmp_path / "tok", [0.0]
    path.write_text("one")
    found = TokenFile(path, "", lambda: times[0])
    assert found.login().authorization == "Bearer one"
    path.write_text("two")
    assert found.login().authorization == "Bearer one"
    times[0] = REREAD
    assert found.login().authorization == "Bearer two"
    path.unlink()
    times[0] = 2 * REREAD
    assert found.login().authorization == "Bearer two"


def _plugin(kubeconfig_file: Any, folder: Path, times: list[float], status: dict[str, Any], *, cluster: Any = None, **more: Any) -> Plugin:
    """A plugin that counts its runs, and keeps what it was told."""
    (folder / "out").write_text(json.dumps({"status": status}))
    script = f'echo "$KUBERNETES_EXEC_INFO" >> {folder}/info; cat {folder}/out'
    conf = {"apiVersion": BETA, "command": "sh", "args": ["-c", script], **more}
    chosen = target(str(kubeconfig_file(user={"exec": conf}, cluster=cluster)))
    found = source(chosen, folder, lambda: times[0])
    assert isinstance(found, Plugin)
    return found


def _told(folder: Path) -> list[Any]:
    return [json.loads(line) for line in (folder / "info").read_text().splitlines()]


def test_a_plugin_is_told_what_it_is_to_do(kubeconfig_file: Any, tmp_path: Path) -> None:
    _plugin(kubeconfig_file, tmp_path, [0], {"token": "t"}).login()
    assert _told(tmp_path) == [{"apiVersion": BETA, "kind": "ExecCredential", "spec": {"interactive": False}}]


def test_a_plugin_is_told_of_the_cluster_where_it_asks_for_it(kubeconfig_file: Any, tmp_path: Path) -> None:
    (tmp_path / "ca.crt").write_text("CA")
    extension = {"name": "client.authentication.k8s.io/exec", "extension": {"audience": "x"}}
    cluster = {"certificate-authority": "ca.crt", "tls-server-name": "n", "extensions": [extension]}
    _plugin(kubeconfig_file, tmp_path, [0], {"token": "t"}, cluster=cluster, provideClusterInfo=True).login()
    assert _told(tmp_path)[0]["spec"]["cluster"] == {
        "server": "https://127.0.0.1:1",
        "tls-server-name": "n",
        "certificate-authority-data": base64.b64encode(b"CA").decode(),
        "config": {"audience": "x"},
    }


def test_a_plugin_runs_once_until_its_credentials_have_expired(kubeconfig_file: Any, tmp_path: Path) -> None:
    times = [0.0]
    found = _plugin(kubeconfig_file, tmp_path, times, {"token": "t", "expirationTimestamp": "1970-01-01T00:01:00Z"})
    for moment, runs in ((0, 1), (59, 1), (60, 2), (61, 3)):
        times[0] = moment
        assert found.login().authorization == "Bearer t"
        assert len(_told(tmp_path)) == runs


def test_a_plugin_that_names_no_end_runs_once(kubeconfig_file: Any, tmp_path: Path) -> None:
    times = [0.0]
    found = _plugin(kubeconfig_file, tmp_path, times, {"token": "t"})
    for moment in (0, 1e6, 1e9):
        times[0] = moment
        found.login()
    assert len(_told(tmp_path)) == 1


def test_a_certificate_of_a_plugin_is_kept_where_nobody_else_reads_it(kubeconfig_file: Any, tmp_path: Path) -> None:
    pair = _plugin(kubeconfig_file, tmp_path, [0], {"clientCertificateData": "C", "clientKeyData": "K"}).login().certificate
    assert pair
    assert [Path(path).read_text() for path in pair] == ["C", "K"]
    assert all(Path(path).stat().st_mode & 0o077 == 0 for path in pair)


def test_a_plugin_that_has_to_ask_needs_a_terminal(kubeconfig_file: Any, tmp_path: Path) -> None:
    with pytest.raises(CommandEnd, match="it has to ask, and there is no terminal"):
        _plugin(kubeconfig_file, tmp_path, [0], {"token": "t"}, interactiveMode="Always").login()


def test_a_plugin_that_is_missing_is_told_how_to_get(kubeconfig_file: Any, tmp_path: Path) -> None:
    with pytest.raises(CommandEnd) as caught:
        _plugin(kubeconfig_file, tmp_path, [0], {}, command="no-such-plugin", installHint="brew install it").login()
    assert caught.value.hint == "brew install it"


class _Strict:
    """Accepts one token. sent: the tokens that came."""

    def __init__(self, accepted: str) -> None:
        self.accepted = accepted
        self.sent: list[str] = []

    def send(self, call: HttpCall) -> HttpReply:
        self.sent.append(call.headers["Authorization"])
        return HttpReply(200 if self.sent[-1] == f"Bearer {self.accepted}" else 401, {})


def test_a_login_that_is_not_accepted_any_more_is_renewed_once(tmp_path: Path) -> None:
    path, server = tmp_path / "tok", _Strict("two")
    path.write_text("one")
    logged_in = LoggedIn(server, TokenFile(path, "", lambda: 0))
    assert logged_in.send(HttpCall("GET", "/")).status == 401
    assert server.sent == ["Bearer one"]
    path.write_text("two")
    assert logged_in.send(HttpCall("GET", "/")).status == 200
    server.accepted = "three"
    path.write_text("four")
    assert logged_in.send(HttpCall("GET", "/")).status == 401
    assert server.sent[1:] == ["Bearer one", "Bearer two", "Bearer two", "Bearer four"]


def test_a_token_that_is_not_accepted_is_asked_for_once_more(server: Server, reached: Any, tmp_path: Path) -> None:
    server.answer = (401, b"{}")
    (tmp_path / "tok").write_text("t")
    with pytest.raises(TryAgain):
        reached({"tokenFile": "tok"}).get("/version")
    assert len(server.calls) == 1
