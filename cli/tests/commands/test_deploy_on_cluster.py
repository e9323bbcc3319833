"""hardenctl on a real cluster, as a person would use it. The cluster is the one that KUBECONFIG names."""

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest

pytestmark = pytest.mark.cluster

IMAGE = "registry.invalid/nothing:1.0"
Program = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture
def namespace(kubeconfig: Path, rights: None) -> Iterator[str]:
    import pykube

    api = pykube.HTTPClient(pykube.KubeConfig.from_file())
    name = f"hardenctl-{uuid4().hex[:8]}"
    found = pykube.Namespace(api, {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}})
    found.create()
    yield name
    found.delete()


@pytest.fixture
def hardenctl(namespace: str) -> Program:
    def run(*arguments: str, stdin: str | None = None) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-m", "hardenctl", *arguments, "-n", namespace]
        environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
        return subprocess.run(command, input=stdin, capture_output=True, text=True, timeout=120, check=False, env=environment)

    return run


def test_a_service_is_deployed_waited_for_and_shown(hardenctl: Program, namespace: str) -> None:
    made = hardenctl("deploy", "api", "--image", IMAGE, "--port", "8080", "--wait=none")
    assert (made.returncode, made.stdout) == (0, f"{namespace}/api created\n")
    began = time.monotonic()
    waited = hardenctl("deploy", "api", "--image", IMAGE, "--timeout", "3s", "-o", "json")
    assert waited.returncode == 124, waited.stderr
    assert time.monotonic() - began < 60
    assert json.loads(waited.stdout)["result"] == "timeout"
    shown = hardenctl("status", "api", "-o", "json")
    assert json.loads(shown.stdout)["result"] in ("pending", "progressing", "degraded")


def test_another_managers_field_is_left_to_it(hardenctl: Program, namespace: str) -> None:
    import pykube

    hardenctl("deploy", "api", "--image", IMAGE, "--wait=none")
    api = pykube.HTTPClient(pykube.KubeConfig.from_file())
    path = f"{api.url}/apis/hardened.dev/v1alpha1/namespaces/{namespace}/hardenedservices/api?fieldManager=somebody"
    patch: Any = {"spec": {"image": "registry.invalid/nothing:2.0"}}
    api.session.patch(path, json=patch, headers={"Content-Type": "application/merge-patch+json"}).raise_for_status()
    refused = hardenctl("deploy", "api", "--image", IMAGE)
    assert refused.returncode == 4
    assert "spec.image is managed by somebody" in refused.stderr
    assert hardenctl("deploy", "api", "--image", IMAGE, "--force-conflicts", "--wait=none").returncode == 0


def test_a_server_dry_run_changes_nothing(hardenctl: Program) -> None:
    shown = hardenctl("deploy", "api", "--image", IMAGE, "--dry-run=server")
    assert shown.returncode == 0, shown.stderr
    assert "Deployment" in shown.stdout
    assert hardenctl("status", "api").returncode == 1


def test_a_missing_service_and_missing_rights(hardenctl: Program) -> None:
    assert hardenctl("status", "none").returncode == 1
    assert hardenctl("status", "none", "--as", "nobody").returncode == 4
    assert hardenctl("check").returncode in (0, 1)
