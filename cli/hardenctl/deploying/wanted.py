"""The children of a service that is made anew, by the operator's own builders; nothing that decides is loaded."""

from collections.abc import Mapping
from typing import Any

from hardenctl.deploying import settings
from hardened.api.parse import parse
from hardened.core.desired.children import at_rest
from hardened.core.model.manifest import Manifest
from hardened.core.revisions.revision import render

#: Stands in for the uid that only the API server can give.
NO_UID = "00000000-0000-0000-0000-000000000000"


def wanted(body: Mapping[str, Any], namespace: str) -> list[Manifest]:
    """Every child of a service that is made anew. namespace: where the body has none. Raises InvalidSpec."""
    svc = parse(complete(body, namespace))
    replicas = svc.spec.first_replicas if svc.spec.replicas is None else svc.spec.replicas
    policy = settings.UNKNOWN
    return at_rest(svc, render(svc), replicas, policy.backup, policy.prometheus_url)


def complete(body: Mapping[str, Any], namespace: str) -> dict[str, Any]:
    """The object as the API server would make it of a body that may have no namespace."""
    meta = {"uid": NO_UID, "generation": 1, "namespace": namespace} | body["metadata"]
    return {**body, "metadata": meta}
