"""Everything that should exist for a service, in the order in which it is written."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from hardened.api import names
from hardened.api.parse import HardenedService
from hardened.core.desired.autoscaler import autoscaler
from hardened.core.desired.claims import claims
from hardened.core.desired.controller_revision import controller_revision
from hardened.core.desired.cron_job import cron_job, verify_cron_job
from hardened.core.desired.deployment import deployment
from hardened.core.desired.disruption_budget import disruption_budget
from hardened.core.desired.files import files
from hardened.core.desired.metadata import stack_selector
from hardened.core.desired.network_policy import network_policy
from hardened.core.desired.restic_pod import BackupRun
from hardened.core.desired.scaled_object import scaled_object
from hardened.core.desired.service import active_service_of, is_previewed, preview_service, selector
from hardened.core.desired.service_account import service_account
from hardened.core.model.annotations import NO_ANNOTATIONS, RevisionAnnotations
from hardened.core.model.kit import BackupKit
from hardened.core.model.manifest import Manifest, digest
from hardened.core.model.revision import Revision
from hardened.core.model.target import COLORS, Target


@dataclass(frozen=True)
class DesiredStack:
    """One colour as it should be."""

    color: str
    revision: Revision
    number: int
    """The revision's place in the history."""
    replicas: int
    annotations: RevisionAnnotations = NO_ANNOTATIONS
    fencing_token: str = ""
    """See `deployment`."""
    has_clients: bool = True
    """See `disruption_budget`."""


@dataclass(frozen=True)
class Route:
    """What a Service should select, and whose ports it should have."""

    revision: Revision
    selector: Mapping[str, str]
    fencing_token: str = ""
    """See `active_service_of`."""


def desired_children(svc: HardenedService, stacks: Sequence[DesiredStack], active_service: Route, preview: Route | None) -> list[Manifest]:
    """The children of a service, in the order in which they are written.

    The order is a promise: a revision is stored before anything runs it, the policy, the account and the files stand before the pods that
    need them, and the pods are asked for before a Service leads to them. What stands before the pods may be made all at once. A stack whose
    revision is not stored, and cannot be, has its Deployment kept as it is.
    """
    known = [stack for stack in stacks if stack.revision.fields]
    wanted = [
        *(
            each
            for s in known
            for each in (controller_revision(svc, s.revision, s.number, s.annotations.written()), files(svc, s.revision))
        ),
        service_account(svc),
        *(each for s in known for each in (network_policy(svc, s.revision, s.color), _budget(svc, s))),
        *claims(svc),
        *(deployment(svc, s.revision, s.color, s.replicas, s.fencing_token) for s in stacks),
        active_service_of(svc, active_service.revision, active_service.selector, active_service.fencing_token),
        preview_service(svc, preview.revision, preview.selector) if preview else None,
    ]
    return [signed(manifest) for manifest in wanted if manifest]


def _budget(svc: HardenedService, stack: DesiredStack) -> Manifest:
    return disruption_budget(svc, stack.color, has_clients=stack.has_clients)


def at_rest(
    svc: HardenedService, revision: Revision, replicas: int, kit: BackupKit | None = None, prometheus_url: str = ""
) -> list[Manifest]:
    """The children of a service that has one revision and no release at work.

    kit: of the pods that make its backups; None for none. prometheus_url: whom KEDA asks, where there is one.
    """
    backups = (svc.spec.backups or ()) if kit else ()
    runs = [BackupRun(each, kit or BackupKit(), revision, replicas > 0, may_init=True) for each in backups]
    kinds = (cron_job, verify_cron_job)
    schedules = [each for run in runs for made in kinds if (each := made(svc, run, is_suspended=run.backup.suspend, makes_up=True))]
    scaler = (prometheus_url and scaled_object(svc, prometheus_url)) or autoscaler(svc)
    return [*_serving(svc, revision, replicas), *([signed(scaler)] if scaler else []), *map(signed, schedules)]


def _serving(svc: HardenedService, revision: Revision, replicas: int) -> list[Manifest]:
    lead = Route(revision, selector(svc, Target(COLORS[0], revision.name)))
    if svc.spec.effective_strategy != "BlueGreen":
        return desired_children(
            svc, [DesiredStack(COLORS[0], revision, 1, replicas)], Route(revision, stack_selector(svc, COLORS[0])), None
        )
    preview = Route(revision, selector(svc, None)) if is_previewed(svc.spec) else None
    return desired_children(svc, [DesiredStack(COLORS[0], revision, 1, replicas)], lead, preview)


def stored_revision(svc: HardenedService, stack: DesiredStack) -> Manifest:
    """The ControllerRevision of a stack's revision."""
    return signed(controller_revision(svc, stack.revision, stack.number, stack.annotations.written()))


def signed(manifest: Manifest) -> Manifest:
    """The manifest with the digest of itself as an annotation.

    A field that is dropped from a manifest leaves no difference between what is wanted and what is there; the digest
    tells that the object must be applied again, so that the API server removes the field.
    """
    meta = manifest["metadata"]
    mark = {names.APPLIED_ANNOTATION: digest(manifest)}
    return {**manifest, "metadata": {**meta, "annotations": {**meta.get("annotations", {}), **mark}}}
