"""The status of a HardenedService, as the schema shows it. `core.status` is what fills it."""

from typing import Annotated, Literal

from pydantic import Field, StringConstraints

from hardened.api.backup import MOST_BACKUPS
from hardened.api.fields import Model, atomic, keyed
from hardened.api.strategy import Strategy

Short = Annotated[str, StringConstraints(max_length=63)]
Line = Annotated[str, StringConstraints(max_length=512)]
Message = Annotated[str, StringConstraints(max_length=32768)]
When = Annotated[str, Field(json_schema_extra={"format": "date-time"})]
SnapshotId = Annotated[str, StringConstraints(max_length=64)]

ScalingReason = Literal[
    "Active", "AtMaximum", "CannotScale", "Fallback", "Leaving", "Missing", "NoKEDA", "NoMetrics", "NoMetricsAPI", "NoPrometheus",
    "NotSeen", "Paused", "ScaledToZero", "Suspended", "Switching",
]  # fmt: skip
Phase = Literal["Pending", "Progressing", "Healthy", "Degraded", "RolledBack", "Rejected", "Queued", "Paused", "Suspended"]


class ConditionStatus(Model):
    """A condition as kstatus reads it."""

    type: Annotated[str, StringConstraints(max_length=316)] = Field(description="The condition.")
    status: Literal["True", "False", "Unknown"] = Field(description="Whether it holds.")
    observed_generation: int | None = Field(None, description="The generation of the spec that it was observed for.")
    last_transition_time: When = Field(description="When the status last changed.")
    reason: Annotated[str, StringConstraints(max_length=1024)] = Field(description="One word for why, listed in the documentation.")
    message: Message = Field(description="Why, in words, with what to do.")


class Serving(Model):
    """The stack that the active Service selects."""

    color: Short = Field(description="The colour of the stack.")
    revision: Short = Field(description="The revision that it runs.")
    image: Line = Field(description="Its image.")


class StableStatus(Model):
    """The last promoted revision and its colour. promotion: the number of promotions so far."""

    color: Short = Field(description="The colour of its stack.")
    revision: Short = Field(description="The name of the revision.")
    promotion: Annotated[int, Field(ge=1)] = Field(description="The number of promotions so far.")


class CheckOutcomeStatus(Model):
    """The result of a check, or of the zero-loss probe."""

    name: Short = Field(description="The check.")
    result: Literal["Passed", "Failed"] = Field(description="Failed once more requests have failed than are allowed.")
    message: Line = Field(description="What was asked, and what came back.")
    requests: int = Field(description="How many were sent.")
    failed: int = Field(description="How many of them failed.")
    asked_at: When | None = Field(None, description="For a query: when it was asked last.")


class Pin(Model):
    """Why the revision that the spec asks for is not released."""

    revision: Short = Field(description="The rejected revision.")
    rejected_key: Short = Field(description="What it had to pass, as a hash: with something else to pass it is released again.")
    reason: Annotated[str, StringConstraints(max_length=1024)] = Field(description="One word for why.")
    message: Message = Field(description="What failed.")
    after_cutover: bool | None = Field(None, description="True if it had served by then, and was rolled back.")


class Left(Pin):
    """The revision that a manual rollback leaves. It is rejected once traffic has left it."""


class ReleaseBackupStatus(Model):
    """The backup that is taken before a release changes anything."""

    name: Short = Field(description="The backup.")
    revision: Short = Field(description="The revision that is to be replaced. The snapshot has the tag `revision-REVISION`.")
    job: Short | None = Field(None, description="The uid of its Job, which is not made again.")
    snapshot: SnapshotId | None = Field(None, description="What it has stored.")
    at: When | None = Field(None, description="When its dump began.")
    failures: int | None = Field(None, description="How often it has failed in this release. Default: 0.")
    message: Line | None = Field(None, description="Why it failed last.")
    again_at: When | None = Field(None, description="When it is tried again.")


