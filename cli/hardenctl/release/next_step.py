"""The next command to type, for each way that something can be."""

import re
import shlex
from collections.abc import Mapping, Sequence
from typing import Any

from hardenctl.output.outcome import ResultWord
from hardenctl.output.program import PROG
from hardenctl.release.hold import SHORT, hold_of
from hardenctl.release.origin import origin_of, origin_of_edit
from hardenctl.release.recovery_point import LATEST
from hardenctl.release.verdict import ServiceVerdict, is_paused, is_seen, status, verdict_of
from hardened.api import names
from hardened.api.steps import Step
from hardened.core.model.reasons import Reason

#: Stand for the way that a change of this service stays: see origin. An edit is one that no image alone makes.
_CHANGE, _EDIT = "change", "edit"
#: What `explain` finds is more: which pod it is, and whether that has logs to show.
_WHY = "{prog} explain {name} -n {namespace}"
_DESCRIBED = "kubectl describe pods -n {namespace} -l {label}={name}{of_revision}"
_BY_REASON = {
    Reason.IMAGE_PULL_FAILED: _CHANGE,
    Reason.INVALID_IMAGE: _CHANGE,
    Reason.INVALID_SPEC: _EDIT,
    Reason.QUOTA_EXCEEDED: "kubectl describe quota -n {namespace}",
    Reason.UNSCHEDULABLE: _DESCRIBED,
    Reason.CONFIG_MISSING: _DESCRIBED,
    Reason.FORBIDDEN: "{prog} check -n {namespace}",
    Reason.APPLY_REFUSED: "{prog} status {name} -n {namespace} -o yaml",
    Reason.NOT_OWNED: "kubectl get all -n {namespace} -l {label}!={name}",
    Reason.NAME_TAKEN: "kubectl get {plural} -n {namespace}",
    Reason.SERVICE_FIXED: _EDIT,
    # Nothing serves: else its result says so. Its pods are gone.
    Reason.REJECTED: _CHANGE,
    Reason.ROLLED_BACK: _CHANGE,
}


#: What a release waits for that does not come by itself, as a rule.
_WAITS_FOR: Mapping[str, str] = {
    Reason.QUOTA_EXCEEDED: _BY_REASON[Reason.QUOTA_EXCEEDED],
    Reason.UNSCHEDULABLE: _DESCRIBED,
    Reason.CONFIG_MISSING: "kubectl get configmaps -n {namespace}",
    Reason.WAITING_FOR_DEPENDENCIES: "kubectl get {plural} -n {namespace}",
}


#: The words of the operator for an object of somebody else that has the name of a child.
_STRANGER = re.compile(r"\b([A-Z][A-Za-z]+) (\S+) already exists and does not belong to this service")


def of_stranger(message: str, namespace: str) -> str:
    """What shows the object that is in the way, "" where the message names none. Example: "kubectl describe service web -n shop"."""
    found = _STRANGER.search(message)
    return f"kubectl describe {found[1].lower()} {found[2]} -n {namespace}" if found else ""


def deploying(files: Sequence[str], name: str, namespace: str, cluster_flags: str = "") -> str:
    """What deploys these files, or the service of that name in them. namespace: as it was given, "" where it was not."""
    words = [PROG, "deploy", *(f"-f {shlex.quote(file)}" for file in files), *filter(None, [name])]
    return " ".join([*words, *([f"-n {shlex.quote(namespace)}"] if namespace else [])]) + cluster_flags


def after(verdict: ServiceVerdict, live: Mapping[str, Any], cluster_flags: str = "") -> str:
    """What to type next, "" when nothing is to be done. cluster_flags: ` --context x` where one was given."""
    meta = live["metadata"]
    words = {"namespace": meta.get("namespace", ""), "name": meta["name"], "label": names.SERVICE_LABEL, "prog": PROG}
    # What serves beside it is not at fault.
    coming = (status(live).get("release") or {}).get("revision")
    words["of_revision"] = f",{names.REVISION_LABEL}={coming}" if coming else ""
    words |= {"singular": names.SINGULAR, "plural": names.PLURAL}
    hold = hold_of(live)
    words |= {"backup": hold.backup, "snapshot": hold.snapshot[:SHORT], "revision": hold.revision, "leader": hold.service} if hold else {}
    template = _template(verdict, live)
    if template in (_CHANGE, _EDIT):
        origin = origin_of(live)
        is_edited = template == _EDIT and origin.is_ours
        return origin_of_edit(live).command + cluster_flags if is_edited else origin.command + origin.flags(cluster_flags)
    return template.format(**words) + cluster_flags if template else ""


def unpinning(live: Mapping[str, Any], cluster_flags: str = "") -> str:
    """What releases a version again that was rejected, and what does not, in one line."""
    meta = live["metadata"]
    again = f"{PROG} retry {meta['name']} -n {meta['namespace']}{cluster_flags}"
    never = "the same spec applied again, labels and replicas release nothing"
    return f"{origin_of(live).how}; {never}; if the version was not the cause: {again}"


def _template(verdict: ServiceVerdict, live: Mapping[str, Any]) -> str:
    hold = hold_of(live)
    if hold and hold.service:
        return "{prog} status {leader} -n {namespace}"
    if hold and hold.has_failed and hold.revision:
        return "{prog} rollback {name} -n {namespace} --with-data --to-revision {revision}"
    if hold and hold.has_failed and hold.backup and hold.snapshot:
        if hold.backup not in {each.get("name") for each in live["spec"].get("backups") or ()}:
            return "kubectl edit {singular} {name} -n {namespace}"
        # Whoever named a snapshot that there is none of did not mean to repeat that.
        wanted = LATEST if "SnapshotUnknown" in hold.message else "{snapshot}"
        return "{prog} restore {name} -n {namespace} --backup {backup} --snapshot " + wanted
    match verdict.result:
        case ResultWord.HEALTHY | ResultWord.DELETED:
            return ""
        case ResultWord.TIMED_OUT:
            return _template(verdict_of(live), live) if is_seen(live) else "{prog} check -n {namespace}"
        case ResultWord.SUPERSEDED:
            return "{prog} history {name} -n {namespace}"
        case ResultWord.PENDING:
            return "{prog} check -n {namespace}" if not status(live).get("conditions") else "{prog} status {name} -n {namespace} -w"
        case ResultWord.PROGRESSING:
            return _WAITS_FOR.get(verdict.reason, "{prog} status {name} -n {namespace} -w")
        case ResultWord.PAUSED:
            return "{prog} resume {name} -n {namespace}" if is_paused(live) else "{prog} promote {name} -n {namespace}"
        case ResultWord.REJECTED | ResultWord.ROLLED_BACK:
            return _CHANGE
        case ResultWord.SUSPENDED:
            return "{prog} unsuspend {name} -n {namespace}"
    if verdict.reason == Reason.CONFIG_MISSING and (status(live).get("release") or {}).get("step") == Step.PREFLIGHT:
        return "kubectl get configmaps -n {namespace}"  # there is no pod yet
    if verdict.reason == Reason.NOT_OWNED and (stranger := of_stranger(verdict.message, "{namespace}")):
        return stranger
    try:
        return _BY_REASON.get(Reason(verdict.reason), _WHY)
    except ValueError:
        return _WHY
