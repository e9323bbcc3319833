"""The Service that clients use."""

from hardened.api.parse import HardenedService
from hardened.core.desired.metadata import metadata, stack_selector
from hardened.core.manifest import Manifest, without_none
from hardened.core.revision import Revision


def service(svc: HardenedService, revision: Revision, color: str) -> Manifest | None:
    """Leads to one colour; its ports are those of the revision that the colour runs. None for a worker without ports."""
    ports = revision.spec.ports
    if not ports:
        return None
    given = svc.spec.service
    meta = metadata(svc, svc.name, "service")
    if given.annotations:
        meta["annotations"] = dict(given.annotations)
    return {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": meta,
        "spec": without_none(
            type="ClusterIP" if given.type == "Headless" else given.type,
            clusterIP="None" if given.type == "Headless" else None,
            selector=stack_selector(svc, color),
            ports=[
                without_none(
                    name=p.name, port=p.port or p.container_port, targetPort=p.name, protocol=p.protocol, appProtocol=p.app_protocol
                )
                for p in ports
            ],
            sessionAffinity=given.session_affinity,
            trafficDistribution=given.traffic_distribution,
        ),
    }
