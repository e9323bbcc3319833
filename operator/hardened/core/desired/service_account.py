"""The ServiceAccount of a service's pods: without rights, without a token."""

from hardened.api.parse import HardenedService
from hardened.core.desired.metadata import metadata
from hardened.core.model.manifest import Manifest


def service_account(svc: HardenedService) -> Manifest:
    """An account of its own, so that nothing is ever granted to the namespace's default account for this service's sake."""
    meta = metadata(svc, svc.name, "account")
    given = svc.spec.service_account
    if given and given.annotations:
        meta["annotations"] = dict(given.annotations)
    return {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": meta, "automountServiceAccountToken": False}
