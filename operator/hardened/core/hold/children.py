"""What a hold changes of the children of a service. Nothing else of them differs: neither what a release decided, nor what was stored."""

from collections.abc import Iterable

from hardened.api import names
from hardened.api.parse import HardenedService
from hardened.core.desired.autoscaler import KIND as AUTOSCALER
from hardened.core.desired.autoscaler import frozen
from hardened.core.desired.children import signed
from hardened.core.desired.scaled_object import KIND as SCALED_OBJECT
from hardened.core.desired.scaled_object import paused
from hardened.core.desired.template import gated
from hardened.core.model.hold import Hold
from hardened.core.model.manifest import Manifest
from hardened.core.observe.lost_hold import mark


def as_held(svc: HardenedService, children: Iterable[Manifest], hold: Hold | None) -> list[Manifest]:
    """The children as a hold has them. hold: as status has it, None for none."""
    if hold is None or not hold.stops_self:
        return list(children)
    return [_as_held(svc, child, hold) for child in children]


def _as_held(svc: HardenedService, child: Manifest, hold: Hold) -> Manifest:
    if child["kind"] == AUTOSCALER:
        return signed({**child, "spec": frozen(child["spec"], svc.spec.replicas)})
    if child["kind"] == SCALED_OBJECT:
        return signed(paused(child))
    if child["kind"] == "PersistentVolumeClaim" and not hold.service:
        return signed(_annotated(child, mark(hold)))
    is_stopped = child["kind"] == "Deployment" and not hold.lets_run(child["spec"]["template"]["metadata"]["labels"][names.REVISION_LABEL])
    return signed(_stopped(child, hold)) if is_stopped else child


def _stopped(deployment: Manifest, hold: Hold) -> Manifest:
    """Without pods. The mark changes the object, so that whoever decided before on its size is told so; and who scales it by hand gets pods
    that are given to no node."""
    spec = deployment["spec"]
    return {**_annotated(deployment, hold.uid), "spec": {**spec, "replicas": 0, "template": gated(spec["template"])}}


def _annotated(child: Manifest, text: str) -> Manifest:
    meta = child["metadata"]
    return {**child, "metadata": {**meta, "annotations": {**meta.get("annotations", {}), names.HOLD_ANNOTATION: text}}}
