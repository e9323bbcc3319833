"""The CronJobs of a backup, and the Jobs of what was asked for by hand: of the backup itself, and of its verification.

Schedules go on while the operator is down.
"""

from collections.abc import Mapping
from datetime import timedelta
from typing import Final

from hardened.api import names
from hardened.api.backup import Backup
from hardened.api.parse import HardenedService
from hardened.api.schedule import Cron, longest_gap
from hardened.core.desired.backup_pod import backup_job
from hardened.core.desired.metadata import metadata
from hardened.core.desired.restic_pod import BackupRun, backup_labels
from hardened.core.desired.restore_pod import Restoring, find_job, find_labels, restore_job, restore_labels
from hardened.core.desired.template import gated
from hardened.core.desired.verify_pod import verify_job, verify_labels
from hardened.core.model.manifest import Manifest, digest

#: How late a run may begin, at most: who was down at three may back up at four, and not at noon.
MOST_LATE: Final = timedelta(hours=1)
#: The same while nothing that was missed is to be made up for. Kubernetes looks at CronJobs every ten seconds.
NOT_LATE: Final = timedelta(seconds=10)
#: A Job by hand stays so long after its end, for people to look at.
_KEPT_SECONDS: Final = 24 * 3600


def cron_job_name(svc: HardenedService, backup: str) -> str:
    """The name of a backup's CronJob."""
    return names.child_name(svc.name, backup, limit=names.CRON_JOB_LIMIT)


def hand_job_name(svc: HardenedService, backup: str, cause: str) -> str:
    """The name of the one Job that is made for a cause. cause: the uid of an action."""
    return names.child_name(svc.name, backup, digest(cause, 8))


def verify_cron_job_name(svc: HardenedService, backup: str) -> str:
    """The name of the CronJob that verifies a backup."""
    return names.child_name(svc.name, backup, names.VERIFY, limit=names.CRON_JOB_LIMIT)


def verify_hand_job_name(svc: HardenedService, backup: str, cause: str) -> str:
    """See `hand_job_name`."""
    return names.child_name(svc.name, backup, names.VERIFY, digest(cause, 8))


def restore_hand_job_name(svc: HardenedService, backup: str, cause: str) -> str:
    """See `hand_job_name`."""
    return names.child_name(svc.name, backup, names.RESTORE, digest(cause, 8))


def find_hand_job_name(svc: HardenedService, backup: str, cause: str) -> str:
    """See `hand_job_name`."""
    return names.child_name(svc.name, backup, names.FIND, digest(cause, 8))


def lateness(backup: Backup) -> timedelta:
    """How late a backup may begin, so that the next one is not due soon."""
    return _lateness(backup.schedule, backup.time_zone)


def most_lateness(backup: Backup) -> timedelta:
    """How late anything of it may begin: the backup itself, or its verification."""
    return max(lateness(backup), _lateness(backup.verify.schedule, backup.time_zone)) if backup.verify else lateness(backup)


def _lateness(schedule: Cron, zone: str) -> timedelta:
    return max(NOT_LATE, min(MOST_LATE, longest_gap(schedule, zone) / 2))


def cron_job(svc: HardenedService, run: BackupRun, *, is_suspended: bool, makes_up: bool, is_held: bool = False) -> Manifest:
    """The CronJob of a backup; run.can_run. makes_up: whether a run that was missed a short while ago is made up for; is_held: a restore
    replaces the data, or has failed to: pods of Jobs that somebody makes of it by hand are given to no node."""
    backup, marks = run.backup, backup_labels(svc, run.backup.name)
    work = backup_job(svc, run)
    # What such pods stored would be half of the data, and the newest snapshot of it.
    job = {"metadata": {"labels": marks}, "spec": {**work, "template": gated(work["template"])} if is_held else work}
    spec = _spec(backup.schedule, backup.time_zone, job, is_suspended=is_suspended, makes_up=makes_up)
    return {
        "apiVersion": "batch/v1",
        "kind": "CronJob",
        "metadata": _labelled(svc, cron_job_name(svc, backup.name), marks),
        "spec": spec,
    }


