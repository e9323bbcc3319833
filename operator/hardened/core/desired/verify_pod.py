"""The Jobs that verify backups: `runner` restores the newest good snapshot into scratch space, and looks at it there.

What it is told, and how it reports, is written down in `hardened.runner`. It starts its own servers: those of the image of backups, but for
a dump of PostgreSQL that another image has made.
"""

from typing import Final

from hardened.api import names
from hardened.api.backup import BackupVerification
from hardened.api.parse import HardenedService
from hardened.core.desired.check_pod import where
from hardened.core.desired.restic_pod import (
    CACHE_SIZE,
    SCRATCH,
    TMP,
    BackupRun,
    as_it_runs,
    backup_labels,
    container_of,
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
#: Where the runner leaves what it wants PostgreSQL's programs to do, and who does it: see hardened.runner.elsewhere.
_CALLS: Final = f"{SCRATCH}/calls"
SERVE: Final = (
    'trap "exit 0" TERM; mkdir -p "$0"; cd "$0" || exit 1; while :; do for call in *.call; do [ -f "$call" ] || continue; n=${call%.call}; '
    'mv "$call" "$n.sh"; { sh "./$n.sh" <"$n.in" >"$n.out" 2>"$n.err"; echo $? >"$n.end"; mv "$n.end" "$n.code"; } & done; sleep 0.1; done'
)
#: initdb asks for the name of its user, whom no image of others knows.
_USERS_FIELD: Final = {"apiVersion": "v1", "fieldPath": f"metadata.annotations['{names.USERS_ANNOTATION}']"}
_USERS: Final = "root:x:0:0:root:/root:/sbin/nologin\nhardened:x:10001:10001::/scratch:/sbin/nologin\n"


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
    if backup.source.postgres and backup.source.postgres.image:
        runner["env"].append({"name": "HARDENED_POSTGRES", "value": _CALLS})
        parts["initContainers"] = [_postgres(run, backup.source.postgres.image, mounted)]
        volumes.append({"name": "users", "downwardAPI": {"items": [{"path": "passwd", "fieldRef": _USERS_FIELD}]}})
    template = pod_template(svc, run, verify_labels(svc, backup.name), parts)
    if "initContainers" in parts:
        template["metadata"]["annotations"][names.USERS_ANNOTATION] = _USERS
    return once(verify.deadline, template)


def _postgres(run: BackupRun, image: str, mounted: list[Manifest]) -> Manifest:
    """The container that has PostgreSQL's programs in the version that made the dump: others may not read it. It ends with the runner."""
    users = {"name": "users", "mountPath": "/etc/passwd", "subPath": "passwd", "readOnly": True}
    given: Manifest = {"image": image, "command": ["sh", "-c", SERVE, _CALLS], "restartPolicy": "Always"}
    return container_of("postgres", given, run, mounts=[*mounted, users], scratch="0")


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