class ReleaseStatus(Model):
    """The current release: its step and its times."""

    revision: Short = Field(description="The revision that is released.")
    image: Line | None = Field(None, description="The image of that revision.")
    color: Short = Field(description="The colour of its stack.")
    key: Short = Field(description="What it has to pass, as a hash.")
    strategy: Strategy | None = Field(None, description="How it takes over.")
    step: Literal[
        "Preflight",
        "Queued",
        "Backup",
        "Migrate",
        "Preview",
        "VerifyBefore",
        "Approval",
        "ScaleUp",
        "Cutover",
        "VerifyAfter",
        "SwitchBack",
        "Undo",
        "Keep",
    ] = Field(description="Where the release is.")
    replicas: int | None = Field(None, description="The number of pods to reach before the cutover.")
    available: int | None = Field(
        None, description="The most pods that were available in this step when its deadline was last renewed. Default: 0."
    )
    started_at: When = Field(description="When the release began.")
    entered_at: When | None = Field(
        None, description="When this step began, moved on by the time that it was paused. autoPromoteAfter counts from it."
    )
    deadline: When | None = Field(None, description="When this step fails, unless it makes progress before.")
    cutover_at: When | None = Field(None, description="When traffic was first led to the revision.")
    window_ends_at: When | None = Field(None, description="When the checks after the cutover end.")
    keep_until: When | None = Field(None, description="How long the previous stack stays.")
    recalled_at: When | None = Field(None, description="In Cutover: when the operator decided not to switch after all.")
    confirmed_at: When | None = Field(None, description="When every node led traffic to the revision.")
    rejected: bool | None = Field(None, description="True once the revision has failed, while the release is cleaned up.")
    probed_anew: bool | None = Field(None, description="True once the zero-loss probe was made a second time.")
    checks: Annotated[list[CheckOutcomeStatus], keyed("name", 40)] | None = Field(None, description="What the checks have found so far.")
    rollback: bool | None = Field(None, description="True for a rollback, by hand or by a spec that asks for the revision again.")
    left: Left | None = None
    approved: bool | None = Field(None, description="True once somebody promoted the revision.")
    paused_at: When | None = Field(None, description="When somebody paused the release.")
    remaining: Short | None = Field(None, description="The time left until the deadline when the release was paused.")
    yielded: bool | None = Field(None, description="True while it waits for other services and holds no slot.")
    backup: ReleaseBackupStatus | None = Field(None, description="Of `release.backupFirst`.")
    migration: Literal["Made", "Done", "Undoing", "NotUndone"] | None = Field(None, description="How far the migration is.")
    undo_problem: Line | None = Field(None, description="Why the migration was not undone.")


class ProbeCounts(Model):
    """The counts of a zero-loss probe."""

    requests: int = Field(description="Requests sent through the active Service.")
    failed: int = Field(description="Those of them that were lost, or answered with an error.")


class ProofStatus(Model):
    """The counts of the last release's zero-loss probes. They stay until the next release has counts of its own."""

    revision: Short = Field(description="The revision that took over.")
    color: Short = Field(description="Its colour.")
    started_at: When = Field(description="When its release began.")
    cutover: ProbeCounts | None = Field(None, description="From before the cutover to the end of its window. Omitted: no data.")
    removal: ProbeCounts | None = Field(
        None, description="From shortly before the previous pods were removed until they were gone. Omitted: no data yet, or none."
    )
    removed_by: When | None = Field(None, description="While the previous pods are being removed: when the last one will be gone.")


class RevisionBackup(Model):
    """A snapshot of the data as it was when a revision was about to be replaced."""

    name: Short = Field(description="The backup.")
    snapshot: SnapshotId = Field(description="As restic names it.")
    at: When = Field(description="When its dump began.")


class PendingStatus(Model):
    """The revision that the spec asks for, while it neither serves nor is being released, and was not rejected."""

    revision: Short = Field(description="The name of the revision.")
    image: Line = Field(description="Its image.")
    message: Message = Field(description="What it waits for.")
    until: When | None = Field(None, description="When it starts at the earliest, where that is known.")


class HistoryRejection(Model):
    """Why a revision was rejected the last time."""

    reason: Annotated[str, StringConstraints(max_length=1024)] = Field(description="One word for why.")
    message: Line = Field(description="What failed.")
    after_cutover: bool | None = Field(None, description="True if it had served by then, and was rolled back.")


class HistoryEntry(Model):
    """A revision that the operator keeps."""

    revision: Short = Field(description="The name of the revision.")
    image: Line = Field(description="Its image.")
    created_at: When = Field(description="When it was stored.")
    missing: bool | None = Field(None, description="True if somebody deleted the stored revision: rolling back to it is impossible.")
    backup: RevisionBackup | None = Field(None, description="The last one that `release.backupFirst` took while this revision was stable.")
    rejection: HistoryRejection | None = Field(None, description="Omitted once the revision has passed, or somebody has retried it.")


