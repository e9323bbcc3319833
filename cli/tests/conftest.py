"""Runs hardenctl against a cluster in memory."""

from collections.abc import Callable
from typing import Any

import pytest
from hardenctl_world import FakeCluster
from typer.testing import CliRunner, Result

import hardenctl.cluster
from hardenctl.app import app, verb_first

Run = Callable[..., Result]


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch) -> Run:
    """run(cluster, *arguments): the result of `hardenctl <arguments>` on this cluster."""

    def invoke(cluster: FakeCluster | None, *arguments: str, stdin: str | bytes | None = None) -> Result:
        def connect(**_: Any) -> FakeCluster:
            assert cluster is not None, "this call must not ask for a cluster"
            return cluster

        monkeypatch.setattr(hardenctl.cluster, "connect", connect)
        return CliRunner().invoke(app, verb_first(arguments), input=stdin, prog_name="hardenctl")

    return invoke
