"""What of Hardened is installed on a cluster."""

from dataclasses import dataclass
from typing import Any

from hardenctl.cluster.api_cluster import Cluster
from hardenctl.cluster.paths import ALL_DEPLOYMENTS, CRD, GROUP, OPERATOR_LABEL, with_query
from hardened.errors import Refused, Vanished

NOT_INSTALLED = "not installed"
NOT_ALLOWED = "unknown: you have no right to read it"


@dataclass(frozen=True)
class Operator:
    """The operator, as it is installed."""

    version: str
    """The tag of its image, or why that is not known."""
    where: str = ""
    """namespace/name, "" if it was not found."""
    available: int = 0
    """How many of its pods are."""
    wanted: int = 0
    """How many pods it is to have."""
    is_known: bool = True
    """False for who may not look."""

    @property
    def is_installed(self) -> bool:
        """It was found."""
        return bool(self.where)


@dataclass(frozen=True)
class Crd:
    """The CRD of HardenedService, as it is installed."""

    version: str
    """`schema revision N`, or why that is not known."""
    revision: str = ""
    """N alone, "" if not known."""
    is_installed: bool = True
    """It is there."""
    is_known: bool = True
    """False for who may not look."""
    is_established: bool = True
    """The API server has accepted it."""


def operator(cluster: Cluster) -> Operator:
    """The operator's Deployment, in any namespace; the one with the most pods where there are several."""
    try:
        best = deployment(cluster)
    except Refused:
        return Operator(NOT_ALLOWED, is_known=False)
    if best is None:
        return Operator(NOT_INSTALLED)
    meta, status = best["metadata"], best.get("status") or {}
    return Operator(
        version=_tag(best),
        where=f"{meta['namespace']}/{meta['name']}",
        available=int(status.get("availableReplicas") or 0),
        wanted=int(best["spec"].get("replicas", 1)),
    )


def deployment(cluster: Cluster) -> dict[str, Any] | None:
    """The operator's Deployment in any namespace, as it is; None where there is none. Raises ApiFailure."""
    found = cluster.get(with_query(ALL_DEPLOYMENTS, labelSelector=OPERATOR_LABEL)).get("items") or ()
    return max(found, key=lambda d: int((d.get("status") or {}).get("availableReplicas") or 0), default=None)


def crd(cluster: Cluster) -> Crd:
    """The CRD of HardenedService. Who may not read it learns from discovery whether it is there."""
    from hardened.api.names import SCHEMA_ANNOTATION

    try:
        found = cluster.get(CRD)
    except Vanished:
        return Crd(NOT_INSTALLED, is_installed=False)
    except Refused:
        return _discovered(cluster)
    revision = str((found["metadata"].get("annotations") or {}).get(SCHEMA_ANNOTATION, ""))
    conditions = (found.get("status") or {}).get("conditions") or ()
    is_established = any(c.get("type") == "Established" and c.get("status") == "True" for c in conditions)
    return Crd(f"schema revision {revision or 'unknown'}", revision, is_established=is_established)


def _discovered(cluster: Cluster) -> Crd:
    try:
        cluster.get(GROUP)
    except Vanished:
        return Crd(NOT_INSTALLED, is_installed=False)
    except Refused:
        return Crd(NOT_ALLOWED, is_known=False)
    return Crd("installed; its schema revision is unknown: you have no right to read it", is_known=False)


def _tag(deployment: dict[str, Any]) -> str:
    image = str(deployment["spec"]["template"]["spec"]["containers"][0]["image"])
    name, _, digest = image.partition("@")
    return name.rpartition("/")[2].partition(":")[2] or digest or image
