"""What usually lies behind a condition's reason, and what to do about it. `hardenctl explain` and the reference page are made from it."""

from typing import NamedTuple

from hardened.core.model.reasons import Reason


class Remedy(NamedTuple):
    """For people: whole sentences."""

    cause: str
    """What usually lies behind it."""
    fix: str
    """What to do."""


_FINE = "Nothing is wrong."
_NOTHING = "Nothing is to be done."

REMEDY: dict[Reason, Remedy] = {
    Reason.HEALTHY: Remedy(_FINE, _NOTHING),
    Reason.ROLLING_OUT: Remedy(
        "A release is at work, or pods are being added or replaced.",
        "Wait for its end. If it takes long, look at the pods of the new revision.",
    ),
    Reason.PROGRESS_DEADLINE_EXCEEDED: Remedy(
        "Pods start but do not become ready, and show no fault of their own.",
        "Look at the logs and Events of the pods; then change the spec.",
    ),
    Reason.SCALED_TO_ZERO: Remedy("spec.replicas is 0.", "Scale up to serve."),
    Reason.NO_PODS_AVAILABLE: Remedy(
        "No pod is ready: they are starting, crash, or cannot be scheduled. The reason of Ready says which.",
        "Follow the reason of the condition Ready.",
    ),
    Reason.PODS_AVAILABLE: Remedy(_FINE, _NOTHING),
    Reason.SUSPENDED: Remedy(
        "Somebody set spec.suspend, or spec.suspendUntil.",
        "Run `hardenctl unsuspend` when the service may change again, or wait until the moment that is named.",
    ),
    Reason.INVALID_SPEC: Remedy(
        "A field was let in by a CRD that is newer or older than the operator, or is wrong only together with another.",
        "Change the field that the message names, at the source of the service: Git, the chart or the file.",
    ),
    Reason.NOT_OWNED: Remedy(
        "An object of the same name was there before the service.",
        "Have a Service taken over, with the command of the message. Rename or delete any other object, or give the service another name.",
    ),
    Reason.NAME_TAKEN: Remedy(
        "The name of a service with -preview at its end is also the name of the preview Service of another.",
        "Rename one of the two services.",
    ),
    Reason.SERVICE_FIXED: Remedy(
        "spec.service was changed to or from headless, and a Service's clusterIP cannot be changed.",
        "Set the field back, or do what the message says; to recreate the Service interrupts its clients.",
    ),
    Reason.WAITING_FOR_GARBAGE_COLLECTION: Remedy(
        "A service of this name was deleted a moment ago, and the garbage collector is not done.",
        "Wait. If it takes longer than some minutes, look for a finalizer on the children that are left.",
    ),
    Reason.APPLY_REFUSED: Remedy(
        "A field is not allowed by the API server, a claim cannot be changed, or an admission webhook or policy refuses the object.",
        "Change what the message names, or repair the webhook.",
    ),
    Reason.FORBIDDEN: Remedy(
        "The operator's ClusterRole is older than the operator, or a policy of the cluster refuses the write.",
        "Upgrade the operator by its chart, which brings its rights, or adapt the policy that the message names.",
    ),
    Reason.QUOTA_EXCEEDED: Remedy(
        "Pods, CPU or memory of a ResourceQuota are used up. During a release two stacks run side by side.",
        "Raise the ResourceQuota, free some of it, or request less in spec.resources.",
    ),
    Reason.NAMESPACE_TERMINATING: Remedy(
        "Somebody deleted the namespace.", "Nothing can be created in it again. Deploy to another namespace, or wait until it is gone."
    ),
    Reason.POD_SECURITY: Remedy(
        "The namespace enforces a pod security level that the pods do not meet.",
        "Use spec.security.profile restricted, or lower the level of the namespace.",
    ),
    Reason.PODS_REFUSED: Remedy(
        "A LimitRange, an admission webhook or a policy of the cluster refuses the pods.",
        "Change what the message names: the spec, the LimitRange or the policy.",
    ),
    Reason.IMAGE_PULL_FAILED: Remedy(
        "The image does not exist, its tag is mistyped, or the registry refuses the node's credentials or cannot be reached.",
        "Correct spec.image, or add imagePullSecrets; a registry that was away is tried again by itself.",
    ),
    Reason.INVALID_IMAGE: Remedy(
        "The image's name cannot be parsed, or the image runs as root or as a user without a number.",
        "Correct spec.image, set spec.security.runAsUser, or set USER in the image to a number.",
    ),
    Reason.CONFIG_MISSING: Remedy(
        "The spec refers to a Secret, a ConfigMap or a key that is not in the namespace.",
        "Create it, or correct the name in the spec. The pods start by themselves once it is there.",
    ),
    Reason.CRASH_LOOPING: Remedy(
        "The program ends by itself: a missing setting, a dependency that it cannot reach, too little memory (OOMKilled, exit code 137), "
        "or a liveness probe that fails.",
        "Read the logs of the container that ended, and correct the program or the spec.",
    ),
    Reason.UNSCHEDULABLE: Remedy(
        "The nodes have too little free CPU or memory, do not match spec.scheduling, or a claim has no volume.",
        "Add nodes, request less in spec.resources, or change spec.scheduling.",
    ),
    Reason.NOT_READY: Remedy(
        "The readiness probe fails: nothing listens on the port, or the path answers with an error. Or a volume is not mounted: a Secret, "
        "ConfigMap or claim is missing.",
        "Look at the logs and Events of the pod; correct spec.probes, spec.ports or the program.",
    ),
    Reason.IN_STEP: Remedy(_FINE, _NOTHING),
    Reason.CLAIM_DELETING: Remedy(
        "Somebody deleted a PersistentVolumeClaim; the data goes when the last pod that mounts it ends.",
        "Copy the data now; the deletion of a claim cannot be taken back.",
    ),
    Reason.REVISION_MISSING: Remedy(
        "Somebody deleted ControllerRevisions of the service.", "Nothing brings them back. Deploy the version that you need again."
    ),
    Reason.REVISION_FORGED: Remedy(
        "Somebody changed a ControllerRevision of the service.",
        "Find out who changed it, then delete that ControllerRevision as the message says.",
    ),
    Reason.FOREIGN_ENDPOINTS: Remedy(
        "Somebody made an EndpointSlice for the service's own Service, so that clients are also led elsewhere.",
        "Delete the EndpointSlice that the message names.",
    ),
    Reason.FOREIGN_PODS: Remedy(
        "A pod was made by hand, or by another controller, with the labels of the service's pods.",
        "Delete the pod that the message names, or remove its labels.",
    ),
    Reason.FORMER_PODS: Remedy(
        "The workload that served before the takeover is not the operator's, which leaves it as it is.",
        "Scale it down with the command of the message, once nothing else uses its pods; then delete it.",
    ),
    Reason.DATA_IN_USE: Remedy(
        "A pod that the operator does not stop mounts the claim, or somebody removed the scheduling gate of a pod that is held back.",
        "Delete the pod that the message names, or what makes it. If it has written, repeat the restore once it has ended.",
    ),
    Reason.CONTESTED: Remedy(
        "A mutating webhook, a policy or another controller writes the same field.",
        "Exempt the service's objects from it, or stop the other controller.",
    ),
    Reason.NO_GAPS: Remedy(_FINE, _NOTHING),
    Reason.GAPS: Remedy(
        "The spec leaves a default in place that only the team can better: probes, resources, replicas.",
        "Set what the message lists. Nothing waits for it.",
    ),
    Reason.CRD_MISMATCH: Remedy(
        "The operator was upgraded without its CRDs, or the other way round.", "Upgrade both together, by the operator's chart."
    ),
    Reason.REJECTED: Remedy(
        "A check failed, or the pods did not become ready in time; the message names the cause. It stays rejected until it changes.",
        "Deploy a version that mends the cause. If the version was not the cause, retry it.",
    ),
    Reason.ROLLED_BACK: Remedy(
        "A check failed under live traffic, pods restarted or became unready, or somebody rolled it back.",
        "Deploy a version that mends the cause. If the version was not the cause, retry it.",
    ),
    Reason.CHECK_FAILED: Remedy(
        "The new revision answered a check otherwise than spec.verify expects.",
        "Correct the version, or the check in spec.verify.",
    ),
    Reason.NO_DATA: Remedy(
        "The pods of the checks could not be made or did not reach the service, or Prometheus gave no number.",
        "Look at the Events of the service, then retry the version.",
    ),
    Reason.SELECTOR_CHANGED: Remedy(
        "Somebody, or another controller, wrote the selector of the active Service during the release.",
        "Find out who wrote it, from its managed fields; then retry the version.",
    ),
    Reason.ABORTED: Remedy("Somebody ended the release by hand.", "Deploy another version, or retry this one."),
    Reason.PAUSED: Remedy("Somebody paused the release by hand.", "Resume it, or abort it."),
    Reason.WAITING_FOR_DEPENDENCIES: Remedy(
        "A service of spec.dependsOn is not available, or a host and port of it does not answer.",
        "Look at what the message names. The release goes on by itself once that is available.",
    ),
    Reason.MIGRATION_FAILED: Remedy(
        "The command of spec.release.migrate ended with an error, or passed its deadline.",
        "Read the message, correct the migration, and deploy it.",
    ),
    Reason.MIGRATION_NOT_UNDONE: Remedy(
        "The command of spec.release.migrate.undo failed.",
        "Repair the data by hand, then change the spec or retry the version.",
    ),
    Reason.BACKUP_FAILED: Remedy(
        "The repository or the source of the backup that spec.release.backupFirst names cannot be reached, or its pod cannot be made.",
        "Follow what the message names; it is tried again by itself. Or remove backupFirst to release without a backup.",
    ),
    Reason.RESTORING: Remedy("Somebody asked for a restore, or for a rollback with data.", "Wait for its end."),
    Reason.RESTORE_FAILED: Remedy(
        "The restore ended with an error; the message says what was found.",
        "Repeat the restore, or abort it to start the pods on the data that is there. The message has both commands.",
    ),
    Reason.ROLLBACK_FAILED: Remedy(
        "No pod of the target was ready on the restored data within spec.release.progressDeadline, or its cutover did not end.",
        "Repeat the rollback, also to another revision, or restore what was there. The message has the commands.",
    ),
    Reason.SNAPSHOTS_FRESH: Remedy(_FINE, _NOTHING),
    Reason.NO_SNAPSHOT: Remedy("No run of the backup has succeeded yet.", "Make a backup now, and look at why the last run failed."),
    Reason.SNAPSHOT_OVERDUE: Remedy(
        "The last runs of the backup failed, its schedule is suspended, or its CronJob does not run.",
        "Make a backup now, and look at why the last run failed.",
    ),
    Reason.VERIFICATION_FAILED: Remedy(
        "A snapshot could not be restored, or what was restored is not as spec.backups[].verify demands.",
        "Make a new backup and verify it; keep the older snapshots until then.",
    ),
    Reason.VERIFICATION_OVERDUE: Remedy(
        "The scheduled verifications of a backup did not run, or did not end.", "Verify the backup now, and look at what comes of it."
    ),
    Reason.BACKUP_IMAGE_MISSING: Remedy(
        "The operator was installed without the image for backups.", "Set backup.image in the values of the operator's chart."
    ),
}
