"""The persistent volume claims of a service."""

from hardened.api.parse import HardenedService
from hardened.api.volume import Volume
from hardened.core.desired.metadata import metadata
from hardened.core.desired.template import claim_name
from hardened.core.model.manifest import Manifest, without_none


def claims(svc: HardenedService) -> list[Manifest]:
    """One claim per volume that asks for one.

    They carry no owner: data outlives the service, and a service of the same name takes it again.
    """
    return [_claim(svc, volume) for volume in svc.spec.volumes or () if volume.claim]


def _claim(svc: HardenedService, volume: Volume) -> Manifest:
    claim = volume.claim
    assert claim is not None
    return {
        "apiVersion": "v1",
        "kind": "PersistentVolumeClaim",
        "metadata": metadata(svc, claim_name(svc, volume.name), "data", owned=False),
        "spec": without_none(
            accessModes=list(claim.access_modes),
            storageClassName=claim.storage_class_name,
            resources={"requests": {"storage": claim.size}},
        ),
    }
