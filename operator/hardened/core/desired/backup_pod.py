"""The Jobs that make backups: one container dumps the source, and once that has succeeded, `runner` stores the dump by restic.

What they tell each other, and how the runner reports, is written down in `hardened.runner`.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from decimal import Decimal
from typing import Any, Final

from hardened.api import names
from hardened.api.backup import Backup, CommandSource, PostgresSource, RedisSource
from hardened.api.parse import HardenedService
from hardened.api.quantity import amount, quantity
from hardened.api.service import Security
from hardened.core.desired.check_pod import NOT_TO_BE_MOVED, container_security, where
from hardened.core.desired.container import as_manifest, resources
from hardened.core.desired.metadata import labels
from hardened.core.desired.template import claim_name, mounts, volumes
from hardened.core.model.kit import BackupKit
from hardened.core.model.manifest import Manifest, canonical, without_none
from hardened.core.model.revision import Revision

DUMP, RUNNER = "dump", "runner"
#: Where the application's command writes what is to be stored; a claim is read there where it is.
DUMP_DIR, DATA_DIR = "/scratch/dump", "/data"
_SCRATCH, _REPOSITORY, _TMP = "/scratch", "/repository", "/tmp"
#: What restic may cache, and what it makes while it works.
_CACHE_SIZE, _TMP_SIZE = "2Gi", "64Mi"
_USER: Final = 10001
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
#: With sh, so that the image may have Python wherever PATH says.
_PROGRAM = ["python3", "-m", "hardened.runner"]


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


def backup_job(svc: HardenedService, run: BackupRun) -> Manifest:
    """The spec of a Job that makes one backup; run.can_run. It is never tried again, but where its node was taken from it."""
    return {
        "backoffLimit": 0,
        "activeDeadlineSeconds": int(run.backup.deadline.total_seconds()),
        "podFailurePolicy": {"rules": [{"action": "Ignore", "onPodConditions": [{"type": "DisruptionTarget", "status": "True"}]}]},
        "template": _template(svc, run),
    }


def source_of(backup: Backup) -> str:
    """The kind of its source, as the runner calls it."""
    return next(name for name in ("postgres", "redis", "volume", "command") if getattr(backup.source, name) is not None)


def _template(svc: HardenedService, run: BackupRun) -> Manifest:
    backup = run.backup
    if backup.source.command:
        assert run.revision, "run.can_run"
        svc = replace(svc, spec=run.revision.spec)
    pods = svc.spec.pod_metadata
    secrets = dict.fromkeys([*run.kit.pull_secrets, *(secret.name for secret in svc.spec.image_pull_secrets or ())])
    dump = _dump(svc, run)
    return {
        "metadata": {
            "labels": {**((pods and pods.labels) or {}), **backup_labels(svc, backup.name)},
            "annotations": {**((pods and pods.annotations) or {}), **NOT_TO_BE_MOVED},
        },
        "spec": {
            "restartPolicy": "Never",
            # To end well: restic takes its lock away.
            "terminationGracePeriodSeconds": 30,
            "automountServiceAccountToken": False,
            "enableServiceLinks": False,
            "securityContext": _pod_security(svc.spec.security, backup),
            **({"initContainers": [dump]} if dump else {}),
            "containers": [_runner(svc, run)],
            "volumes": _volumes(svc, run),
            **({"imagePullSecrets": [{"name": secret} for secret in secrets]} if secrets else {}),
            **_placed(svc, run),
        },
    }


# ---- containers


def _dump(svc: HardenedService, run: BackupRun) -> Manifest | None:
    """The container that dumps; None where nothing has to be dumped."""
    source = run.backup.source
    if source.command:
        return _dump_by_command(svc, run, source.command)
    database = source.postgres or source.redis
    if database is None:
        return None
    keys = _POSTGRES_KEYS if isinstance(database, PostgresSource) else _REDIS_KEYS
    env = [_from_secret(database.secret_name, *key) for key in keys]
    image = database.image if isinstance(database, PostgresSource) else None
    ours: Manifest = {"image": run.kit.image, "command": [*_PROGRAM, "dump"], "env": [*env, _told(svc, run), *_HOME]}
    # What it says is pg_dump's own: there is no password in it.
    theirs: Manifest = {"image": image, "command": ["sh", "-c", _PG_DUMP], "env": env, "terminationMessagePolicy": "FallbackToLogsOnError"}
    return _container(DUMP, theirs if image else ours, run, mounts=_scratch_mounts(run.backup))


def _dump_by_command(svc: HardenedService, run: BackupRun, source: CommandSource) -> Manifest:
    """The application's own container, but for its command. What it prints may hold what is secret, and is not read."""
    assert run.revision, "run.can_run"
    spec = svc.spec
    told = {"name": "HARDENED_BACKUP_DIR", "value": DUMP_DIR}
    mounted = [*mounts(_without_exclusive(svc)), {"name": "writable-dump", "mountPath": DUMP_DIR}]
    if _TMP not in {mount["mountPath"] for mount in mounted}:
        mounted.append({"name": "writable-tmp", "mountPath": _TMP})
    theirs = without_none(
        image=run.revision.image,
        command=list(source.command),
        env=[*(as_manifest(var) for var in spec.env or () if var.name != told["name"]), told],
        envFrom=[as_manifest(each) for each in spec.env_from] if spec.env_from else None,
    )
    found = _container(DUMP, theirs, run, mounts=mounted)
    found["resources"] = _with_scratch(resources(spec.resources), run.backup)
    security = spec.security
    found["securityContext"] |= without_none(runAsUser=security.run_as_user, runAsGroup=security.run_as_group)
    return found


