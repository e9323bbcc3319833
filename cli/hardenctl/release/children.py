"""What belongs to a service on the cluster."""

from collections.abc import Mapping
from typing import Any

from hardenctl.cluster.paths import children, with_query
from hardenctl.cluster.session import Session
from hardened.api import names
from hardened.core.model.manifest import Manifest


def children_of(session: Session, live: Mapping[str, Any], kind: str) -> list[Manifest]:
    """The children of one kind, without a stranger's of the same label. Raises ApiFailure."""
    meta = live["metadata"]
    path = with_query(children(kind, meta["namespace"]), labelSelector=f"{names.SERVICE_LABEL}={meta['name']}")
    return [each for each in session.cluster.get(path).get("items") or () if _is_of(each, meta)]


def _is_of(child: Manifest, owner: Mapping[str, Any]) -> bool:
    references = child["metadata"].get("ownerReferences") or ()
    return not references or any(reference.get("uid") == owner.get("uid") for reference in references)
