"""The colours of a service as they run: one Deployment each."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from hardenctl.cluster.paths import children, with_query
from hardenctl.cluster.session import Session
from hardened.api import names
from hardened.core.model.manifest import Manifest
from hardened.errors import ApiFailure


@dataclass(frozen=True)
class RunningStack:
    """One colour as it runs."""

    color: str
    """blue or green."""
    revision: str
    """The one that it is to run."""
    ready: int
    """Pods of that revision that are ready."""
    wanted: int
    """Pods that there are to be."""


def stacks_of(session: Session, live: Mapping[str, Any]) -> tuple[RunningStack, ...]:
    """The colours of a service, by name. Who may not read Deployments learns of none: the rest of a status is worth showing."""
    meta = live["metadata"]
    path = with_query(children("Deployment", meta["namespace"]), labelSelector=f"{names.SERVICE_LABEL}={meta['name']}")
    try:
        found = session.cluster.get(path).get("items") or ()
    except ApiFailure as error:
        session.console.trace(f"the colours are not shown: {error}")
        return ()
    stacks = [_stack(each) for each in found if _is_of(each, meta)]
    return tuple(sorted((s for s in stacks if s.color), key=lambda s: s.color))


def _stack(live: Manifest) -> RunningStack:
    spec, status = live.get("spec") or {}, live.get("status") or {}
    labels = {**(live["metadata"].get("labels") or {}), **(((spec.get("template") or {}).get("metadata") or {}).get("labels") or {})}
    # While a colour changes its revision, pods of the one before it are ready as well: all of them, as far as this tells.
    others = int(status.get("replicas") or 0) - int(status.get("updatedReplicas") or 0)
    return RunningStack(
        color=str(labels.get(names.COLOR_LABEL, "")),
        revision=str(labels.get(names.REVISION_LABEL, "")),
        ready=max(0, int(status.get("readyReplicas") or 0) - max(0, others)),
        wanted=int(spec.get("replicas", 1)),
    )


def _is_of(child: Manifest, owner: Mapping[str, Any]) -> bool:
    references = child["metadata"].get("ownerReferences") or ()
    return not references or any(reference.get("uid") == owner.get("uid") for reference in references)
