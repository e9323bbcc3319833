"""Checks of releases: what a new version has to prove, and whether there is a way back."""

from collections.abc import Iterator
from datetime import timedelta

from hardened.core.hardening.check import Gap, HardeningCheck, Subject, check
from hardened.core.hardening.fields import least_pods

_SHORT = timedelta(minutes=1)


@check(
    "HS048",
    "warn",
    "A new version has to pass a check of its own.",
    cause="Without one a version is promoted once its pods are ready: that it gives the right answers nobody has seen.",
    fix="set verify.beforeCutover, or verify.afterCutover.checks",
    example="verify: {beforeCutover: [{name: smoke, http: {path: /health, expectBody: ok}}]}",
)
def versions_are_checked(subject: Subject) -> Iterator[Gap]:
    spec = subject.svc.spec
    if spec.ports and not spec.verify.before_cutover and not spec.verify.after_cutover.checks:
        yield Gap("spec.verify", "no check of a new version")


@check(
    "HS049",
    "warn",
    "A release has the time to pull an image and to start.",
    cause="A step that makes no progress within progressDeadline fails. On a node that has to pull the image first, a minute is soon over.",
    fix="raise release.progressDeadline to 1m or more",
    example="release: {progressDeadline: 10m}",
)
def releases_have_time(subject: Subject) -> Iterator[Gap]:
    deadline = subject.svc.spec.release.progress_deadline
    if deadline < _SHORT:
        yield Gap("spec.release.progressDeadline", f"a step of a release fails after {deadline.total_seconds():.0f} s")


@check(
    "HS050",
    "warn",
    "More than one earlier revision is kept.",
    cause="With two in the history there is one to roll back to. Where that has the fault as well, none is left.",
    fix="raise release.historyLimit to 3 or more",
    example="release: {historyLimit: 10}",
)
def there_is_a_way_back(subject: Subject) -> Iterator[Gap]:
    if subject.svc.spec.release.history_limit < 3:
        yield Gap("spec.release.historyLimit", "one revision is kept to roll back to")


@check(
    "HS051",
    "warn",
    "A migration can be undone.",
    cause="A release that ends before its cutover leaves the migrated schema to the version before it, which may not know it.",
    fix="set release.migrate.undo",
    example="release: {migrate: {command: [migrate, up], undo: {command: [migrate, down]}}}",
)
def migrations_are_undone(subject: Subject) -> Iterator[Gap]:
    migrate = subject.svc.spec.release.migrate
    if migrate and not migrate.undo:
        yield Gap("spec.release.migrate", "the migration cannot be undone")


@check(
    "HS052",
    "warn",
    "A migration begins with a backup.",
    cause="What a migration deletes no rollback brings back. The backup of last night lacks all that was written since.",
    fix="set release.backupFirst to one of backups",
    example="release: {backupFirst: nightly, migrate: {command: [migrate, up], undo: {command: [migrate, down]}}}",
)
def migrations_are_backed_up(subject: Subject) -> Iterator[Gap]:
    spec = subject.svc.spec
    if spec.release.migrate and spec.backups and not spec.release.backup_first:
        yield Gap("spec.release.migrate", "the migration begins without a backup")


@check(
    "HS053",
    "warn",
    "Recreate is used only where two versions cannot run side by side.",
    cause="With Recreate all pods end before the first new one begins: each release, and each rollback, is an outage.",
    fix="leave release.strategy out",
    example="release: {strategy: RollingUpdate}",
)
def releases_are_no_outage(subject: Subject) -> Iterator[Gap]:
    spec = subject.svc.spec
    if spec.release.strategy == "Recreate" and spec.ports and not any(each.is_for_one_version for each in spec.volumes or ()):
        yield Gap("spec.release.strategy", "each release is an outage, and no claim asks for that")


@check(
    "HS054",
    "warn",
    "Pods that have to end first end within the deadline of a step.",
    cause="With Recreate the old pods end before the new ones begin, and both count against progressDeadline.",
    fix="raise release.progressDeadline, or lower shutdown.graceSeconds",
    example="release: {strategy: Recreate, progressDeadline: 20m}\nshutdown: {graceSeconds: 600}",
)
def old_pods_end_in_time(subject: Subject) -> Iterator[Gap]:
    spec = subject.svc.spec
    deadline = spec.release.progress_deadline.total_seconds()
    if spec.effective_strategy == "Recreate" and spec.shutdown.grace_seconds >= deadline:
        text = f"old pods may take {spec.shutdown.grace_seconds} s to end, and release.progressDeadline ends after {deadline:.0f} s"
        yield Gap("spec.shutdown.graceSeconds", text)


@check(
    "HS055",
    "warn",
    "The preview is not larger than what serves.",
    cause="The preview is there to be checked. A larger one takes room in the cluster, and goes back to the size that serves.",
    fix="lower release.preview.replicas, or leave it out",
    example="release: {preview: {replicas: 1}}",
)
def previews_are_small(subject: Subject) -> Iterator[Gap]:
    size, preview = least_pods(subject.svc), subject.svc.spec.release.preview
    if preview and 0 < size < preview.replicas:
        yield Gap("spec.release.preview.replicas", f"the preview has {preview.replicas} pods, and {size} serve")


@check(
    "HS056",
    "warn",
    "A new version that restarts is not accepted.",
    cause="A container that restarts while it is watched has crashed. With many restarts allowed, a version that crashes goes live.",
    fix="leave verify.afterCutover.maxRestarts out",
    example="verify: {afterCutover: {window: 2m}}",
)
def crashes_are_seen(subject: Subject) -> Iterator[Gap]:
    allowed = subject.svc.spec.verify.after_cutover.max_restarts
    if allowed > 2:
        yield Gap("spec.verify.afterCutover.maxRestarts", f"a new version may restart {allowed} times")


RELEASES: tuple[HardeningCheck, ...] = (
    versions_are_checked,
    releases_have_time,
    there_is_a_way_back,
    migrations_are_undone,
    migrations_are_backed_up,
    releases_are_no_outage,
    old_pods_end_in_time,
    previews_are_small,
    crashes_are_seen,
)
