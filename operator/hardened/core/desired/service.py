"""The Services of a service: the one that clients use, and the one that leads to what is being checked."""

from collections.abc import Mapping
from typing import Any

from hardened.api import names
from hardened.api.parse import HardenedService
from hardened.api.service import HardenedServiceSpec
from hardened.core.desired.metadata import metadata, stack_selector
from hardened.core.model.manifest import Manifest, without_none
from hardened.core.model.revision import Revision
from hardened.core.model.target import COLORS, Target

#: As a selected revision: no pod has it. A selector that is removed would leave the endpoints of before standing.
NOBODY = "none"


def preview_name(svc: HardenedService) -> str:
    """The name of the preview Service."""
    return names.child_name(svc.name, "preview")


def is_previewed(spec: HardenedServiceSpec) -> bool:
    """Whether anybody looks at a new revision before clients do: checks, or who promotes it."""
    return bool(spec.verify.before_cutover) or spec.release.promotion == "Manual"


def selector(svc: HardenedService, target: Target | None) -> dict[str, str]:
    """Selects the pods of one revision in one colour; None: nobody."""
    if target is None:
        return {names.SERVICE_LABEL: svc.name, names.REVISION_LABEL: NOBODY}
    return {**stack_selector(svc, target.color), names.REVISION_LABEL: target.revision}


def active_target(live: Mapping[str, Any], svc: HardenedService) -> Target | None:
    """Where a live Service leads, or None where that is nobody, or no place of this service."""
    found = live["spec"].get("selector") or {}
    color, revision = found.get(names.COLOR_LABEL), found.get(names.REVISION_LABEL)
    target = Target(color, revision) if color in COLORS and revision else None
    return target if found == selector(svc, target) else None


def is_strange(live: Mapping[str, Any], svc: HardenedService) -> bool:
    """Whether a live Service has a selector that is never written here for a release."""
    found = live["spec"].get("selector") or {}
    return found not in (selector(svc, active_target(live, svc)), selector(svc, None))


def active_service_of(svc: HardenedService, revision: Revision, selects: Mapping[str, str], fencing_token: str = "") -> Manifest | None:
    """The Service that clients use. Its ports are those of the revision that it leads to. None for a worker without ports.

    fencing_token: see ReleaseState.recall.
    """
    given = svc.spec.service
    annotations = {**(given.annotations or {}), **({names.EPOCH_ANNOTATION: fencing_token} if fencing_token else {})}
    return _service(svc, svc.name, "service", revision, selects, annotations, given.type)


def preview_service(svc: HardenedService, revision: Revision, selects: Mapping[str, str]) -> Manifest | None:
    """The Service that leads to a new revision before clients do: within the cluster alone."""
    return _service(svc, preview_name(svc), "preview", revision, selects, {}, "ClusterIP")


def _service(
    svc: HardenedService, name: str, component: str, revision: Revision, selects: Mapping[str, str], annotations: dict[str, str], kind: str
) -> Manifest | None:
    ports = revision.spec.ports
    if not ports:
        return None
    meta: dict[str, Any] = metadata(svc, name, component)
    if annotations:
        meta["annotations"] = annotations
    return {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": meta,
        "spec": without_none(
            type="ClusterIP" if kind == "Headless" else kind,
            clusterIP="None" if kind == "Headless" else None,
            selector=dict(selects),
            ports=[
                without_none(
                    name=p.name, port=p.port or p.container_port, targetPort=p.name, protocol=p.protocol, appProtocol=p.app_protocol
                )
                for p in ports
            ],
            sessionAffinity=svc.spec.service.session_affinity,
            trafficDistribution=svc.spec.service.traffic_distribution,
        ),
    }
