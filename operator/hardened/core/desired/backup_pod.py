"""The Jobs that make backups: one container dumps the source, and once that has succeeded, `runner` stores the dump by restic.

What they tell each other, and how the runner reports, is written down in `hardened.runner`.
"""

from dataclasses import replace
from typing import Any, Final

from hardened.api import names
from hardened.api.backup import Backup, CommandSource, PostgresSource, RedisSource
from hardened.api.parse import HardenedService
from hardened.api.quantity import amount
from hardened.core.desired.check_pod import where
from hardened.core.desired.container import as_manifest, resources
from hardened.core.desired.restic_pod import (
    CACHE_SIZE,
    HOME,
    PROGRAM,
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
    with_scratch,
)
from hardened.core.desired.template import claim_name, mounts, volumes
from hardened.core.model.manifest import Manifest, without_none

DUMP: Final = "dump"
#: Where the application's command writes what is to be stored; a claim is read there where it is.
DUMP_DIR, DATA_DIR = f"{SCRATCH}/dump", "/data"
_HOST_KEY = "kubernetes.io/hostname"
_LEAST: Final = {"postgres": "1Ki"}
#: As many as the runner takes; the history is shorter.
_MOST_TAGS: Final = 200

#: Keys of the Secret of a source, and the variables that they become. The last ones may be missing.
_POSTGRES_KEYS = (
    ("host", "PGHOST", True),
    ("user", "PGUSER", True),
    ("password", "PGPASSWORD", True),
    ("port", "PGPORT", False),
    ("dbname", "PGDATABASE", False),
)
_REDIS_KEYS = (("host", "REDIS_HOST", True), ("port", "REDIS_PORT", False), ("password", "REDISCLI_AUTH", False))
#: In an image that has nothing of ours: once the server answers, see PATIENCE of hardened.runner.dump. Not compressed: restic does that,
#: and finds again what has not changed since the last dump.
_WAIT = "for n in 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20; do pg_isready -q && break; sleep 1; done"
_PG_DUMP = f"{_WAIT}; exec pg_dump --no-password --format=custom --compress=0 --no-owner --file={DUMP_DIR}/database.pgdump"


def backup_job(svc: HardenedService, run: BackupRun) -> Manifest:
    """The spec of a Job that makes one backup; run.can_run. It is never tried again, but where its node was taken from it."""
    return once(run.backup.deadline, _template(svc, run))


def _template(svc: HardenedService, run: BackupRun) -> Manifest:
    svc = as_it_runs(svc, run)
    dump = _dump(svc, run)
    parts = {
        **({"initContainers": [dump]} if dump else {}),
        "containers": [_runner(svc, run)],
        "volumes": _volumes(svc, run),
        **_placed(svc, run),
    }
    return pod_template(svc, run, backup_labels(svc, run.backup.name), parts)


# ---- containers


def _dump(svc: HardenedService, run: BackupRun) -> Manifest | None:
    """The container that dumps; None where nothing has to be dumped."""
    source = run.backup.source
    if source.command:
        return _dump_by_command(svc, run, source.command)
    database = source.postgres or source.redis
    if database is None:
        return None
    env = database_variables(database)
    image = database.image if isinstance(database, PostgresSource) else None
    ours: Manifest = {"image": run.kit.image, "command": [*PROGRAM, "dump"], "env": [*env, _told(svc, run), *HOME]}
    # What it says is pg_dump's own: there is no password in it.
    theirs: Manifest = {"image": image, "command": ["sh", "-c", _PG_DUMP], "env": env, "terminationMessagePolicy": "FallbackToLogsOnError"}
    return container_of(DUMP, theirs if image else ours, run, mounts=_scratch_mounts(run.backup), scratch=_scratch(run.backup))


def _dump_by_command(svc: HardenedService, run: BackupRun, source: CommandSource) -> Manifest:
    """The application's own container, but for its command. What it prints may hold what is secret, and is not read."""
    assert run.revision, "run.can_run"
    spec = svc.spec
    told = {"name": "HARDENED_BACKUP_DIR", "value": DUMP_DIR}
    mounted = [*mounts(_without_exclusive(svc)), {"name": "writable-dump", "mountPath": DUMP_DIR}]
    if TMP not in {mount["mountPath"] for mount in mounted}:
        mounted.append({"name": "writable-tmp", "mountPath": TMP})
    theirs = without_none(
        image=run.revision.image,
        command=list(source.command),
        env=[*(as_manifest(var) for var in spec.env or () if var.name != told["name"]), told],
        envFrom=[as_manifest(each) for each in spec.env_from] if spec.env_from else None,
    )
    found = container_of(DUMP, theirs, run, mounts=mounted, scratch=source.scratch)
    found["resources"] = with_scratch(resources(spec.resources), source.scratch)
    security = spec.security
    found["securityContext"] |= without_none(runAsUser=security.run_as_user, runAsGroup=security.run_as_group)
    return found