class ActionEntry(Model):
    """A requested action. An action of the same name does not run again."""

    name: Annotated[str, StringConstraints(max_length=253)] = Field(description="The HardenedServiceAction.")
    uid: Short = Field(description="Its uid.")
    action: Short = Field(description="What was asked for.")
    phase: Literal["Running", "Succeeded", "Failed", "Refused"] = Field(description="Running until it has ended.")
    message: Annotated[str, StringConstraints(max_length=1024)] = Field(description="What became of it.")
    revision: Short | None = Field(None, description="The revision that it was asked for.")
    key: Short | None = Field(None, description="What the revision had to pass, as a hash.")
    left: Short | None = Field(None, description="For a rollback: the revision that traffic leaves.")
    backup: Short | None = Field(None, description="For a backup, its verification, or its restore: its name.")
    job: Short | None = Field(
        None, description="For a backup, its verification, or its restore: the uid of its Job, which is not made again."
    )
    snapshot: SnapshotId | None = Field(None, description="For a backup that has succeeded, one that was verified, or a restore.")
    into: Short | None = Field(None, description="For a restore: the new database, where nothing is replaced.")
    recovery_point: When | None = Field(
        None, description="For a restore, and a rollback with data: when the snapshot was made, once that was found."
    )
    restored_at: When | None = Field(None, description="For a rollback with data: when the data was back.")
    before: SnapshotId | None = Field(None, description="For a restore: the snapshot of what was there. Omitted: nothing was.")
    by: Line | None = Field(None, description="Who requested it, and why.")
    started_at: When = Field(description="When the operator took it up.")
    finished_at: When | None = Field(None, description="When it ended.")


class HoldStatus(Model):
    """The pods that a restore replaces the data of are stopped, until it has ended well or is given up."""

    service: Short | None = Field(
        None, description="The service that it depends on, and whose data is restored; all else is of that one. Omitted: its own."
    )
    action: Annotated[str, StringConstraints(max_length=253)] = Field(description="The name of the Restore, or of the Rollback with data.")
    uid: Short = Field(description="Of that action: the Deployments have it as an annotation.")
    backup: Short = Field(description="The backup whose snapshot is restored.")
    snapshot: SnapshotId = Field(description="The snapshot.")
    stops: Literal["Self", "Dependents", "Nothing"] = Field(description="Who is stopped meanwhile, see `spec.backups`.")
    phase: Literal["Stopping", "Restoring", "Failed", "Starting", "NotStarted"] = Field(description="How far it is.")
    since: When = Field(description="When this phase began.")
    replicas: int = Field(description="How many pods were wanted when it began.")
    message: Annotated[str, StringConstraints(max_length=1024)] | None = Field(None, description="What it waits for, or why it has failed.")
    revision: Short | None = Field(None, description="Of a Rollback with data: the target, which alone may run on the restored data.")
    may_have_changed: bool | None = Field(
        None, description="True if it has failed, or one before it, and may have changed the data. Omitted: it is known that none has."
    )


class DependencyStatus(Model):
    """How one entry of `dependsOn` is. A service: at each look. An address: as the last check pod of a release found it."""

    service: Short | None = Field(None, description="The HardenedService.")
    tcp: Annotated[str, StringConstraints(max_length=69)] | None = Field(None, description="The address, as HOST:PORT.")
    state: Literal["Available", "Unavailable", "Missing", "Unknown"] = Field(description="Whether it can be used.")
    message: Line | None = Field(None, description="Why not.")
    since: When = Field(description="When it came into this state, as far as the operator saw it.")


class SnapshotStatus(Model):
    """A backup that has succeeded."""

    snapshot: SnapshotId = Field(description="As restic names it.")
    at: When = Field(description="When its dump began.")
    bytes: int = Field(description="Of the dump.")
    seconds: int = Field(description="How long it took.")
    message: Line | None = Field(None, description="What went wrong beside it, such as pruning the repository.")


class BackupFailureStatus(Model):
    """A backup that has failed."""

    at: When = Field(description="When it failed.")
    reason: Short = Field(description="One word for why.")
    message: Line = Field(description="Why, and what to do.")


class BackupRunningStatus(Model):
    """A backup that is at work."""

    job: Short = Field(description="The uid of its Job.")
    since: When = Field(description="When the Job was made.")
    message: Line | None = Field(None, description="What it waits for.")


