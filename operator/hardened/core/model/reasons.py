"""The closed list of condition reasons, with what each one means. The reference page is made from it."""

from enum import StrEnum


class Reason(StrEnum):
    """Why a condition is as it is."""

    HEALTHY = "Healthy"
    ROLLING_OUT = "RollingOut"
    PROGRESS_DEADLINE_EXCEEDED = "ProgressDeadlineExceeded"
    SCALED_TO_ZERO = "ScaledToZero"
    NO_PODS_AVAILABLE = "NoPodsAvailable"
    PODS_AVAILABLE = "PodsAvailable"
    SUSPENDED = "Suspended"
    INVALID_SPEC = "InvalidSpec"
    NOT_OWNED = "NotOwned"
    NAME_TAKEN = "NameTaken"
    SERVICE_FIXED = "ServiceFixed"
    WAITING_FOR_GARBAGE_COLLECTION = "WaitingForGarbageCollection"
    APPLY_REFUSED = "ApplyRefused"
    FORBIDDEN = "Forbidden"
    QUOTA_EXCEEDED = "QuotaExceeded"
    NAMESPACE_TERMINATING = "NamespaceTerminating"
    POD_SECURITY = "PodSecurityRefused"
    PODS_REFUSED = "PodsRefused"
    IMAGE_PULL_FAILED = "ImagePullFailed"
    INVALID_IMAGE = "InvalidImage"
    CONFIG_MISSING = "ConfigMissing"
    CRASH_LOOPING = "CrashLooping"
    UNSCHEDULABLE = "Unschedulable"
    NOT_READY = "PodsNotReady"
    IN_STEP = "InStep"
    CLAIM_DELETING = "ClaimDeleting"
    REVISION_MISSING = "RevisionMissing"
    REVISION_FORGED = "RevisionForged"
    FOREIGN_ENDPOINTS = "ForeignEndpoints"
    FOREIGN_PODS = "ForeignPods"
    FORMER_PODS = "FormerPods"
    DATA_IN_USE = "DataInUse"
    CONTESTED = "Contested"
    NO_GAPS = "NoGaps"
    GAPS = "Gaps"
    CRD_MISMATCH = "CrdMismatch"
    REJECTED = "Rejected"
    ROLLED_BACK = "RolledBack"
    CHECK_FAILED = "CheckFailed"
    NO_DATA = "NoData"
    SELECTOR_CHANGED = "SelectorChanged"
    ABORTED = "Aborted"
    PAUSED = "Paused"
    WAITING_FOR_DEPENDENCIES = "WaitingForDependencies"
    MIGRATION_FAILED = "MigrationFailed"
    MIGRATION_NOT_UNDONE = "MigrationNotUndone"
    BACKUP_FAILED = "BackupFailed"
    RESTORING = "Restoring"
    RESTORE_FAILED = "RestoreFailed"
    ROLLBACK_FAILED = "RollbackFailed"
    SNAPSHOTS_FRESH = "SnapshotsFresh"
    NO_SNAPSHOT = "NoSnapshot"
    SNAPSHOT_OVERDUE = "SnapshotOverdue"
    VERIFICATION_FAILED = "VerificationFailed"
    VERIFICATION_OVERDUE = "VerificationOverdue"
    BACKUP_IMAGE_MISSING = "BackupImageMissing"


