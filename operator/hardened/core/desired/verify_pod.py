"""The Jobs that verify backups: `runner` restores the newest good snapshot into scratch space, and looks at it there.

What it is told, and how it reports, is written down in `hardened.runner`. It starts its own servers: those of the image of backups, but for
a dump of PostgreSQL that another image has made.
"""

from typing import Final

from hardened.api import names
from hardened.api.backup import BackupVerification
from hardened.api.parse import HardenedService
from hardened.core.desired.check_pod import where
from hardened.core.desired.postgres_programs import with_programs
from hardened.core.desired.restic_pod import (
    CACHE_SIZE,
    SCRATCH,
    TMP,
    BackupRun,
    as_it_runs,
    backup_labels,
    once,
    pod_template,
    repository_volumes,
    restic_container,
    source_of,
    tag_of,
    task_variable,
)
from hardened.core.model.manifest import Manifest

_RESTORED: Final = f"{SCRATCH}/restored"
#: Where restic puts its cache. It has a volume of its own, so that all of `size` is there for what is restored.
_CACHE: Final = f"{SCRATCH}/cache"


def verify_labels(svc: HardenedService, backup: str) -> dict[str, str]:
    """The labels of whatever verifies a backup of a service."""
    return {**backup_labels(svc, backup), names.RUN_LABEL: names.VERIFY}


def verify_job(svc: HardenedService, run: BackupRun, verify: BackupVerification) -> Manifest:
    """The spec of a Job that verifies a backup once; run.can_run. It mounts nothing of the application's. verify: as run.backup has it."""
    svc, backup = as_it_runs(svc, run), run.backup
    mounted = [
        {"name": "writable-scratch", "mountPath": SCRATCH},
        {"name": "writable-cache", "mountPath": _CACHE},
        {"name": "writable-tmp", "mountPath": TMP},
    ]
    volumes = [
        {"name": "writable-scratch", "emptyDir": {"sizeLimit": verify.size}},
        {"name": "writable-cache", "emptyDir": {"sizeLimit": CACHE_SIZE}},
        *repository_volumes(backup),
    ]
    runner = restic_container(svc, run, "verify", _told(svc, run, verify), mounted, verify.size)
    parts: Manifest = {"containers": [runner], "volumes": volumes, **where(svc.spec)}
    return once(verify.deadline, with_programs(pod_template(svc, run, verify_labels(svc, backup.name), parts), run))


def _told(svc: HardenedService, run: BackupRun, verify: BackupVerification) -> Manifest:
    task: Manifest = {
        "kind": "verify",
        "source": source_of(run.backup),
        "path": _RESTORED,
        "tag": tag_of(svc, run.backup),
        "snapshot": "latest",
        "deadline_seconds": int(verify.deadline.total_seconds()),
        "sql": verify.sql,
        "assert_command": list(verify.command) if verify.command else None,
    }
    return task_variable({name: value for name, value in task.items() if value is not None})
