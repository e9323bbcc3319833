"""The labels and the owner that every child carries."""

from hardened.api import names
from hardened.api.parse import HardenedService
from hardened.core.model.manifest import Manifest


def owner_reference(svc: HardenedService) -> Manifest:
    """The service as controller of a child: the garbage collector removes the child after it, without a finalizer."""
    return {
        "apiVersion": names.API_VERSION,
        "kind": names.KIND,
        "name": svc.name,
        "uid": svc.uid,
        "controller": True,
        "blockOwnerDeletion": False,
    }


def action_owner(svc: HardenedService) -> Manifest:
    """The service as owner of an action, which may have another controller: it goes with the service."""
    return {"apiVersion": names.API_VERSION, "kind": names.KIND, "name": svc.name, "uid": svc.uid}


def labels(svc: HardenedService, component: str, *, color: str | None = None, revision: str | None = None) -> dict[str, str]:
    """The labels of a child. The service's own labels are never copied: a GitOps tool would adopt and prune the child."""
    found = {
        names.NAME_LABEL: svc.name,
        names.COMPONENT_LABEL: component,
        names.MANAGED_BY_LABEL: names.MANAGED_BY,
        names.SERVICE_LABEL: svc.name,
    }
    if color:
        found[names.COLOR_LABEL] = color
    if revision:
        found[names.REVISION_LABEL] = revision
    return found


def metadata(
    svc: HardenedService, name: str, component: str, *, color: str | None = None, revision: str | None = None, owned: bool = True
) -> Manifest:
    """The metadata of a child. owned: False for claims, which outlive the service."""
    meta: Manifest = {
        "name": name,
        "namespace": svc.namespace,
        "labels": labels(svc, component, color=color, revision=revision),
    }
    if owned:
        meta["ownerReferences"] = [owner_reference(svc)]
    return meta


def stack_selector(svc: HardenedService, color: str) -> dict[str, str]:
    """Selects the pods of one colour; immutable in a Deployment, so it names nothing that a release changes."""
    return {names.SERVICE_LABEL: svc.name, names.COLOR_LABEL: color}
