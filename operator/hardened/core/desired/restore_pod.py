"""The Jobs that restore: one looks the snapshot up; `runner` of the other stores what is there first, and then brings its data back.

What it is told, and how it reports, is written down in `hardened.runner`.
"""

from dataclasses import dataclass
from typing import Final

from hardened.api import names
from hardened.api.backup import FIND_DEADLINE, Backup
from hardened.api.parse import HardenedService
from hardened.api.quantity import amount, quantity
from hardened.core.desired.backup_pod import DATA_DIR, database_variables
from hardened.core.desired.check_pod import where
from hardened.core.desired.postgres_programs import with_programs
from hardened.core.desired.restic_pod import (
    CACHE_SIZE,
    FETCH,
    SCRATCH,
    TMP,
    BackupRun,
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
from hardened.core.desired.template import claim_name
from hardened.core.model.manifest import Manifest

_RESTORED: Final = f"{SCRATCH}/restored"
#: What is there is stored before anything is restored.
_DUMPS: Final = 2
#: Where a server of an image of others listens; it saves nothing.
_PORT: Final = 6380
_REDIS_SERVER: Final = ("redis-server", "--dbfilename", "dump.rdb", "--save", "", "--appendonly", "no", "--protected-mode", "no")


@dataclass(frozen=True)
class Restoring:
    """What is to be restored."""

    snapshot: str
    """Its id, or the beginning of it."""
    run: str
    """What names are made of that this restore alone has: [a-z0-9_]{1,24}."""
    into: str = ""
    """A new database beside the one that serves; "" to replace what is there."""
    hold: str = ""
    """The hold of it, as status has it, as JSON; "" for none."""


def find_labels(svc: HardenedService, backup: str) -> dict[str, str]:
    """The labels of whatever looks up what a restore is about."""
    return {**backup_labels(svc, backup), names.RUN_LABEL: names.FIND}


def find_job(svc: HardenedService, run: BackupRun, wanted: Restoring) -> Manifest:
    """The spec of a Job that looks a snapshot up, and changes nothing; otherwise as `restore_job`."""
    mounted = [{"name": "writable-scratch", "mountPath": SCRATCH}, {"name": "writable-tmp", "mountPath": TMP}]
    runner = restic_container(svc, run, "find", _told(svc, run.backup, wanted), mounted, "0")
    volumes = [{"name": "writable-scratch", "emptyDir": {"sizeLimit": CACHE_SIZE}}, *repository_volumes(run.backup)]
    parts = {"containers": [runner], "volumes": volumes, **where(svc.spec)}
    return once(FIND_DEADLINE, pod_template(svc, run, find_labels(svc, run.backup.name), parts))


def restore_labels(svc: HardenedService, backup: str) -> dict[str, str]:
    """The labels of whatever restores a backup of a service."""
    return {**backup_labels(svc, backup), names.RUN_LABEL: names.RESTORE}


def restore_job(svc: HardenedService, run: BackupRun, wanted: Restoring) -> Manifest:
    """The spec of a Job that restores once; run.can_run. Its source is no command."""
    backup, source = run.backup, run.backup.source
    volume, redis = source.volume, source.redis
    database = source.postgres or redis
    scratch = quantity(_DUMPS * amount(database.scratch)) if database else "0"
    mounted = [
        {"name": "writable-scratch", "mountPath": SCRATCH},
        {"name": "writable-tmp", "mountPath": TMP},
        *([{"name": "writable-data", "mountPath": DATA_DIR}] if volume else []),
    ]
    task = _told(svc, backup, wanted)
    runner = restic_container(svc, run, "restore", task, mounted, scratch)
    runner["env"] = [*runner["env"], *(database_variables(database) if database else ())]
    first = []
    if redis and redis.image:
        first = [{**restic_container(svc, run, "fetch", task, mounted, scratch), "name": FETCH}, _server(run, redis.image, mounted)]
    size = quantity(amount(scratch) + amount(CACHE_SIZE))
    volumes: list[Manifest] = [{"name": "writable-scratch", "emptyDir": {"sizeLimit": size}}, *repository_volumes(backup)]
    if volume:
        volumes.append({"name": "writable-data", "persistentVolumeClaim": {"claimName": claim_name(svc, volume.name)}})
    parts = {**({"initContainers": first} if first else {}), "containers": [runner], "volumes": volumes, **where(svc.spec)}
    template = with_programs(pod_template(svc, run, restore_labels(svc, backup.name), parts), run)
    return once(backup.restore_deadline, template)


def _server(run: BackupRun, image: str, mounted: list[Manifest]) -> Manifest:
    """A Redis of the version that made the dump, from which the one that serves takes it over. It ends with the runner."""
    command = [*_REDIS_SERVER, "--dir", _RESTORED, "--port", str(_PORT)]
    given: Manifest = {"image": image, "command": command, "restartPolicy": "Always"}
    return container_of("redis", given, run, mounts=mounted, scratch="0")


def _told(svc: HardenedService, backup: Backup, wanted: Restoring) -> Manifest:
    task: Manifest = {
        "kind": "restore",
        "source": source_of(backup),
        "path": DATA_DIR if backup.source.volume else _RESTORED,
        "host": f"{svc.namespace}/{svc.name}",
        "tag": tag_of(svc, backup),
        "snapshot": wanted.snapshot,
        "run": wanted.run,
    }
    has_server = backup.source.redis is not None and backup.source.redis.image is not None
    more = {"into": wanted.into or None, "scratch_port": _PORT if has_server else None}
    return task_variable(task | {name: value for name, value in more.items() if value is not None})
