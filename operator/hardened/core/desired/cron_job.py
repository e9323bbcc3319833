"""The CronJob of a backup, and the Job of one that was asked for by hand. Schedules go on while the operator is down."""

from datetime import timedelta
from typing import Final

from hardened.api import names
from hardened.api.backup import Backup
from hardened.api.parse import HardenedService
from hardened.api.schedule import longest_gap
from hardened.core.desired.backup_pod import BackupRun, backup_job, backup_labels
from hardened.core.desired.metadata import metadata
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


def lateness(backup: Backup) -> timedelta:
    """How late a run may begin, so that the next one is not due soon."""
    return max(NOT_LATE, min(MOST_LATE, longest_gap(backup.schedule, backup.time_zone) / 2))


def cron_job(svc: HardenedService, run: BackupRun, *, is_suspended: bool, makes_up: bool) -> Manifest:
    """The CronJob of a backup; run.can_run. makes_up: whether a run that was missed a short while ago is made up for."""
    backup = run.backup
    late = lateness(backup) if makes_up else NOT_LATE
    return {
        "apiVersion": "batch/v1",
        "kind": "CronJob",
        "metadata": _labelled(svc, cron_job_name(svc, backup.name), backup.name),
        "spec": {
            "schedule": str(backup.schedule),
            "timeZone": backup.time_zone,
            "concurrencyPolicy": "Forbid",
            "startingDeadlineSeconds": int(late.total_seconds()),
            "successfulJobsHistoryLimit": 3,
            "failedJobsHistoryLimit": 3,
            "suspend": is_suspended,
            "jobTemplate": {"metadata": {"labels": backup_labels(svc, backup.name)}, "spec": backup_job(svc, run)},
        },
    }


def hand_job(svc: HardenedService, run: BackupRun, cause: str) -> Manifest:
    """The Job of a backup that was asked for by hand; run.can_run. cause: see `hand_job_name`."""
    name = hand_job_name(svc, run.backup.name, cause)
    return {
        "apiVersion": "batch/v1",
        "kind": "Job",
        "metadata": _labelled(svc, name, run.backup.name),
        "spec": {**backup_job(svc, run), "ttlSecondsAfterFinished": _KEPT_SECONDS},
    }


def _labelled(svc: HardenedService, name: str, backup: str) -> Manifest:
    return {**metadata(svc, name, names.BACKUP), "labels": backup_labels(svc, backup)}
