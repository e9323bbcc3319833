"""Runs hardenctl against a cluster in memory."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hardenctl_world import FakeCluster
from json_output import asks_for_json, assert_fits, verb_of
from typer.testing import CliRunner, Result

import hardenctl.cluster.api_cluster
from hardenctl.app import app, verb_first
from hardenctl.output.outcome import Exit

Run = Callable[..., Result]


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch) -> Run:
    """run(cluster, *arguments): the result of `hardenctl <arguments>` on this cluster; what -o json prints fits the verb's schema."""

    def invoke(cluster: FakeCluster | None, *arguments: str, stdin: str | bytes | None = None) -> Result:
        def connect(**_: Any) -> FakeCluster:
            assert cluster is not None, "this call must not ask for a cluster"
            return cluster

        monkeypatch.setattr(hardenctl.cluster.api_cluster, "connect", connect)
        words = verb_first(arguments)
        result = CliRunner().invoke(app, words, input=stdin, prog_name="hardenctl")
        if asks_for_json(words) and (result.stdout or result.exit_code != Exit.USAGE):
            assert_fits(verb_of(words), result.stdout)
        return result

    return invoke


@pytest.fixture
def kubeconfig_file(tmp_path: Path) -> Callable[..., Path]:
    """kubeconfig_file(user=…, cluster=…, context=…, **others): a file with one context, of which these entries are as given."""

    def write(*, user: Any = None, cluster: Any = None, context: Any = None, **others: Any) -> Path:
        whole = {
            "current-context": "c",
            "contexts": [{"name": "c", "context": {"cluster": "k", "user": "u", **(context or {})}}],
            "clusters": [{"name": "k", "cluster": {"server": "https://127.0.0.1:1", **(cluster or {})}}],
            "users": [{"name": "u", "user": user or {}}],
        }
        path = tmp_path / "config"
        path.write_text(json.dumps(whole | others))
        return path

    return write
