"""What a runner is told to do: see the package's docstring for the documents."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from hardened.runner.fields import BadTask, Fields

#: What a retention may keep: so many of the last, and the last of so many hours, days, … each that has one.
PERIODS = ("last", "hourly", "daily", "weekly", "monthly", "yearly")
#: The name of a dump of ours, once it is whole.
DUMPS = {"postgres": "database.pgdump", "redis": "dump.rdb"}
#: Tags of a task: a revision each.
MOST_TAGS = 200

SOURCES = "postgres|redis|volume|command"
_SNAPSHOT = "latest|[0-9a-f]{8,64}"
_PATH = r"/[^\0]{1,1023}"
# restic splits tags at commas.
_TAG = r"[A-Za-z0-9][A-Za-z0-9./_-]{0,299}"


@dataclass(frozen=True)
class BackupTask:
    """source: postgres, redis, volume or command; path: the folder that is stored; host: whose backup it is, for people who look into the
    repository; tag: what all snapshots of this backup have, and no others; min_bytes: the least that is a backup; retention: how many are
    kept by period, None for all; keep_tags: snapshots with one of these are kept, too; extra_tags: of this snapshot; init: whether a
    repository that is not there is made."""

    source: str
    path: Path
    host: str
    tag: str
    min_bytes: int
    retention: Mapping[str, int] | None
    keep_tags: tuple[str, ...]
    extra_tags: tuple[str, ...]
    init: bool

    @property
    def dump(self) -> Path | None:
        """The file that a dump of ours is, once it is whole; None for other sources."""
        return self.path / DUMPS[self.source] if self.source in DUMPS else None


def backup_task(text: str) -> BackupTask:
    """The task of a backup. Raises BadTask."""
    fields = Fields.of(text)
    fields.text("kind", "backup")
    task = BackupTask(
        source=fields.text("source", SOURCES),
        path=Path(fields.text("path", _PATH, default="/scratch/dump")),
        host=fields.text("host", _TAG),
        tag=fields.text("tag", _TAG),
        min_bytes=fields.whole("min_bytes", 0, 2**63, default=0),
        retention=_retention(fields.part("retention")),
        keep_tags=fields.texts("keep_tags", _TAG, most=MOST_TAGS),
        extra_tags=fields.texts("extra_tags", _TAG, most=MOST_TAGS),
        init=fields.flag("init", default=False),
    )
    fields.end()
    return task


@dataclass(frozen=True)
class VerifyTask:
    """Restores a snapshot into the scratch volume, and looks at it.

    path: where to; snapshot: an id, the beginning of one, or `latest`; sql: of postgres, gives one true value, "" for at least one table
    with rows; command: run with the files as its working folder, passes by exit status 0; deadline: seconds that either may take.
    """

    source: str
    path: Path
    tag: str
    snapshot: str
    sql: str
    command: tuple[str, ...]
    deadline: int


def verify_task(text: str) -> VerifyTask:
    """The task of a verification. Raises BadTask."""
    fields = Fields.of(text)
    fields.text("kind", "verify")
    task = VerifyTask(
        source=fields.text("source", SOURCES),
        path=Path(fields.text("path", _PATH, default="/scratch/restored")),
        tag=fields.text("tag", _TAG),
        snapshot=fields.text("snapshot", _SNAPSHOT, default="latest"),
        sql=fields.text("sql", r"[^\0]{1,16384}", default=""),
        command=fields.texts("assert_command", r"[^\0]{0,4096}", most=64),
        deadline=fields.whole("deadline_seconds", 1, 86_400, default=600),
    )
    fields.end()
    if task.sql and task.source != "postgres":
        raise BadTask("sql is for the source postgres")
    return task


@dataclass(frozen=True)
class RestoreTask:
    """Brings the data of a snapshot back.

    path: where files go: of a volume its mount, else a folder of the scratch volume; host, tag: as of the backup; snapshot: as of
    VerifyTask; pending: whether one that lacks files may be restored; run: what makes names of this restore its own, the same when it is
    tried again; into: another database, beside the one that serves, None to replace that one; safety: whether what is there is stored
    first; scratch_port: of redis, where another container of the pod has a server that loads what `fetch` has put there; 0 for one of ours.
    """

    source: str
    path: Path
    host: str
    tag: str
    snapshot: str
    pending: bool
    run: str
    into: str | None = None
    safety: bool = True
    scratch_port: int = 0


def restore_task(text: str) -> RestoreTask:
    """The task of a restore. Raises BadTask."""
    fields = Fields.of(text)
    fields.text("kind", "restore")
    task = RestoreTask(
        source=fields.text("source", SOURCES),
        path=Path(fields.text("path", _PATH, default="/scratch/restored")),
        host=fields.text("host", _TAG),
        tag=fields.text("tag", _TAG),
        snapshot=fields.text("snapshot", _SNAPSHOT),
        pending=fields.flag("pending", default=False),
        run=fields.text("run", r"[a-z0-9_]{1,24}"),
        into=fields.text("into", r"[A-Za-z_][A-Za-z0-9_-]{0,62}", default="") or None,
        safety=fields.flag("safety", default=True),
        scratch_port=fields.whole("scratch_port", 0, 65535, default=0),
    )
    fields.end()
    if task.into and task.source != "postgres":
        raise BadTask("into is for the source postgres")
    if task.scratch_port and task.source != "redis":
        raise BadTask("scratch_port is for the source redis")
    return task


def _retention(fields: Fields | None) -> dict[str, int] | None:
    """What is kept, by period; at least one snapshot."""
    if fields is None:
        return None
    kept = {period: fields.whole(period, 0, 100_000, default=0) for period in PERIODS}
    fields.end()
    if not any(kept.values()):
        raise BadTask("retention keeps nothing")
    return {period: count for period, count in kept.items() if count}
