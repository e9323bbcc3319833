"""A namespace of a test's own on the real cluster, with a service account that may do a few things to config maps there."""

from __future__ import annotations

import contextlib
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from kubernetes import client, config

VERBS = ["get", "list", "watch", "create", "patch", "update", "delete"]


@dataclass(frozen=True)
class FaultNamespace:
    """A namespace, the token of its service account, and the administrator's clients."""

    kubeconfig: Path
    namespace: str
    token: str
    admin: Any

    def create_config_map(self, name: str, **labels: str) -> None:
        self.admin.create_namespaced_config_map(self.namespace, {"metadata": {"name": name, "labels": labels}})

    def config_map_labels(self, name: str) -> dict[str, str]:
        return self.admin.read_namespaced_config_map(name, self.namespace).metadata.labels or {}


@contextlib.contextmanager
def fault_namespace(kubeconfig: Path) -> Iterator[FaultNamespace]:
    """Made with the administrator's kubeconfig, and gone afterwards."""
    api = config.new_client_from_config(str(kubeconfig))
    core, rbac = client.CoreV1Api(api), client.RbacAuthorizationV1Api(api)
    namespace = f"faults-{uuid.uuid4().hex[:6]}"
    core.create_namespace({"metadata": {"name": namespace}})
    try:
        core.create_namespaced_service_account(namespace, {"metadata": {"name": "tester"}})
        rules = [{"apiGroups": [""], "resources": ["configmaps"], "verbs": VERBS}]
        rbac.create_namespaced_role(namespace, {"metadata": {"name": "tester"}, "rules": rules})
        rbac.create_namespaced_role_binding(
            namespace,
            {
                "metadata": {"name": "tester"},
                "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "Role", "name": "tester"},
                "subjects": [{"kind": "ServiceAccount", "name": "tester", "namespace": namespace}],
            },
        )
        token = core.create_namespaced_service_account_token("tester", namespace, {"spec": {"expirationSeconds": 3600}}).status.token
        yield FaultNamespace(kubeconfig, namespace, token, core)
    finally:
        core.delete_namespace(namespace)
        api.close()
