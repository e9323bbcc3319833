"""The Deployment of one colour."""

from hardened.api import names
from hardened.api.parse import HardenedService
from hardened.core.desired.metadata import metadata, stack_selector
from hardened.core.model.manifest import Manifest
from hardened.core.model.revision import Revision

#: How long a rollout may stand still before it counts as failed. Kubernetes' own default.
PROGRESS_SECONDS = 600


def deployment_name(svc: HardenedService, color: str) -> str:
    """The name of a colour's Deployment, and of what else belongs to that colour."""
    return names.child_name(svc.name, color)


def deployment(svc: HardenedService, revision: Revision, color: str, replicas: int, fencing_token: str = "") -> Manifest:
    """The revision's stored template, verbatim, plus the colour. replicas: 0 to 1000.

    fencing_token: another one before traffic is led to this colour. That changes the object's resourceVersion: whoever still means to take
    the colour down, as one decided before, is told that it has changed.
    """
    marked = metadata(svc, deployment_name(svc, color), "app", color=color, revision=revision.name)
    if fencing_token:
        marked["annotations"] = {names.EPOCH_ANNOTATION: fencing_token}
    meta = revision.template["metadata"]
    template = {**revision.template, "metadata": {**meta, "labels": {**meta["labels"], names.COLOR_LABEL: color}}}
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": marked,
        "spec": {
            "replicas": replicas,
            # Whoever pauses it by hand stops its pods from being replaced, and nothing else: no release would come to its end, nor a hold.
            "paused": False,
            "revisionHistoryLimit": 2,
            "progressDeadlineSeconds": PROGRESS_SECONDS,
            "selector": {"matchLabels": stack_selector(svc, color)},
            "strategy": _strategy(revision),
            "template": template,
        },
    }


def _strategy(revision: Revision) -> Manifest:
    # Two versions cannot mount a volume that only one node may write to: the old pods must be gone first.
    if revision.fields and any(volume.is_exclusive for volume in revision.spec.volumes or ()):
        return {"type": "Recreate"}
    return {"type": "RollingUpdate", "rollingUpdate": {"maxUnavailable": 0, "maxSurge": "25%"}}
