"""Real shells at a terminal of their own, and real kubectl: somebody types, and presses Tab."""

import http.server
import json
import os
import pty
import re
import select
import shutil
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[3]
#: Seconds until a shell has drawn what it proposes: this machine may be busy.
PATIENCE_S = 60.0
#: Seconds after which Tab is pressed again: names that the cluster has not told in time, as on a busy machine, are not proposed.
AGAIN_S = 3.0
BEGIN = {
    "bash": (["bash", "--norc", "--noprofile", "-i"], "source <(hardenctl completion bash)"),
    "zsh": (["zsh", "-f", "-i"], "autoload -Uz compinit && compinit -u -D && source <(hardenctl completion zsh)"),
    "fish": (["fish", "--no-config", "-i"], "hardenctl completion fish | source"),
}
PACKAGES = {Path("/usr/bin/zsh"): "zsh", Path("/usr/bin/fish"): "fish"}


class _Api(http.server.BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        items = [{"metadata": {"name": name, "namespace": "shop"}} for name in ("billing", "checkout")]
        path = self.path.partition("?")[0]
        found = {"items": items} if path.endswith(("/namespaces/shop/hardenedservices", "/api/v1/namespaces")) else {}
        body = json.dumps(found).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        return


@pytest.fixture
def api() -> Iterator[str]:
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), _Api)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()


@pytest.fixture
def environment(api: str, kubeconfig_file: Callable[..., Path], tmp_path: Path) -> dict[str, str]:
    """Programs as they are installed, and a cluster with the services billing and checkout in the namespace shop."""
    programs = tmp_path / "bin"
    programs.mkdir()
    path = os.pathsep.join(str(ROOT / part) for part in ("operator", "cli"))
    for name in ("hardenctl", "kubectl-hardened"):
        (programs / name).write_text(f'#!/bin/sh\nPYTHONPATH={path} exec {sys.executable} -m hardenctl "$@"\n')
    plugin = subprocess.run([sys.executable, "-m", "hardenctl", "completion", "kubectl"], capture_output=True, text=True, check=True)
    (programs / "kubectl_complete-hardened").write_text(plugin.stdout)
    for each in programs.iterdir():
        each.chmod(0o755)
    config = kubeconfig_file(cluster={"server": api}, context={"namespace": "shop"})
    inherited = {name: os.environ[name] for name in ("LANG",) if name in os.environ}
    terminal = {"TERM": "xterm", "HOME": str(tmp_path), "PS1": "$ ", "COLUMNS": "80", "LINES": "24"}
    return {**inherited, **terminal, "PATH": f"{programs}:/usr/bin:/bin", "KUBECONFIG": str(config)}


class Terminal:
    """A shell at a terminal."""

    def __init__(self, command: list[str], environment: dict[str, str]) -> None:
        program = shutil.which(command[0])
        assert program, f"{command[0]} is not installed"
        self.pid, self._fd = pty.fork()
        if self.pid == 0:
            os.execve(program, command, environment)
        self._seen = ""

    def type(self, text: str) -> None:
        os.write(self._fd, text.encode())

    def until(self, pattern: str, again: str = "") -> str:
        """What is on the screen from the last call on, once this is in it. again: what is typed each AGAIN_S as long as it is not."""
        until, next_try = time.monotonic() + PATIENCE_S, time.monotonic() + AGAIN_S
        while not re.search(pattern, self._seen):
            assert time.monotonic() < until, f"{pattern} is not in {self._seen!r}"
            if time.monotonic() >= next_try:
                next_try = time.monotonic() + AGAIN_S
                self.type(again)
            if select.select([self._fd], [], [], 0.2)[0]:
                self._seen += re.sub(r"\x1b(\[[0-9;?<>=]*[A-Za-z]|\][^\x07]*\x07|[()][A-Z0-9]|[=>])", "", os.read(self._fd, 65536).decode())
        found, self._seen = self._seen, ""
        return found

    def end(self) -> None:
        os.kill(self.pid, 9)
        os.waitpid(self.pid, 0)
        os.close(self._fd)


@pytest.fixture
def shell(environment: dict[str, str]) -> Iterator[Callable[[str], Terminal]]:
    """shell(name): at its prompt, with its completion loaded."""
    opened: list[Terminal] = []

    def begin(name: str) -> Terminal:
        command, load = BEGIN[name]
        terminal = Terminal(command, environment)
        opened.append(terminal)
        terminal.type(f"{load}; echo rea''dy\n")
        terminal.until("ready\r?\n")
        return terminal

    yield begin
    for each in opened:
        each.end()


@pytest.mark.parametrize("name", ["bash", *(pytest.param(each, marks=pytest.mark.servers) for each in ("zsh", "fish"))])
def test_tab_completes_verbs_flags_and_names(name: str, shell: Callable[[str], Terminal], tmp_path: Path) -> None:
    from e2e.cluster.packages import ensure_files

    if name != "bash":
        ensure_files({path: package for path, package in PACKAGES.items() if package == name})
    (tmp_path / "shop.yaml").write_text("")
    terminal = shell(name)
    terminal.type(f"cd {tmp_path}; echo the''re\n")
    terminal.until("there\r?\n")
    for typed, expected in (
        ("hardenctl prom\t", "promote "),
        ("hardenctl status bil\t", "billing"),
        ("hardenctl status --reque\t", "--request-timeout"),
        ("hardenctl status -n check\t", "checkout"),
        ("hardenctl status --for=heal\t", "healthy"),
        ("hardenctl deploy -f sho\t", r"shop\.yaml"),
    ):
        terminal.type(typed)
        assert "rror" not in terminal.until(expected, again="\t")
        terminal.type("\x15\x0b")  # the line is emptied


def test_kubectl_asks_the_plugin(environment: dict[str, str]) -> None:
    if not shutil.which("kubectl", path=environment["PATH"]):
        pytest.skip("needs kubectl")
    until, said = time.monotonic() + PATIENCE_S, [":4"]
    while said == [":4"] and time.monotonic() < until:  # the cluster has not told in time
        command = ["kubectl", "__complete", "hardened", "status", "bil"]
        said = subprocess.run(command, capture_output=True, text=True, env=environment, check=True).stdout.splitlines()
    assert said == ["billing", ":4"]
