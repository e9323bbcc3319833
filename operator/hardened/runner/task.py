"""What a runner is told to do: see the package's docstring for the documents."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from hardened.runner.fields import BadTask, Fields

#: What a retention may keep: so many of the last, and the last of so many hours, days, … each that has one.
PERIODS = ("last", "hourly", "daily", "weekly", "monthly", "yearly")
#: Tags of a task: a revision each.
MOST_TAGS = 200

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
        name = {"postgres": "database.pgdump", "redis": "dump.rdb"}.get(self.source)
        return self.path / name if name else None


def backup_task(text: str) -> BackupTask:
    """The task of a backup. Raises BadTask."""
    fields = Fields.of(text)
    fields.text("kind", "backup")
    task = BackupTask(
        source=fields.text("source", "postgres|redis|volume|command"),
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


def _retention(fields: Fields | None) -> dict[str, int] | None:
    """What is kept, by period; at least one snapshot."""
    if fields is None:
        return None
    kept = {period: fields.whole(period, 0, 100_000, default=0) for period in PERIODS}
    fields.end()
    if not any(kept.values()):
        raise BadTask("retention keeps nothing")
    return {period: count for period, count in kept.items() if count}
