"""What belongs to a service on the cluster."""

from collections.abc import Mapping
from typing import Any

from hardenctl.cluster.paths import children, with_query
from hardenctl.cluster.session import Session
from hardened.api import names
from hardened.core.model.manifest import Manifest


def children_of(session: Session, live: Mapping[str, Any], kind: str) -> list[Manifest]:
    """The children of one kind, without a stranger's of the same label. Raises ApiFailure."""
    return [each for each in _labelled(session, live, kind) if _is_of(each, live["metadata"])]


def autoscalers_of(session: Session, live: Mapping[str, Any]) -> list[Manifest]:
    """Those that scale the service: the operator's, or KEDA's, which belongs to a ScaledObject of its name. Raises ApiFailure."""
    meta = live["metadata"]
    found = _labelled(session, live, "HorizontalPodAutoscaler")
    return [each for each in found if _is_of(each, meta) or _is_kedas(each, meta["name"])]


def _labelled(session: Session, live: Mapping[str, Any], kind: str) -> list[Manifest]:
    meta = live["metadata"]
    path = with_query(children(kind, meta["namespace"]), labelSelector=f"{names.SERVICE_LABEL}={meta['name']}")
    return list(session.cluster.get(path).get("items") or ())


def _is_kedas(child: Manifest, service: str) -> bool:
    owners = child["metadata"].get("ownerReferences") or ()
    return any((owner.get("kind"), owner.get("name")) == ("ScaledObject", service) for owner in owners)


def _is_of(child: Manifest, owner: Mapping[str, Any]) -> bool:
    references = child["metadata"].get("ownerReferences") or ()
    return not references or any(reference.get("uid") == owner.get("uid") for reference in references)