def _runner(svc: HardenedService, run: BackupRun) -> Manifest:
    repository, source = run.backup.repository, run.backup.source
    mounted = _scratch_mounts(run.backup)
    env = [_told(svc, run), *_HOME]
    if source.volume:
        mounted.append({"name": "writable-data", "mountPath": DATA_DIR, "readOnly": True})
    if repository.claim:
        mounted.append({"name": "writable-repository", "mountPath": _REPOSITORY})
        env.append({"name": "RESTIC_REPOSITORY", "value": _REPOSITORY})
    ours = {
        "image": run.kit.image,
        "command": [*_PROGRAM, "backup"],
        "env": env,
        "envFrom": [{"secretRef": {"name": repository.secret_name}}],
    }
    found = _container(RUNNER, ours, run, mounts=mounted)
    if source.command:
        found["securityContext"] |= _user(svc.spec.security)
    return found


#: There is no home, and the root is read-only.
_HOME: Final = ({"name": "HOME", "value": _SCRATCH},)


def _container(name: str, given: Manifest, run: BackupRun, *, mounts: list[Manifest]) -> Manifest:
    amounts: Mapping[str, Mapping[str, str]] = run.kit.resources
    return {
        "name": name,
        "imagePullPolicy": "IfNotPresent",
        **given,
        "resources": _with_scratch({kind: dict(each) for kind, each in amounts.items()}, run.backup),
        "volumeMounts": mounts,
        "securityContext": container_security(),
    }


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
        "tag": f"{svc.namespace}/{svc.name}/{backup.name}",
        "min_bytes": int(amount(least)) if source != "volume" else 0,
        "retention": kept,
        "keep_tags": list(run.keep_tags[-_MOST_TAGS:]),
        "extra_tags": list(run.extra_tags),
        "init": run.may_init,
    }
    # Kubernetes reads a dollar sign in a value as the begin of a reference; as JSON it can be written without one.
    return {"name": "HARDENED_TASK", "value": canonical(task).replace("$", "\\u0024")}


def _from_secret(secret: str, key: str, variable: str, is_required: bool) -> Manifest:
    reference: Manifest = {"name": secret, "key": key}
    return {"name": variable, "valueFrom": {"secretKeyRef": reference if is_required else reference | {"optional": True}}}


# ---- what they have


def _scratch_mounts(backup: Backup) -> list[Manifest]:
    mounted: list[Manifest] = [{"name": "writable-scratch", "mountPath": _SCRATCH}, {"name": "writable-tmp", "mountPath": _TMP}]
    return mounted if backup.source.volume else [*mounted, {"name": "writable-dump", "mountPath": DUMP_DIR}]


def _volumes(svc: HardenedService, run: BackupRun) -> list[Manifest]:
    backup = run.backup
    found: list[Manifest] = []
    if backup.source.command and run.revision:
        found += volumes(_without_exclusive(svc), run.revision.name)
    found += [
        {"name": "writable-scratch", "emptyDir": {"sizeLimit": _CACHE_SIZE}},
        {"name": "writable-tmp", "emptyDir": {"sizeLimit": _TMP_SIZE}},
    ]
    if backup.source.volume:
        claimed = claim_name(svc, backup.source.volume.name)
        found.append({"name": "writable-data", "persistentVolumeClaim": {"claimName": claimed}})
    else:
        found.append({"name": "writable-dump", "emptyDir": {"sizeLimit": _scratch(backup)}})
    if backup.repository.claim:
        found.append({"name": "writable-repository", "persistentVolumeClaim": {"claimName": backup.repository.claim.name}})
    return found


def _scratch(backup: Backup) -> str:
    found: PostgresSource | RedisSource | CommandSource | None = backup.source.postgres or backup.source.redis or backup.source.command
    return found.scratch if found else "0"


def _with_scratch(found: Manifest, backup: Backup) -> Manifest:
    """Requests and limits with what the volumes on the node's disk may need: it counts as the containers' own."""
    needed = amount(_scratch(backup))
    limit = needed + amount(_CACHE_SIZE) + amount(_TMP_SIZE) + Decimal(64 * 1024**2)
    requests, limits = dict(found.get("requests") or {}), dict(found.get("limits") or {})
    requests["ephemeral-storage"] = quantity(max(needed, Decimal(64 * 1024**2)))
    limits["ephemeral-storage"] = quantity(limit)
    return {"requests": requests, "limits": limits}


def _without_exclusive(svc: HardenedService) -> HardenedService:
    """The service without claims that nobody but its own pod can mount."""
    kept = [each for each in svc.spec.volumes or () if not (each.claim and "ReadWriteOncePod" in each.claim.access_modes)]
    return replace(svc, spec=svc.spec.model_copy(update={"volumes": kept}))


def _user(security: Security) -> Manifest:
    return {"runAsUser": security.run_as_user or _USER, "runAsGroup": security.run_as_group or _USER}


def _pod_security(security: Security, backup: Backup) -> Manifest:
    """The user of the pod: the application's, where it has the application's files. Their group is never changed."""
    found: Manifest = {"runAsNonRoot": True, "seccompProfile": {"type": "RuntimeDefault"}}
    if backup.source.postgres or backup.source.redis:
        return found | {"runAsUser": _USER, "runAsGroup": _USER, "fsGroup": _USER, "fsGroupChangePolicy": "OnRootMismatch"}
    group = without_none(fsGroup=security.fs_group, fsGroupChangePolicy="OnRootMismatch" if security.fs_group else None)
    # The command runs as whoever its image says, unless the spec says more.
    return found | group | (_user(security) if backup.source.volume else {})


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
