"""The PodDisruptionBudget of one colour."""

from hardened.api.parse import HardenedService
from hardened.core.desired.container import as_manifest
from hardened.core.desired.deployment import deployment_name
from hardened.core.desired.metadata import metadata, stack_selector
from hardened.core.manifest import Manifest


def disruption_budget(svc: HardenedService, color: str) -> Manifest:
    """One pod at a time unless the team says otherwise. A pod that is not ready never blocks a drain."""
    given = svc.spec.availability and svc.spec.availability.disruption_budget
    return {
        "apiVersion": "policy/v1",
        "kind": "PodDisruptionBudget",
        "metadata": metadata(svc, deployment_name(svc, color), "app", color=color),
        "spec": {
            "selector": {"matchLabels": stack_selector(svc, color)},
            "unhealthyPodEvictionPolicy": "AlwaysAllow",
            **(as_manifest(given) if given else {"maxUnavailable": 1}),
        },
    }
