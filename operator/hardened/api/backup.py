"""What is backed up, when, and where to: `spec.backups`."""

from collections.abc import Iterable
from datetime import timedelta
from typing import Annotated, Any, ClassVar, Final, Literal

from pydantic import Field, StringConstraints

from hardened.api.container import Image
from hardened.api.duration import between
from hardened.api.fields import Model, Name, ObjectName, Quantity, Rule, one_of
from hardened.api.release import Command
from hardened.api.schedule import Cron, ScheduleField, ZoneField, longest_gap

#: The zone of schedules that name none.
UTC_ZONE: Final = "Etc/UTC"
MOST_BACKUPS: Final = 8
#: How long it may take to look a snapshot up, before a restore stops anybody. A repository is out of reach after two minutes; the rest is
#: for a pod that waits for a node, or its image.
FIND_DEADLINE: Final = timedelta(minutes=10)

BackupName = Annotated[Name, StringConstraints(max_length=40)]
Schedule = Annotated[Cron, ScheduleField()]
TimeZone = Annotated[str, ZoneField()]
Kept = Annotated[int, Field(ge=1, le=1000)]
# A backslash would begin a command of psql.
Sql = Annotated[str, StringConstraints(pattern=r"^[^\\\x00][^\x00]*$", min_length=1, max_length=4096)]

_SCRATCH = "The most that the dump may have. It is put on the node's disk, and counts as ephemeral storage of the pod."
#: What a verification may have, where nobody says more.
_RESTORED: Final = "2Gi"
_LEAST = "A smaller dump is a failure, and is not stored. Default: %s."


class RepositoryClaim(Model):
    """A persistent volume claim of the same namespace. The operator never creates it, nor deletes it."""

    name: ObjectName = Field(description="A PersistentVolumeClaim of the same namespace.")


class BackupRepository(Model):
    """A restic repository. The operator never reads the Secret: the pods do."""

    secret_name: ObjectName = Field(
        description="A Secret of the same namespace. Each of its keys is a variable of restic: RESTIC_PASSWORD, and RESTIC_REPOSITORY "
        "unless there is a claim; whatever the storage needs, such as AWS_ACCESS_KEY_ID."
    )
    claim: RepositoryClaim | None = Field(None, description="Where the repository is, instead of RESTIC_REPOSITORY.")


class PostgresSource(Model):
    """A database of PostgreSQL, dumped by pg_dump."""

    secret_name: ObjectName = Field(description="A Secret of the same namespace with the keys host, user and password; port and dbname.")
    image: Image | None = Field(
        None,
        description="An image with sh and pg_dump, which must not be older than the server. To verify and to restore, it needs pg_restore "
        "and the server as well, as postgres:17 has them. Default: the operator's, with PostgreSQL 15.",
    )
    scratch: Quantity = Field("1Gi", description=_SCRATCH)
    min_bytes: Quantity | None = Field(None, description=_LEAST % "1Ki, which an empty database does not have")


class CommandSource(Model):
    """Whatever a command of the application writes into the folder that HARDENED_BACKUP_DIR names."""

    command: Command = Field(description="It runs in the image of the revision that was promoted last, with its environment and files.")
    scratch: Quantity = Field("1Gi", description=_SCRATCH)
    min_bytes: Quantity | None = Field(None, description=_LEAST % "1 byte")


class RedisSource(Model):
    """All databases of a Redis server, as an RDB file."""

    secret_name: ObjectName = Field(description="A Secret of the same namespace with the key host; port and password.")
    image: Image | None = Field(
        None, description="An image with redis-server that loads the dump for a restore. Default: the operator's, up to Redis 7.0."
    )
    scratch: Quantity = Field("1Gi", description=_SCRATCH)
    min_bytes: Quantity | None = Field(None, description=_LEAST % "1 byte")


class VolumeSource(Model):
    """The files of a volume with a claim, as they are. Files that change meanwhile may be stored half-way."""

    name: Name = Field(description="One of `volumes`. It is mounted read-only.")