class VerificationStatus(Model):
    """A verification that has ended: what came of restoring a snapshot."""

    job: Short = Field(description="The uid of its Job.")
    at: When = Field(description="When it ended.")
    result: Literal["Succeeded", "Failed"] = Field(description="Whether the snapshot could be restored and was what it should be.")
    snapshot: SnapshotId | None = Field(None, description="Which one was restored. Omitted: none was found.")
    reason: Short | None = Field(None, description="Why it failed.")
    message: Line | None = Field(None, description="Why it failed, and what to do.")
    seconds: int = Field(description="How long it took.")


class BackupStatus(Model):
    """What is known of one of the spec's backups."""

    name: Short = Field(description="The backup.")
    last_success: SnapshotStatus | None = Field(None, description="The newest good snapshot.")
    last_failure: BackupFailureStatus | None = Field(None, description="The last failure since the last success.")
    running: BackupRunningStatus | None = Field(None, description="What is at work now.")
    last_verification: VerificationStatus | None = Field(None, description="What came of the last one.")
    next_at: When | None = Field(None, description="When the schedule makes the next one. Omitted while it is suspended.")
    schedules: Annotated[list[Line], atomic(2)] | None = Field(
        None, description="What it runs by, with the time zone: the backup, and its verification."
    )
    suspended: bool | None = Field(None, description="True while nothing runs by the schedule.")
    resumed_at: When | None = Field(
        None,
        description="When a suspended schedule went on, or one was changed, for as long as a run that was missed before could be made up "
        "for: none is.",
    )


class AutoscaleStatus(Model):
    """How the autoscaler does. Nothing in it moves with what is measured, but for the size: `kubectl get hpa` shows that."""

    min_replicas: int = Field(description="The smallest size.")
    max_replicas: int = Field(description="The largest size.")
    replicas: int = Field(description="The size that is wanted now.")
    kind: Literal["ScaledObject"] | None = Field(
        None, description="ScaledObject from before KEDA is asked to scale until nothing of it is left. Omitted: a HorizontalPodAutoscaler."
    )
    reason: ScalingReason = Field(description="Active while it scales; otherwise why it does not.")
    message: Annotated[str, StringConstraints(max_length=1024)] | None = Field(
        None, description="Why it does not scale, and what to do. Omitted while it scales."
    )
    quota: Annotated[str, StringConstraints(max_length=4096)] | None = Field(
        None, description="What the quotas of the namespace lack for maxReplicas pods: nothing waits for it, but pods beyond are refused."
    )


class HardenedServiceStatus(Model):
    """The state that the operator last observed."""

    observed_generation: int = Field(-1, description="-1 until the operator has observed the object once.")
    phase: Phase | None = Field(None, description="One word for people; programs read the conditions.")
    replicas: int | None = Field(None, description="The pods of the stack that serves.")
    selector: Annotated[str, StringConstraints(max_length=1024)] | None = Field(
        None, description="The labels of the pods that serve, as an autoscaler reads them."
    )
    available_replicas: int | None = Field(None, description="The pods that serve and can take requests.")
    serving: Serving | None = None
    stable: StableStatus | None = None
    release: ReleaseStatus | None = None
    pending: PendingStatus | None = None
    proof: ProofStatus | None = None
    pin: Pin | None = None
    autoscale: AutoscaleStatus | None = Field(None, description="Omitted without `spec.autoscale`, once nothing scales any more.")
    hold: HoldStatus | None = Field(None, description="Omitted while no restore is under way, nor has failed.")
    history: Annotated[list[HistoryEntry], keyed("revision", 128)] | None = Field(
        None, description="The revisions that can be rolled back to, the oldest first."
    )
    actions: Annotated[list[ActionEntry], keyed("name", 64)] | None = Field(None, description="The actions that were asked for last.")
    dependencies: Annotated[list[DependencyStatus], atomic(16)] | None = Field(
        None, description="What the service depends on, as far as it is known. If one fails later, no pod is restarted for it."
    )
    backups: Annotated[list[BackupStatus], keyed("name", MOST_BACKUPS)] | None = Field(
        None, description="One entry for each of `spec.backups`."
    )
    conditions: Annotated[list[ConditionStatus], keyed("type", 16)] | None = Field(
        None, description="Ready, Available, Progressing, Reconciling, Stalled, Hardened, Drifted, BackedUp."
    )
