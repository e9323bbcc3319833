"""What `explain` says of a condition's reason by itself, and the command that goes on from it for one service."""

from collections.abc import Mapping
from difflib import get_close_matches

from hardenctl.output.outcome import CommandEnd, usage
from hardenctl.output.program import PROG
from hardened.core.model.reasons import MEANING, Reason
from hardened.core.model.remedies import REMEDY

_LOGS = "{prog} logs {name} -n {namespace}{of_revision}{of_container} --tail 50"
_POD = "kubectl describe pod {pod} -n {namespace}"
_PODS = "{prog} tree {name} -n {namespace}"
_EVENTS = "{prog} events {name} -n {namespace}{for_revision}"
_STATUS = "{prog} status {name} -n {namespace}"
_WATCH = "{prog} status {name} -n {namespace} -w"
_EDIT = "kubectl edit hardenedservice {name} -n {namespace}"
_BACKUPS = "{prog} backup list {name} -n {namespace} -o wide"

#: By reason, what to type next; every one of them can be pasted as it is.
COMMANDS: Mapping[Reason, str] = {
    Reason.HEALTHY: _STATUS,
    Reason.ROLLING_OUT: _WATCH,
    Reason.PROGRESS_DEADLINE_EXCEEDED: _LOGS,
    Reason.SCALED_TO_ZERO: "kubectl scale hardenedservice {name} -n {namespace} --replicas=2",
    Reason.NO_PODS_AVAILABLE: _PODS,
    Reason.PODS_AVAILABLE: _STATUS,
    Reason.SUSPENDED: "{prog} unsuspend {name} -n {namespace}",
    Reason.INVALID_SPEC: _EDIT,
    Reason.NOT_OWNED: "kubectl get all -n {namespace} -l hardened.dev/service!={name}",
    Reason.NAME_TAKEN: "kubectl get hardenedservices -n {namespace}",
    Reason.SERVICE_FIXED: _EDIT,
    Reason.WAITING_FOR_GARBAGE_COLLECTION: "kubectl get all -n {namespace} -l hardened.dev/service={name}",
    Reason.APPLY_REFUSED: _EVENTS,
    Reason.FORBIDDEN: "{prog} check -n {namespace}",
    Reason.QUOTA_EXCEEDED: "kubectl describe quota -n {namespace}",
    Reason.NAMESPACE_TERMINATING: "kubectl get namespace {namespace} -o yaml",
    Reason.POD_SECURITY: "kubectl get namespace {namespace} --show-labels",
    Reason.PODS_REFUSED: _EVENTS,
    Reason.IMAGE_PULL_FAILED: _POD,
    Reason.INVALID_IMAGE: _POD,
    Reason.CONFIG_MISSING: _POD,
    Reason.CRASH_LOOPING: f"{_LOGS}{{previous}}",
    Reason.UNSCHEDULABLE: _POD,
    Reason.NOT_READY: _LOGS,
    Reason.IN_STEP: _STATUS,
    Reason.CLAIM_DELETING: "kubectl get persistentvolumeclaims -n {namespace} -l hardened.dev/service={name}",
    Reason.REVISION_MISSING: "{prog} history {name} -n {namespace}",
    Reason.REVISION_FORGED: "{prog} history {name} -n {namespace}",
    Reason.FOREIGN_ENDPOINTS: "kubectl get endpointslices -n {namespace} -l kubernetes.io/service-name={name}",
    Reason.FOREIGN_PODS: "kubectl get pods -n {namespace} -l hardened.dev/service={name} --show-labels",
    Reason.FORMER_PODS: _STATUS,
    Reason.DATA_IN_USE: _STATUS,
    Reason.CONTESTED: "kubectl get mutatingwebhookconfigurations",
    Reason.NO_GAPS: _STATUS,
    Reason.GAPS: _EDIT,
    Reason.CRD_MISMATCH: "{prog} version",
    Reason.REJECTED: _EVENTS,
    Reason.ROLLED_BACK: _EVENTS,
    Reason.CHECK_FAILED: _EVENTS,
    Reason.NO_DATA: _EVENTS,
    Reason.SELECTOR_CHANGED: _EVENTS,
    Reason.ABORTED: _EVENTS,
    Reason.PAUSED: "{prog} resume {name} -n {namespace}",
    Reason.WAITING_FOR_DEPENDENCIES: "kubectl get hardenedservices -n {namespace}",
    Reason.MIGRATION_FAILED: _EVENTS,
    Reason.MIGRATION_NOT_UNDONE: _EVENTS,
    Reason.BACKUP_FAILED: _BACKUPS,
    Reason.RESTORING: _WATCH,
    Reason.RESTORE_FAILED: _BACKUPS,
    Reason.ROLLBACK_FAILED: "{prog} history {name} -n {namespace}",
    Reason.SNAPSHOTS_FRESH: _BACKUPS,
    Reason.NO_SNAPSHOT: _BACKUPS,
    Reason.SNAPSHOT_OVERDUE: _BACKUPS,
    Reason.VERIFICATION_FAILED: _BACKUPS,
    Reason.VERIFICATION_OVERDUE: _BACKUPS,
    Reason.BACKUP_IMAGE_MISSING: "{prog} check",
}


def is_reason(word: str) -> bool:
    """A reason begins with a capital letter; no service's name does."""
    return word[:1].isupper()


def reason_named(word: str) -> Reason:
    """The reason of that name. Raises CommandEnd (usage) with what could have been meant."""
    try:
        return Reason(word)
    except ValueError:
        raise _unknown(word) from None


def _unknown(word: str) -> CommandEnd:
    close = get_close_matches(word, list(Reason), 3, 0.5)
    hint = f"did you mean {' or '.join(close)}?" if close else "docs/reference.md lists them all, under Condition reasons"
    return usage(f"{word} is not a reason of a condition", hint)


def command_of(
    reason: str,
    *,
    name: str,
    namespace: str,
    revision: str = "",
    pod: str = "",
    container: str = "",
    has_pods: bool = True,
    has_ended: bool = False,
    has_logs: bool = True,
) -> str:
    """What to type next about a reason; "" for a reason that this program does not know.

    revision, pod: those that show it, "" for none; container: of that pod, "" for the application's; has_pods: there are pods of that
    revision; has_ended: the container has previous logs; has_logs: it has run at all.
    """
    if reason not in set(Reason):
        return ""
    template = COMMANDS[Reason(reason)]
    if template.startswith(_LOGS) and not has_logs:
        template = _POD
    if (template is _POD and not pod) or (template.startswith(_LOGS) and not has_pods):
        template = _EVENTS
    return template.format(
        prog=PROG,
        name=name,
        namespace=namespace,
        pod=pod,
        of_revision=f" --revision {revision}" if revision else "",
        of_container=f" -c {container}" if container else "",
        for_revision=f" --for={revision}" if revision else "",
        previous=" --previous" if has_ended else "",
    )


def page(reason: Reason) -> dict[str, str]:
    """What there is to say of a reason, by title."""
    remedy = REMEDY[reason]
    command = command_of(reason, name="NAME", namespace="NAMESPACE", pod="POD", has_ended=True)
    return {"meaning": MEANING[reason], "cause": remedy.cause, "fix": remedy.fix, "command": command}