class BackupSource(Model):
    """What is backed up."""

    rules: ClassVar[tuple[Rule, ...]] = (one_of("postgres", "redis", "volume", "command"),)

    postgres: PostgresSource | None = None
    redis: RedisSource | None = None
    volume: VolumeSource | None = None
    command: CommandSource | None = None


class Retention(Model):
    """Which snapshots of this backup are kept, as restic's `forget` takes it. All others go after each backup that has succeeded."""

    rules: ClassVar[tuple[Rule, ...]] = (
        Rule(
            cel="has(self.last) || has(self.hourly) || has(self.daily) || has(self.weekly) || has(self.monthly) || has(self.yearly)",
            holds=lambda m: any(value is not None for value in m.kept.values()),
            message="say how many are kept, such as `daily: 7`; leave retention out to keep all",
        ),
    )

    last: Kept | None = Field(None, description="The newest.")
    hourly: Kept | None = Field(None, description="The newest of each of so many hours.")
    daily: Kept | None = Field(None, description="The newest of each of so many days.")
    weekly: Kept | None = Field(None, description="The newest of each of so many weeks.")
    monthly: Kept | None = Field(None, description="The newest of each of so many months.")
    yearly: Kept | None = Field(None, description="The newest of each of so many years.")

    @property
    def kept(self) -> dict[str, int | None]:
        """How many, by restic's words."""
        return {name: getattr(self, name) for name in ("last", "hourly", "daily", "weekly", "monthly", "yearly")}


class BackupVerification(Model):
    """The newest good snapshot is restored into scratch space, and looked at there: only what was restored is known to be restorable.

    A dump of PostgreSQL is restored into a server that the pod starts, one of Redis is loaded by one; files are put into a folder. Without
    `sql` and `command`, a database must have a table with rows, or a key, and the files of a command must have bytes.
    """

    rules: ClassVar[tuple[Rule, ...]] = (
        Rule(
            cel="!has(self.sql) || !has(self.command)",
            holds=lambda m: m.sql is None or m.command is None,
            message="set sql or command, not both: a command can ask the database by psql",
        ),
    )

    schedule: Schedule = Field(description="As that of the backup, in the same time zone. Leave the backup time to end before.")
    sql: Sql | None = Field(
        None, description="Asked in the restored database: it must give one row with one true value. For the source postgres alone."
    )
    command: Command | None = Field(
        None,
        description="Must end with 0. It runs in the operator's image of backups, which has sh, psql and redis-cli, in the folder of the "
        "restored files; the variables PG* and REDIS_SOCKET lead to the restored database.",
    )
    size: Quantity = Field(
        _RESTORED,
        description="The most that the restored files may have, with the database that is made of them. It is on the node's disk, and "
        "counts as ephemeral storage of the pod.",
    )
    deadline: Annotated[timedelta, between("1m", "24h")] = Field(
        timedelta(hours=1), description="A verification that has not ended after this time fails."
    )


