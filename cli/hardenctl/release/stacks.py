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
    """Pods of that revision that are ready, at least."""
    wanted: int
    """Pods of it that there are to be."""
    others: int = 0
    """Pods of the revision before it that are still there."""
    counted: bool = True
    """Its controller has seen what it is to run; before, nothing is known of its pods."""

    def __str__(self) -> str:
        """Example: "1 of 2 pods ready, 2 of the revision before still there"."""
        if not self.counted:
            return f"{self.wanted} pods wanted, not counted yet"
        others = f", {self.others} of the revision before still there" if self.others else ""
        return f"{self.ready} of {self.wanted} pods ready{others}"


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
    # While a colour changes its revision, pods of the one before it are ready as well: all of them, as far as this tells. Before its
    # controller has seen the change, whatever it says is of the one before.
    is_counted = int(status.get("observedGeneration") or 0) >= int(live["metadata"].get("generation") or 0)
    others = max(0, int(status.get("replicas") or 0) - int(status.get("updatedReplicas") or 0))
    return RunningStack(
        color=str(labels.get(names.COLOR_LABEL, "")),
        revision=str(labels.get(names.REVISION_LABEL, "")),
        ready=max(0, int(status.get("readyReplicas") or 0) - others) if is_counted else 0,
        wanted=int(spec.get("replicas", 1)),
        others=others if is_counted else 0,
        counted=is_counted,
    )