def _runner(svc: HardenedService, run: BackupRun) -> Manifest:
    mounted = _scratch_mounts(run.backup)
    if run.backup.source.volume:
        mounted.append({"name": "writable-data", "mountPath": DATA_DIR, "readOnly": True})
    found = restic_container(svc, run, "backup", _told(svc, run), mounted, _scratch(run.backup))
    if postgres := run.backup.source.postgres:
        found["env"] = [*found["env"], *database_variables(postgres)]  # to drop what a restore has replaced
    return found


def _told(svc: HardenedService, run: BackupRun) -> Manifest:
    """What the runner is told. The tag is what this backup alone has in a repository that others may use, too."""
    backup, source = run.backup, source_of(run.backup)
    details: Any = getattr(backup.source, source)
    least = getattr(details, "min_bytes", None) or _LEAST.get(source, "1")
    kept = backup.retention and {name: count for name, count in backup.retention.kept.items() if count}
    task = {
        "kind": "backup",
        "source": source,
        "path": DATA_DIR if backup.source.volume else DUMP_DIR,
        "host": f"{svc.namespace}/{svc.name}",
        "tag": tag_of(svc, backup),
        "min_bytes": int(amount(least)) if source != "volume" else 0,
        "retention": kept,
        "keep_tags": list(run.keep_tags[-_MOST_TAGS:]),
        "extra_tags": list(run.extra_tags),
        "init": run.may_init,
    }
    return task_variable(task)


def database_variables(source: PostgresSource | RedisSource) -> list[Manifest]:
    """How the server of a source is reached, and by whom."""
    keys = _POSTGRES_KEYS if isinstance(source, PostgresSource) else _REDIS_KEYS
    return [_from_secret(source.secret_name, *key) for key in keys]


def _from_secret(secret: str, key: str, variable: str, is_required: bool) -> Manifest:
    reference: Manifest = {"name": secret, "key": key}
    return {"name": variable, "valueFrom": {"secretKeyRef": reference if is_required else reference | {"optional": True}}}


# ---- what they have


def _scratch_mounts(backup: Backup) -> list[Manifest]:
    mounted: list[Manifest] = [{"name": "writable-scratch", "mountPath": SCRATCH}, {"name": "writable-tmp", "mountPath": TMP}]
    return mounted if backup.source.volume else [*mounted, {"name": "writable-dump", "mountPath": DUMP_DIR}]


def _volumes(svc: HardenedService, run: BackupRun) -> list[Manifest]:
    backup = run.backup
    found: list[Manifest] = []
    if backup.source.command and run.revision:
        found += volumes(_without_exclusive(svc), run.revision.name)
    found += [{"name": "writable-scratch", "emptyDir": {"sizeLimit": CACHE_SIZE}}, *repository_volumes(backup)]
    if backup.source.volume:
        claimed = claim_name(svc, backup.source.volume.name)
        found.append({"name": "writable-data", "persistentVolumeClaim": {"claimName": claimed}})
    else:
        found.append({"name": "writable-dump", "emptyDir": {"sizeLimit": _scratch(backup)}})
    return found


def _scratch(backup: Backup) -> str:
    found: PostgresSource | RedisSource | CommandSource | None = backup.source.postgres or backup.source.redis or backup.source.command
    return found.scratch if found else "0"


def _without_exclusive(svc: HardenedService) -> HardenedService:
    """The service without claims that nobody but its own pod can mount."""
    kept = [each for each in svc.spec.volumes or () if not (each.claim and "ReadWriteOncePod" in each.claim.access_modes)]
    return replace(svc, spec=svc.spec.model_copy(update={"volumes": kept}))


def _placed(svc: HardenedService, run: BackupRun) -> Manifest:
    """The nodes that the pod may run on: where the application runs, that has a claim which only one node can have."""
    found = where(svc.spec)
    source = run.backup.source
    names_of = {source.volume.name} if source.volume else {each.name for each in svc.spec.volumes or ()} if source.command else set()
    is_bound = any(each.name in names_of and _is_of_one_node(each.claim) for each in _without_exclusive(svc).spec.volumes or ())
    if is_bound and run.has_pods:
        beside = {"matchLabels": {names.SERVICE_LABEL: svc.name, names.COMPONENT_LABEL: "app"}}
        term = {"labelSelector": beside, "topologyKey": _HOST_KEY}
        found["affinity"] = {**found.get("affinity", {}), "podAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": [term]}}
    return found


def _is_of_one_node(claim: Any) -> bool:
    return claim is not None and not {"ReadWriteMany", "ReadOnlyMany"} & set(claim.access_modes)