class Backup(Model):
    """One backup: a CronJob that dumps a source and stores it in a restic repository."""

    rules: ClassVar[tuple[Rule, ...]] = (
        Rule(
            cel="!has(self.verify) || !has(self.verify.sql) || has(self.source.postgres)",
            holds=lambda m: m.verify is None or m.verify.sql is None or m.source.postgres is not None,
            message="sql is for the source postgres: use command, or neither",
            field=".verify.sql",
        ),
        Rule(
            cel="!has(self.source.volume) || !has(self.stops) || self.stops == 'Self'",
            holds=lambda m: m.source.volume is None or m.stops == "Self",
            message="a volume is restored while no pod of this service mounts it: use Self, or leave it out",
            field=".stops",
        ),
    )

    name: BackupName = Field(description="Its snapshots carry it as a tag, with the namespace and the service: NAMESPACE/SERVICE/NAME.")
    schedule: Schedule = Field(
        description="Minute, hour, day of the month, month, day of the week (0 is Sunday), as in a CronJob. A time that the clock skips in "
        "spring is left out that day, one that it shows twice in autumn comes twice: 01:00 to 03:00 is best avoided."
    )
    time_zone: TimeZone = Field(UTC_ZONE, description="Of the schedule, by its name in the IANA database.")
    suspend: bool = Field(False, description="While true, nothing runs by the schedule. Backups by hand still do.")
    deadline: Annotated[timedelta, between("1m", "24h")] = Field(
        timedelta(hours=1), description="A backup that has not ended after this time fails."
    )
    repository: BackupRepository
    source: BackupSource
    max_age: Annotated[timedelta, between("1m", "9000h")] | None = Field(
        None, description="BackedUp is False once the newest good snapshot is older. Default: the longest gap of the schedule and deadline."
    )
    retention: Retention | None = Field(None, description="Default: all snapshots are kept.")
    verify: BackupVerification | None = Field(
        None, description="Restores the newest good snapshot by a schedule of its own. BackedUp is False once that fails, or is overdue."
    )
    stops: Literal["Self", "Dependents", "Nothing"] = Field(
        "Self",
        description="Who is stopped while a restore replaces the data. Self: the pods of this service. Dependents: those of the services "
        "of the namespace that name this one in `dependsOn`, while this one, the database's own, goes on. Nothing: nobody.",
    )

    @property
    def schedules(self) -> tuple[str, ...]:
        """What runs by the clock: the backup, and its verification. Example: ("30 3 * * * Europe/Berlin",)."""
        found = [self.schedule, *([self.verify.schedule] if self.verify else [])]
        return tuple(f"{each} {self.time_zone}" for each in found)

    @property
    def most_age(self) -> timedelta:
        """How old the newest good snapshot may be."""
        return self.max_age if self.max_age is not None else self.recovery_point

    @property
    def recovery_point(self) -> timedelta:
        """How much may be lost by what the schedule says: the longest time from one run to the next, and what that takes at most."""
        return longest_gap(self.schedule, self.time_zone) + self.deadline

    @property
    def restore_deadline(self) -> timedelta:
        """How long a restore may take: what is there is stored first, and a database takes longer to be loaded than to be dumped."""
        return 4 * self.deadline

    @property
    def most_unverified(self) -> timedelta | None:
        """How long ago the last verification may be: the longest time from one to the next, and what one takes at most; None for no end."""
        return longest_gap(self.verify.schedule, self.time_zone) + self.verify.deadline if self.verify else None


def _are_mountable(spec: Any) -> bool:
    claims = {volume.name: set(volume.claim.access_modes) for volume in spec.volumes or () if volume.claim}
    wanted: Iterable[VolumeSource] = (backup.source.volume for backup in spec.backups or () if backup.source.volume)
    return all(each.name in claims and "ReadWriteOncePod" not in claims[each.name] for each in wanted)


#: Rules on a HardenedServiceSpec that tie `backups` to its volumes.
BACKUP_RULES: tuple[Rule, ...] = (
    Rule(
        cel="!has(self.backups) || self.backups.all(b, !has(b.source.volume) || (has(self.volumes) && self.volumes.exists(v, "
        "v.name == b.source.volume.name && has(v.claim) && "
        "!(has(v.claim.accessModes) && 'ReadWriteOncePod' in v.claim.accessModes))))",
        holds=_are_mountable,
        message="a backup of a volume names one of `volumes` that has a claim; not one of ReadWriteOncePod, which nobody else can mount: "
        "back it up by a command of the application",
        field=".backups",
    ),
    Rule(
        cel="!has(self.release) || !has(self.release.backupFirst) || "
        "(has(self.backups) && self.backups.exists(b, b.name == self.release.backupFirst))",
        holds=lambda m: m.release.backup_first in (None, *(backup.name for backup in m.backups or ())),
        message="backupFirst names one of `backups`: the one that is taken before a new revision changes anything",
        field=".release.backupFirst",
    ),
)
