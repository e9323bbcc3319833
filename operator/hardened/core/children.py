"""Everything that should exist for a service, in the order in which it is written."""

from hardened.api import names
from hardened.api.parse import HardenedService
from hardened.core.desired.claims import claims
from hardened.core.desired.deployment import deployment
from hardened.core.desired.disruption_budget import disruption_budget
from hardened.core.desired.files import files
from hardened.core.desired.network_policy import network_policy
from hardened.core.desired.service import service
from hardened.core.desired.service_account import service_account
from hardened.core.manifest import Manifest, digest
from hardened.core.revision import Revision, controller_revision


def desired_children(svc: HardenedService, revision: Revision, number: int, replicas: int, color: str = names.BLUE) -> list[Manifest]:
    """The children of a service that runs one revision in one colour.

    number: the revision's place in the history. The order is a promise: a revision is stored before anything runs it,
    and the policy, the account and the files stand before the pods that need them.
    """
    wanted = [
        controller_revision(svc, revision, number),
        files(svc, revision),
        service_account(svc),
        network_policy(svc, revision, color),
        disruption_budget(svc, color),
        *claims(svc),
        deployment(svc, revision, color, replicas),
        service(svc, revision, color),
    ]
    return [signed(manifest) for manifest in wanted if manifest]


def signed(manifest: Manifest) -> Manifest:
    """The manifest with the digest of itself as an annotation.

    A field that is dropped from a manifest leaves no difference between what is wanted and what is there; the digest
    tells that the object must be applied again, so that the API server removes the field.
    """
    meta = manifest["metadata"]
    mark = {names.APPLIED_ANNOTATION: digest(manifest)}
    return {**manifest, "metadata": {**meta, "annotations": {**meta.get("annotations", {}), **mark}}}