def verify_cron_job(svc: HardenedService, run: BackupRun, *, is_suspended: bool, makes_up: bool) -> Manifest | None:
    """The CronJob that verifies a backup, None where the spec does not ask for it; otherwise as `cron_job`."""
    backup, verify = run.backup, run.backup.verify
    if verify is None:
        return None
    marks = verify_labels(svc, backup.name)
    job = {"metadata": {"labels": marks}, "spec": verify_job(svc, run, verify)}
    return {
        "apiVersion": "batch/v1",
        "kind": "CronJob",
        "metadata": _labelled(svc, verify_cron_job_name(svc, backup.name), marks),
        "spec": _spec(verify.schedule, backup.time_zone, job, is_suspended=is_suspended, makes_up=makes_up),
    }


def _spec(schedule: Cron, zone: str, job: Manifest, *, is_suspended: bool, makes_up: bool) -> Manifest:
    return {
        "schedule": str(schedule),
        "timeZone": zone,
        "concurrencyPolicy": "Forbid",
        "startingDeadlineSeconds": int((_lateness(schedule, zone) if makes_up else NOT_LATE).total_seconds()),
        "successfulJobsHistoryLimit": 3,
        "failedJobsHistoryLimit": 3,
        "suspend": is_suspended,
        "jobTemplate": job,
    }


def hand_job(svc: HardenedService, run: BackupRun, cause: str) -> Manifest:
    """The Job of a backup that was asked for by hand; run.can_run. cause: see `hand_job_name`."""
    name = hand_job_name(svc, run.backup.name, cause)
    return {
        "apiVersion": "batch/v1",
        "kind": "Job",
        "metadata": _labelled(svc, name, backup_labels(svc, run.backup.name)),
        "spec": {**backup_job(svc, run), "ttlSecondsAfterFinished": _KEPT_SECONDS},
    }


def verify_hand_job(svc: HardenedService, run: BackupRun, cause: str) -> Manifest | None:
    """The Job of a verification that was asked for by hand, None where the spec does not say how; otherwise as `hand_job`."""
    verify = run.backup.verify
    if verify is None:
        return None
    name = verify_hand_job_name(svc, run.backup.name, cause)
    return {
        "apiVersion": "batch/v1",
        "kind": "Job",
        "metadata": _labelled(svc, name, verify_labels(svc, run.backup.name)),
        "spec": {**verify_job(svc, run, verify), "ttlSecondsAfterFinished": _KEPT_SECONDS},
    }


def find_hand_job(svc: HardenedService, run: BackupRun, wanted: Restoring, cause: str) -> Manifest:
    """The Job that looks up what a restore is about; otherwise as `hand_job`."""
    name = find_hand_job_name(svc, run.backup.name, cause)
    return {
        "apiVersion": "batch/v1",
        "kind": "Job",
        "metadata": _labelled(svc, name, find_labels(svc, run.backup.name)),
        "spec": {**find_job(svc, run, wanted), "ttlSecondsAfterFinished": _KEPT_SECONDS},
    }


def restore_hand_job(svc: HardenedService, run: BackupRun, wanted: Restoring, cause: str) -> Manifest:
    """The Job of a restore; otherwise as `hand_job`. It tells of its hold, where status does not any more.

    With a hold it is made suspended, and let go once status knows of it, see core.hold.door.
    """
    name = restore_hand_job_name(svc, run.backup.name, cause)
    meta = _labelled(svc, name, restore_labels(svc, run.backup.name))
    if wanted.hold:
        meta["annotations"] = {**meta.get("annotations", {}), names.HOLD_ANNOTATION: wanted.hold}
    return {
        "apiVersion": "batch/v1",
        "kind": "Job",
        "metadata": meta,
        "spec": {**restore_job(svc, run, wanted), "ttlSecondsAfterFinished": _KEPT_SECONDS, **({"suspend": True} if wanted.hold else {})},
    }


def _labelled(svc: HardenedService, name: str, marks: Mapping[str, str]) -> Manifest:
    return {**metadata(svc, name, names.BACKUP), "labels": dict(marks)}
