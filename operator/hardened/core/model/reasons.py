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


MEANING: dict[Reason, str] = {
    Reason.HEALTHY: "What runs is what the spec says, and all of it is available.",
    Reason.ROLLING_OUT: "Pods of the wanted revision are on their way.",
    Reason.PROGRESS_DEADLINE_EXCEEDED: "The rollout has stood still for ten minutes.",
    Reason.SCALED_TO_ZERO: "No pod is wanted.",
    Reason.NO_PODS_AVAILABLE: "No pod can take a request.",
    Reason.PODS_AVAILABLE: "At least one pod can take requests.",
    Reason.SUSPENDED: "spec.suspend is true: nothing is changed.",
    Reason.INVALID_SPEC: "A field is wrong; the message names it. What ran before keeps running.",
    Reason.NOT_OWNED: "An object with the name of a child belongs to somebody else, and is not touched.",
    Reason.NAME_TAKEN: "Another HardenedService wants a Service of the same name; the message names it. What serves goes on serving.",
    Reason.SERVICE_FIXED: "The spec asks for a headless Service, or no longer for one, and the API server never changes that; the message "
    "says what to do.",
    Reason.WAITING_FOR_GARBAGE_COLLECTION: "Children of a deleted service of the same name are still there.",
    Reason.APPLY_REFUSED: "The API server refused a child as invalid, or cannot take it, as where a webhook is down.",
    Reason.FORBIDDEN: "The operator, or a policy of the cluster, does not allow a write.",
    Reason.QUOTA_EXCEEDED: "A ResourceQuota of the namespace has no room for what is to be made.",
    Reason.NAMESPACE_TERMINATING: "The namespace is being deleted.",
    Reason.POD_SECURITY: "The namespace's pod security level refuses the pods.",
    Reason.PODS_REFUSED: "The API server refuses the pods.",
    Reason.IMAGE_PULL_FAILED: "A node cannot pull an image.",
    Reason.INVALID_IMAGE: "An image cannot be used: a bad name, or it runs as root.",
    Reason.CONFIG_MISSING: "A Secret, ConfigMap or key that the pods refer to is not there.",
    Reason.CRASH_LOOPING: "A container ends again and again.",
    Reason.UNSCHEDULABLE: "No node can take a pod.",
    Reason.NOT_READY: "Pods do not become ready, or their volumes are not mounted.",
    Reason.IN_STEP: "Everything of the service is as it should be.",
    Reason.CLAIM_DELETING: "Somebody deleted a claim that pods still mount.",
    Reason.REVISION_MISSING: "Stored revisions were deleted; it is no longer possible to go back to them.",
    Reason.REVISION_FORGED: "A stored revision is not as the operator stores it; nothing of it is used, and what serves stays as it is.",
    Reason.FOREIGN_ENDPOINTS: "Another controller, or somebody, has added endpoints to the Service of clients; no release waits for them. "
    "Only EndpointSlices with the label app.kubernetes.io/managed-by: hardened are seen, such as those that copy the Service's labels.",
    Reason.FOREIGN_PODS: "A pod carries the labels of the service's pods, and is none of them; no release goes by it. "
    "Pods are looked at during a release, and while some of the service's own are late.",
    Reason.CONTESTED: "A field does not stay as the operator writes it: something on the cluster changes it at once.",
    Reason.NO_GAPS: "Every hardening check passes.",
    Reason.GAPS: "Some hardening is left to be done by the team; the message lists it.",
    Reason.CRD_MISMATCH: "The CRD on the cluster is not the one that this operator was built with.",
    Reason.REJECTED: "The revision that the spec asks for did not pass its checks; what served before still does.",
    Reason.ROLLED_BACK: "The revision that the spec asks for was taken back from live traffic, by its checks or by hand.",
    Reason.CHECK_FAILED: "A check of the new revision failed; the message names it.",
    Reason.NO_DATA: "Nobody could say how the new revision does, within its deadline.",
    Reason.ABORTED: "Somebody ended the release by hand; the message says who, and why.",
    Reason.PAUSED: "Somebody holds the release; it goes on once it is resumed.",
    Reason.WAITING_FOR_DEPENDENCIES: "What the revision depends on is not there; it is waited for, however long that takes.",
    Reason.MIGRATION_FAILED: "The migration of the new revision failed; no pod of it was started.",
    Reason.MIGRATION_NOT_UNDONE: "The migration of a release that ended before its time was not undone; it is not tried again.",
    Reason.SELECTOR_CHANGED: "Somebody else changed the switch Service in the middle of a release; it was led back.",
}
