"""Both images run on a real cluster as the restricted pod security standard wants it, with nothing to write to."""

from __future__ import annotations

import json
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from kubernetes import client, config, watch

from e2e.cluster import Provider
from e2e.workloads.build import Kind, build

pytestmark = pytest.mark.cluster


@pytest.fixture(scope="module")
def core(kubeconfig: Path) -> Iterator[Any]:
    api = config.new_client_from_config(str(kubeconfig))
    yield client.CoreV1Api(api)
    api.close()


@pytest.fixture(scope="module")
def namespace(core: Any) -> Iterator[str]:
    name = f"workloads-{uuid.uuid4().hex[:6]}"
    core.create_namespace({"metadata": {"name": name, "labels": {"pod-security.kubernetes.io/enforce": "restricted"}}})
    # A pod is only admitted once its service account is there.
    for event in watch.Watch().stream(core.list_namespaced_service_account, name, timeout_seconds=60):
        if event["object"].metadata.name == "default":
            break
    yield name
    core.delete_namespace(name)


def pod(kind: Kind, image: str) -> dict[str, Any]:
    return {
        "metadata": {"name": kind},
        "spec": {
            "automountServiceAccountToken": False,
            "securityContext": {"runAsNonRoot": True, "seccompProfile": {"type": "RuntimeDefault"}},
            "containers": [
                {
                    "name": "web",
                    "image": image,
                    "imagePullPolicy": "Never",
                    "ports": [{"containerPort": 8080}],
                    "env": [{"name": "LINGER", "value": "0"}],
                    "readinessProbe": {"httpGet": {"path": "/health/ready", "port": 8080}, "periodSeconds": 1},
                    "livenessProbe": {"httpGet": {"path": "/health/live", "port": 8080}},
                    "resources": {"requests": {"cpu": "10m", "memory": "32Mi"}, "limits": {"memory": "128Mi"}},
                    "securityContext": {
                        "allowPrivilegeEscalation": False,
                        "readOnlyRootFilesystem": True,
                        "capabilities": {"drop": ["ALL"]},
                    },
                }
            ],
        },
    }


@pytest.mark.parametrize("kind", ["python", "static"])
def test_the_image_becomes_ready_answers_and_leaves_with_0(core: Any, cluster: Provider, namespace: str, kind: Kind) -> None:
    image = build(kind, "v2")
    cluster.load([image])
    core.create_namespaced_pod(namespace, pod(kind, image))
    until(core, namespace, kind, lambda one: any(c.type == "Ready" and c.status == "True" for c in one.status.conditions or ()))
    answer = core.connect_get_namespaced_pod_proxy(f"{kind}:8080", namespace, _preload_content=False)
    assert json.loads(answer.data) == {"version": "v2", "pod": kind}
    core.delete_namespaced_pod(kind, namespace, grace_period_seconds=15)
    ended = until(core, namespace, kind, lambda one: bool(one.status.container_statuses[0].state.terminated))
    assert ended.status.container_statuses[0].state.terminated.exit_code == 0


def until(core: Any, namespace: str, name: str, condition: Any) -> Any:
    """The pod, once the condition holds; fails after 90 s with its last status."""
    seen = None
    for event in watch.Watch().stream(core.list_namespaced_pod, namespace, field_selector=f"metadata.name={name}", timeout_seconds=90):
        seen = event["object"]
        if condition(seen):
            return seen
    pytest.fail(f"the pod {name} never came to it: {seen and seen.status}")
