"""What all pods have in common that work on a backup beside restic, whether they make it or verify it."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import timedelta
from decimal import Decimal
from typing import Final

from hardened.api import names
from hardened.api.backup import Backup
from hardened.api.parse import HardenedService
from hardened.api.quantity import amount, quantity
from hardened.api.service import Security
from hardened.core.desired.check_pod import NOT_TO_BE_MOVED, container_security
from hardened.core.desired.metadata import labels
from hardened.core.model.kit import BackupKit
from hardened.core.model.manifest import Manifest, canonical, without_none
from hardened.core.model.revision import Revision

RUNNER: Final = "runner"
#: An init container that has restic, too: what others of the pod work with is there before they begin.
FETCH: Final = "fetch"
SCRATCH, TMP, _REPOSITORY = "/scratch", "/tmp", "/repository"
#: What restic may cache, and what it makes while it works.
CACHE_SIZE, _TMP_SIZE = "2Gi", "64Mi"
_USER: Final = 10001
#: With sh, so that the image may have Python wherever PATH says.
PROGRAM: Final = ("python3", "-m", "hardened.runner")
#: There is no home, and the root is read-only.
HOME: Final = ({"name": "HOME", "value": SCRATCH},)


@dataclass(frozen=True)
class BackupRun:
    """What the pods of one backup are made from."""

    backup: Backup
    kit: BackupKit
    revision: Revision | None
    """The one that was promoted last: whose image runs a command; None for none."""
    has_pods: bool
    """Pods of the application are to be there: a claim that one node has can be mounted on that node alone."""
    may_init: bool
    """No good snapshot is on record, so that a repository that is not there may be made."""
    keep_tags: tuple[str, ...] = ()
    """Snapshots with one of these are kept, whatever the retention says."""
    extra_tags: tuple[str, ...] = ()
    """Of its snapshot, beside those that all of this backup have."""

    def tagged(self, tags: tuple[str, ...]) -> "BackupRun":
        """The same, whose snapshot has these tags, too, and is kept for them."""
        return replace(self, extra_tags=tags, keep_tags=tuple(dict.fromkeys([*self.keep_tags, *tags])))

    @property
    def can_run(self) -> bool:
        """Whether there is all that it needs to be made."""
        needs_revision = self.backup.source.command is not None
        return bool(self.kit.image) and not (needs_revision and (self.revision is None or not self.revision.fields))


def backup_labels(svc: HardenedService, backup: str) -> dict[str, str]:
    """The labels of whatever makes a backup of a service."""
    return {**labels(svc, names.BACKUP), names.BACKUP_LABEL: backup}


def once(deadline: timedelta, template: Manifest) -> Manifest:
    """The spec of a Job whose pod is tried once."""
    return {
        "backoffLimit": 0,
        "activeDeadlineSeconds": int(deadline.total_seconds()),
        "podFailurePolicy": {"rules": [{"action": "Ignore", "onPodConditions": [{"type": "DisruptionTarget", "status": "True"}]}]},
        "template": template,
    }


def tag_of(svc: HardenedService, backup: Backup) -> str:
    """What all snapshots of a backup have in a repository, and no others."""
    return f"{svc.namespace}/{svc.name}/{backup.name}"


def source_of(backup: Backup) -> str:
    """The kind of its source, as the runner calls it."""
    return next(name for name in ("postgres", "redis", "volume", "command") if getattr(backup.source, name) is not None)


def as_it_runs(svc: HardenedService, run: BackupRun) -> HardenedService:
    """The service as the pods of a backup know it: where a command of the application makes it, as it was promoted last."""
    return replace(svc, spec=run.revision.spec) if run.backup.source.command and run.revision else svc


def pod_template(svc: HardenedService, run: BackupRun, marks: Mapping[str, str], parts: Manifest) -> Manifest:
    """The template of a pod with these labels, and these parts of its spec."""
    pods = svc.spec.pod_metadata
    secrets = dict.fromkeys([*run.kit.pull_secrets, *(secret.name for secret in svc.spec.image_pull_secrets or ())])
    return {
        "metadata": {
            "labels": {**((pods and pods.labels) or {}), **marks},
            "annotations": {**((pods and pods.annotations) or {}), **NOT_TO_BE_MOVED},
        },
        "spec": {
            "restartPolicy": "Never",
            # To end well: restic takes its lock away.
            "terminationGracePeriodSeconds": 30,
            "automountServiceAccountToken": False,
            "enableServiceLinks": False,
            "securityContext": _pod_security(svc.spec.security, run.backup),
            **parts,
            **({"imagePullSecrets": [{"name": secret} for secret in secrets]} if secrets else {}),
        },
    }


# ---- containers


def restic_container(svc: HardenedService, run: BackupRun, verb: str, told: Manifest, mounted: list[Manifest], scratch: str) -> Manifest:
    """The runner, with the repository. told: its task, as a variable; mounted: what it mounts besides; scratch: see `with_scratch`."""
    repository = run.backup.repository
    env = [told, *HOME]
    if repository.claim:
        mounted = [*mounted, {"name": "writable-repository", "mountPath": _REPOSITORY}]
        env.append({"name": "RESTIC_REPOSITORY", "value": _REPOSITORY})
    ours = {
        "image": run.kit.image,
        "command": [*PROGRAM, verb],
        "env": env,
        "envFrom": [{"secretRef": {"name": repository.secret_name}}],
    }
    found = container_of(RUNNER, ours, run, mounts=mounted, scratch=scratch)
    if run.backup.source.command:
        found["securityContext"] |= user_of(svc.spec.security)
    return found


def container_of(name: str, given: Manifest, run: BackupRun, *, mounts: list[Manifest], scratch: str) -> Manifest:
    """A container with what is `given`, and bounds; scratch: see `with_scratch`."""
    amounts: Mapping[str, Mapping[str, str]] = run.kit.resources
    return {
        "name": name,
        "imagePullPolicy": "IfNotPresent",
        **given,
        "resources": with_scratch({kind: dict(each) for kind, each in amounts.items()}, scratch),
        "volumeMounts": mounts,
        "securityContext": container_security(),
    }


def task_variable(task: Manifest) -> Manifest:
    """What a runner is told, as a variable of its container."""
    # Kubernetes reads a dollar sign in a value as the begin of a reference; as JSON it can be written without one.
    return {"name": "HARDENED_TASK", "value": canonical(task).replace("$", "\\u0024")}


def with_scratch(found: Manifest, scratch: str) -> Manifest:
    """Requests and limits with what the volumes on the node's disk may need: it counts as the containers' own.

    scratch: a quantity of bytes, beside restic's cache.
    """
    needed = amount(scratch)
    limit = needed + amount(CACHE_SIZE) + amount(_TMP_SIZE) + Decimal(64 * 1024**2)
    requests, limits = dict(found.get("requests") or {}), dict(found.get("limits") or {})
    requests["ephemeral-storage"] = quantity(max(needed, Decimal(64 * 1024**2)))
    limits["ephemeral-storage"] = quantity(limit)
    return {"requests": requests, "limits": limits}


# ---- what they have


def repository_volumes(backup: Backup) -> list[Manifest]:
    """What restic needs whatever it does: a folder for temporary files, and the claim that has the repository."""
    claim = backup.repository.claim
    found: list[Manifest] = [{"name": "writable-tmp", "emptyDir": {"sizeLimit": _TMP_SIZE}}]
    return [*found, {"name": "writable-repository", "persistentVolumeClaim": {"claimName": claim.name}}] if claim else found


def user_of(security: Security) -> Manifest:
    """The application's user, or the one of our images."""
    return {"runAsUser": security.run_as_user or _USER, "runAsGroup": security.run_as_group or _USER}


def _pod_security(security: Security, backup: Backup) -> Manifest:
    """The user of the pod: the application's, where it has the application's files. Their group is never changed."""
    found: Manifest = {"runAsNonRoot": True, "seccompProfile": {"type": "RuntimeDefault"}}
    if backup.source.postgres or backup.source.redis:
        return found | {"runAsUser": _USER, "runAsGroup": _USER, "fsGroup": _USER, "fsGroupChangePolicy": "OnRootMismatch"}
    group = without_none(fsGroup=security.fs_group, fsGroupChangePolicy="OnRootMismatch" if security.fs_group else None)
    # The command runs as whoever its image says, unless the spec says more.
    return found | group | (user_of(security) if backup.source.volume else {})