MEANING: dict[Reason, str] = {
    Reason.HEALTHY: "The revision in the spec runs, and all of its pods are available.",
    Reason.ROLLING_OUT: "The wanted revision is being rolled out.",
    Reason.PROGRESS_DEADLINE_EXCEEDED: "A release made no progress for spec.release.progressDeadline, or pods none for ten minutes.",
    Reason.SCALED_TO_ZERO: "The spec asks for 0 replicas.",
    Reason.NO_PODS_AVAILABLE: "No pod can take requests.",
    Reason.PODS_AVAILABLE: "At least one pod can take requests.",
    Reason.SUSPENDED: "spec.suspend is true, or spec.suspendUntil has not passed: the operator changes nothing.",
    Reason.INVALID_SPEC: "A field is invalid; the message names it. What ran before keeps running.",
    Reason.NOT_OWNED: "An object with the name of a child belongs to somebody else; the operator does not touch it. A Service can be taken "
    "over; the message says how, or what stands in the way.",
    Reason.NAME_TAKEN: "Another HardenedService needs a Service of the same name; the message names it. What serves keeps serving.",
    Reason.SERVICE_FIXED: "The spec changes the Service to or from headless, which the API server refuses; the message says what to do.",
    Reason.WAITING_FOR_GARBAGE_COLLECTION: "Children of a deleted service of the same name still exist.",
    Reason.APPLY_REFUSED: "The API server refused a child as invalid, or cannot accept it, for example because a webhook is down.",
    Reason.FORBIDDEN: "The operator's rights, or a policy of the cluster, do not allow a write.",
    Reason.QUOTA_EXCEEDED: "A ResourceQuota of the namespace has no room for what must be created.",
    Reason.NAMESPACE_TERMINATING: "The namespace is being deleted.",
    Reason.POD_SECURITY: "The namespace's pod security level refuses the pods.",
    Reason.PODS_REFUSED: "The API server refuses the pods.",
    Reason.IMAGE_PULL_FAILED: "A node cannot pull an image.",
    Reason.INVALID_IMAGE: "An image cannot be used: its name is invalid, or it runs as root.",
    Reason.CONFIG_MISSING: "A Secret, ConfigMap or key that the pods refer to does not exist.",
    Reason.CRASH_LOOPING: "A container exits again and again.",
    Reason.UNSCHEDULABLE: "No node can take a pod.",
    Reason.NOT_READY: "Pods do not become ready, or their volumes are not mounted.",
    Reason.IN_STEP: "Everything of the service is as it should be.",
    Reason.CLAIM_DELETING: "Somebody deleted a claim that pods still mount.",
    Reason.REVISION_MISSING: "Stored revisions were deleted; rolling back to them is no longer possible.",
    Reason.REVISION_FORGED: "A stored revision differs from what the operator stores; it is not used, and what serves stays as it is.",
    Reason.FOREIGN_ENDPOINTS: "Somebody else added endpoints to the active Service; no release waits for them. "
    "The operator sees only EndpointSlices with the label app.kubernetes.io/managed-by: hardened, such as copies of the Service's labels.",
    Reason.FOREIGN_PODS: "A pod has the labels of the service's pods but is not one of them; it does not count in any release. "
    "The operator lists pods during a release, and while some of the service's own are late.",
    Reason.FORMER_PODS: "The service has taken a Service over, and pods that it led to before still run; the message has the command that "
    "ends them.",
    Reason.DATA_IN_USE: "A pod came to use the data while a restore replaces it, and may read or write half of it; the message names it.",
    Reason.CONTESTED: "A field does not stay as the operator writes it: something in the cluster changes it at once.",
    Reason.NO_GAPS: "Every hardening check passes.",
    Reason.GAPS: "Some hardening is left for the team to do; the message lists it.",
    Reason.CRD_MISMATCH: "The CRD in the cluster is not the one that this operator was built with.",
    Reason.REJECTED: "The revision in the spec did not pass its checks; what served before still serves.",
    Reason.ROLLED_BACK: "The revision in the spec was rolled back under live traffic, by its checks or by hand.",
    Reason.CHECK_FAILED: "A check of the new revision failed; the message names it.",
    Reason.NO_DATA: "The checks gave no result for the new revision within spec.release.progressDeadline.",
    Reason.ABORTED: "Somebody aborted the release; the message says who, and why.",
    Reason.PAUSED: "Somebody paused the release; it continues once it is resumed.",
    Reason.WAITING_FOR_DEPENDENCIES: "Something that the revision depends on is not available; the release waits, however long that takes.",
    Reason.MIGRATION_FAILED: "The migration of the new revision failed; none of its pods was started.",
    Reason.MIGRATION_NOT_UNDONE: "The migration of a release that ended early was not undone; the undo is not retried.",
    Reason.BACKUP_FAILED: "The backup that is taken before a release failed, or cannot be made. It is tried again; what served serves.",
    Reason.RESTORING: "A restore, or a rollback with data, replaces the data: the pods that use it are stopped until it has ended.",
    Reason.RESTORE_FAILED: "A restore has failed, and the pods stay stopped: repeat it, or abort it to start them on what is there.",
    Reason.ROLLBACK_FAILED: "A rollback brought the data back, and its target did not come to serve on it. All pods stay stopped; the "
    "message has the commands that go on.",
    Reason.SNAPSHOTS_FRESH: "Each backup has a good snapshot that is not older than its maxAge; the message says if a later run failed.",
    Reason.NO_SNAPSHOT: "A backup has no good snapshot yet; the message names it, why the last run failed, and the next command.",
    Reason.SNAPSHOT_OVERDUE: "The newest good snapshot of a backup is older than its maxAge; the message names it, and why.",
    Reason.VERIFICATION_FAILED: "The last verification of a backup failed; the message names it, what was found, and the next command.",
    Reason.VERIFICATION_OVERDUE: "No verification of a backup has succeeded since the one that its schedule should have made last.",
    Reason.BACKUP_IMAGE_MISSING: "The operator's settings name no image for backups, so that none can be made: set backup.image.",
    Reason.SELECTOR_CHANGED: "Somebody else changed the active Service during a release; traffic was switched back.",
}
