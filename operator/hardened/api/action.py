"""The HardenedServiceAction: one request to a service, made by a person or a pipeline, and what came of it."""

from datetime import timedelta
from typing import Annotated, ClassVar, Literal

from pydantic import Field, StringConstraints

from hardened.api.backup import BackupName
from hardened.api.duration import between
from hardened.api.fields import Model, Rule, at_most
from hardened.api.names import NAME_LIMIT, NAME_PATTERN
from hardened.api.status import Line, Short, When

ServiceName = Annotated[str, StringConstraints(pattern=NAME_PATTERN, min_length=1, max_length=NAME_LIMIT)]
RevisionName = Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{12}$", min_length=12, max_length=12)]
SnapshotName = Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{8,64}$", min_length=8, max_length=64)]
DatabaseName = Annotated[str, StringConstraints(pattern=r"^[A-Za-z_][A-Za-z0-9_-]{0,62}$", min_length=1, max_length=63)]
# It ends in logs, Events and tables: one line.
OneLine = Annotated[str, StringConstraints(pattern=r"^[^\x00-\x1f\x7f]*$", max_length=512)]

#: Actions on a release under way: they name the revision that they mean.
_OF_A_REVISION = ("Promote", "Retry")
#: Actions on a backup: they name it.
_OF_A_BACKUP = ("Backup", "VerifyBackup", "Restore")


class HardenedServiceActionSpec(Model):
    """The request. It never changes."""

    rules: ClassVar[tuple[Rule, ...]] = (
        Rule(
            cel=f"!(self.action in {list(_OF_A_REVISION)}) || has(self.revision)",
            holds=lambda m: m.action not in _OF_A_REVISION or m.revision is not None,
            message="Promote and Retry must name their revision: nobody approves one that they did not see",
            field=".revision",
        ),
        Rule(
            cel="self.action != 'Abort' || has(self.revision) != has(self.backup)",
            holds=lambda m: m.action != "Abort" or (m.revision is None) != (m.backup is None),
            message="Abort must name the revision whose release it ends, or the backup whose restore it gives up, and not both",
            field=".revision",
        ),
        Rule(
            cel=f"self.action == 'Abort' || (self.action in {list(_OF_A_BACKUP)}) == has(self.backup)",
            holds=lambda m: m.action == "Abort" or (m.action in _OF_A_BACKUP) == (m.backup is not None),
            message="Backup, VerifyBackup and Restore must name one of the service's backups; of the others only Abort may",
            field=".backup",
        ),
        Rule(
            cel="(self.action == 'Restore') == has(self.snapshot)",
            holds=lambda m: (m.action == "Restore") == (m.snapshot is not None),
            message="Restore must name its snapshot by its id, and no other action may: nobody approves one that they did not see",
            field=".snapshot",
        ),
        Rule(
            cel="self.action == 'Rollback' || !has(self.withData) || !self.withData",
            holds=lambda m: m.action == "Rollback" or not m.with_data,
            message="withData is for Rollback",
            field=".withData",
        ),
        Rule(
            cel="self.action == 'Restore' || !has(self.into)",
            holds=lambda m: m.action == "Restore" or m.into is None,
            message="into is for Restore",
            field=".into",
        ),
    )

    service: ServiceName = Field(description="The HardenedService, in the same namespace.")
    action: Literal["Rollback", "Promote", "Abort", "Retry", "Pause", "Resume", "Backup", "VerifyBackup", "Restore"] = Field(
        description="What is asked for."
    )
    revision: RevisionName | None = Field(
        None, description="The revision that the action is for. For a Rollback: the target (default: the one promoted before)."
    )
    backup: BackupName | None = Field(
        None,
        description="For a Backup, a VerifyBackup or a Restore: which of the service's backups. For an Abort: whose restore is given up.",
    )
    snapshot: SnapshotName | None = Field(None, description="For a Restore: which snapshot, by its id or the beginning of it.")
    into: DatabaseName | None = Field(
        None,
        description="For a Restore of the source postgres: the name of a new database beside the one that serves. Nothing is replaced "
        "then, nor stopped.",
    )
    across_migration: bool = Field(
        False, description="For a Rollback: allow it though a migration ran since that revision was promoted. The migration's changes stay."
    )
    with_data: bool = Field(
        False,
        description="For a Rollback: restore the snapshot that `release.backupFirst` took before the target was replaced, too, and start "
        "only the target on it. Its backup has `stops: Self`. Needs the right to create hardenedservices/restore as well.",
    )
    reason: OneLine | None = Field(None, description="Why, in words for the history and for whoever reads it later.")
    requested_by: Annotated[OneLine, StringConstraints(min_length=1)] = Field(
        description="The user who makes the request, as the API server knows them. The chart's admission policy refuses any other name."
    )
    ttl: Annotated[timedelta, between("1m", "720h")] = Field(
        timedelta(hours=24), description="How long after its end the action is removed."
    )


class HardenedServiceActionStatus(Model):
    """The result of the action."""

    phase: Literal["Pending", "Running", "Succeeded", "Failed", "Refused"] | None = Field(None, description="Running until it has ended.")
    message: Annotated[str, StringConstraints(max_length=4096)] | None = Field(
        None, description="What became of it, or why it was refused."
    )
    started_at: When | None = Field(None, description="When the operator took it up.")
    finished_at: When | None = Field(None, description="When it ended.")
    result: Annotated[dict[Short, Line], at_most(16)] | None = Field(None, description="What it has made or found, by name.")
