"""What can stand at the end of a command line that is not finished."""

import time
from collections.abc import Mapping
from typing import Any

import pytest
from hardenctl_world import FakeCluster, healthy, service, state

from hardenctl.app import VERBS
from hardenctl.completing import program
from hardenctl.completing.live_names import within
from hardenctl.completing.words import proposals

LIVE = {
    "service": {"api": "Healthy", "apt": "", "web": ""},
    "namespace": {"shop": "", "shed": ""},
    "revision": {"adede321b372": "image:1"},
    "backup": {"nightly": ""},
}


def proposed(*words: str) -> list[str]:
    asked: list[tuple[Mapping[str, str], str, str]] = []

    def ask(flags: Mapping[str, str], kind: str, name: str) -> Mapping[str, str]:
        asked.append((flags, kind, name))
        return LIVE[kind]

    return list(proposals(words, ask))


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (["prom"], ["promote"]),
        (["-n", "shop", "prom"], ["promote"]),
        (["-n", "sh"], ["shop", "shed"]),
        (["status", ""], ["api", "apt", "web"]),
        (["status", "ap"], ["api", "apt"]),
        (["status", "web", "ap"], ["api", "apt"]),
        (["promote", "web", ""], []),
        (["status", "--na"], ["--namespace"]),
        (["status", "-n", "she"], ["shed"]),
        (["status", "--namespace=she"], ["--namespace=shed"]),
        (["status", "--for", "h"], ["healthy"]),
        (["status", "--for", "=", "h"], ["healthy"]),
        (["status", "--for=h"], ["--for=healthy"]),
        (["status", "-o", "n"], ["name"]),
        (["status", "-w", "w"], ["web"]),
        (["rollback", "api", "--to-revision", ""], ["adede321b372"]),
        (["rollback", "--to-revision", ""], []),
        (["diff", "api", "ad"], ["adede321b372"]),
        (["backup", "l"], ["list"]),
        (["backup", "create", "api", "n"], ["nightly"]),
        (["restore", "api", "--backup", ""], ["nightly"]),
        (["explain", "CrashL"], ["CrashLooping"]),
        (["generate", "rbac", "--verb", "backup c"], ["backup create"]),
        (["completion", "z"], ["zsh"]),
        (["deploy", "-f", "sh"], [":files"]),
        (["deploy", "-f="], []),
        (["no-such-verb", ""], [*VERBS, "help"]),
        (["status", "--reason", ""], ["api", "apt", "web"]),
    ],
    ids=" ".join,
)
def test_what_is_proposed(words: list[str], expected: list[str]) -> None:
    assert proposed(*words) == expected


def test_the_names_are_those_that_the_flags_lead_to(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    asked: list[dict[str, Any]] = []
    history = {**healthy(), "history": [{"revision": "adede321b372", "image": "registry.example/api:1.0"}]}
    cluster = FakeCluster(service(status=history), service("web", status=state("Degraded")))

    def connect(**given: Any) -> FakeCluster:
        asked.append(given)
        return cluster

    monkeypatch.setattr("hardenctl.cluster.api_cluster.connect", connect)
    program.main(["status", "-n", "shop", "--context", "staging", "--as", "ada", ""])
    assert capsys.readouterr() == ("api\tHealthy\nweb\tDegraded\n", "")
    assert [(each["namespace"], each["context"], each["user"]) for each in asked] == [("shop", "staging", "ada")]
    program.main(["rollback", "api", "--to-revision", ""])
    assert capsys.readouterr().out == "adede321b372\tregistry.example/api:1.0\n"
    program.main(["--kubectl", "status", ""])
    assert capsys.readouterr().out == "api\tHealthy\nweb\tDegraded\n:4\n"
    program.main(["--kubectl", "deploy", "-f", ""])
    assert capsys.readouterr().out == ":0\n"


@pytest.mark.parametrize(
    "words", [["status", ""], ["--kubectl"], [], ["status", "--kubeconfig", "/nowhere", "-n", ""], ["\0", "\udcff", ""]]
)
def test_no_error_is_ever_printed(words: list[str], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setenv("KUBECONFIG", "/nowhere/config")
    program.main(words)
    assert capsys.readouterr().err == ""


def test_a_cluster_that_does_not_answer_is_not_waited_for() -> None:
    began = time.monotonic()
    assert within(0.05, lambda: {"late": str(time.sleep(5))}) == {}
    assert time.monotonic() - began < 2
    assert within(5, lambda: {"api": ""}) == {"api": ""}
