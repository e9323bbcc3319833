"""Whose the EndpointSlices of a Service are: Kubernetes' own follow its selector; others add what they like, and nobody waits for them."""

from typing import NamedTuple

from hardened.core.model.manifest import Manifest
from hardened.core.observe.observed import Observed

SLICE_OF = "kubernetes.io/service-name"
_MANAGED_BY = "endpointslice.kubernetes.io/managed-by"
_KUBERNETES = "endpointslice-controller.k8s.io"


class EndpointSlices(NamedTuple):
    """The EndpointSlices of a Service."""

    own: list[Manifest]
    """Those that follow the Service's selector."""
    foreign: dict[str, str]
    """All others, each by its name, with who says to manage it, or ""."""


def endpoint_slices(observed: Observed, service: str) -> EndpointSlices:
    """The EndpointSlices of a Service.

    What is marked as Kubernetes' own, and is not, its controller removes. Where none is marked, those are own that the Service owns.
    """
    found = [live for live in observed.children.values() if live["kind"] == "EndpointSlice" and _label(live, SLICE_OF) == service]
    own = [live for live in found if _label(live, _MANAGED_BY) == _KUBERNETES] or [live for live in found if _is_owned(live)]
    foreign = {str(live["metadata"]["name"]): _label(live, _MANAGED_BY) for live in found if not any(live is each for each in own)}
    return EndpointSlices(own, foreign)


def _is_owned(live: Manifest) -> bool:
    owners = live["metadata"].get("ownerReferences") or ()
    return not _label(live, _MANAGED_BY) and any(owner.get("controller") and owner.get("kind") == "Service" for owner in owners)


def _label(live: Manifest, name: str) -> str:
    return str((live["metadata"].get("labels") or {}).get(name, ""))
