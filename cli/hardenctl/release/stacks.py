"""The colours of a service as they run: one Deployment each."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from hardenctl.cluster.session import Session
from hardenctl.release.children import children_of
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

    def __str__(self) -> str:
        """Example: "1 of 2 pods ready"."""
        return f"{self.ready} of {self.wanted} pods ready"


def stacks_of(session: Session, live: Mapping[str, Any]) -> tuple[RunningStack, ...]:
    """The colours of a service, by name. Who may not read Deployments learns of none: the rest of a status is worth showing."""
    try:
        found = children_of(session, live, "Deployment")
    except ApiFailure as error:
        session.console.trace(f"the colours are not shown: {error}")
        return ()
    stacks = [_stack(each) for each in found]
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
