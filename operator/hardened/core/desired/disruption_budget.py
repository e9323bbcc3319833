"""The PodDisruptionBudgets of a service: of each colour, and of a migration that runs."""

from hardened.api import names
from hardened.api.parse import HardenedService
from hardened.core.desired.check_pod import once_labels
from hardened.core.desired.container import as_manifest
from hardened.core.desired.deployment import deployment_name
from hardened.core.desired.metadata import metadata, stack_selector
from hardened.core.model.manifest import Manifest


def disruption_budget(svc: HardenedService, color: str, *, has_clients: bool = True) -> Manifest:
    """One pod at a time unless the team says otherwise. A pod that is not ready never blocks a drain.

    has_clients: False for a colour that clients do not use. Then no pod of it does: a preview of one pod is never two at least.
    """
    given = svc.spec.availability and svc.spec.availability.disruption_budget
    guarded = as_manifest(given) if given else {"maxUnavailable": 1}
    return {
        "apiVersion": "policy/v1",
        "kind": "PodDisruptionBudget",
        "metadata": metadata(svc, deployment_name(svc, color), "app", color=color),
        "spec": {
            "selector": {"matchLabels": stack_selector(svc, color)},
            "unhealthyPodEvictionPolicy": "AlwaysAllow",
            **(guarded if has_clients else {"maxUnavailable": "100%"}),
        },
    }


def migration_budget_name(svc: HardenedService) -> str:
    """The name of the budget of a migration."""
    return names.child_name(svc.name, "migration")


def migration_budget(svc: HardenedService) -> Manifest:
    """No drain takes a migration away that runs: it waits for its end, which is its deadline at the latest."""
    return {
        "apiVersion": "policy/v1",
        "kind": "PodDisruptionBudget",
        "metadata": metadata(svc, migration_budget_name(svc), names.VERIFIER),
        # Of pods without a controller the API server knows no other form.
        "spec": {"selector": {"matchLabels": once_labels(svc)}, "minAvailable": 1, "unhealthyPodEvictionPolicy": "AlwaysAllow"},
    }
