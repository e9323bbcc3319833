"""The services that are measured, and what they are measured against."""

from __future__ import annotations

from typing import Any

from e2e.kube import Body
from hardened.api import names
from hardened.api.parse import parse
from hardened.core.desired.children import at_rest
from hardened.core.revisions.revision import render

#: Where pods really run, and where they are only said to.
REAL: Body = {
    "affinity": {
        "nodeAffinity": {
            "requiredDuringSchedulingIgnoredDuringExecution": {
                "nodeSelectorTerms": [{"matchExpressions": [{"key": "type", "operator": "NotIn", "values": ["kwok"]}]}]
            }
        }
    }
}
PLAYED: Body = {"nodeSelector": {"type": "kwok"}}


def service(name: str, namespace: str, *, scheduling: Body, **spec: Any) -> Body:
    """A HardenedService of the static workload, which starts and ends at once."""
    return {
        "apiVersion": names.API_VERSION,
        "kind": names.KIND,
        "metadata": {"name": name, "namespace": namespace},
        "spec": {
            "image": "docker.io/hardened/web-static:v1",
            "replicas": 1,
            "ports": [{"name": "http", "containerPort": 8080, "port": 80}],
            "env": [{"name": "LINGER", "value": "0"}],
            "probes": {"readiness": {"httpGet": {"path": "/health/ready"}, "periodSeconds": 1}},
            "shutdown": {"drainSeconds": 0, "graceSeconds": 5},
            "scheduling": scheduling,
            **spec,
        },
    }


def bare(manifest: Body) -> tuple[Body, Body]:
    """The Deployment that the operator would make of this service, and the account of its pods, as a person would apply them."""
    svc = parse(manifest)
    children = at_rest(svc, render(svc), svc.spec.replicas or 1)
    for child in children:
        child["metadata"] = {key: child["metadata"][key] for key in ("name", "namespace")}
    by_kind = {child["kind"]: child for child in children}
    return by_kind["Deployment"], by_kind["ServiceAccount"]
