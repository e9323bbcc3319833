"""What the Jobs of backups, and their pods, say. Pods are a tenant's: what they report is taken as far as it can be so, and no further."""

import json
import math
import re
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any, Final

from hardened.api import names
from hardened.api.duration import duration_text
from hardened.core.desired.backup_pod import DUMP
from hardened.core.desired.restic_pod import FETCH, RUNNER
from hardened.core.model.manifest import ChildKey, Manifest, without_none
from hardened.core.model.run import Active, Failure, Outcome, Restoration, Run, Snapshot, Verification
from hardened.core.observe import diagnosis
from hardened.core.observe.presence import may_run
from hardened.core.observe.rollout import instant
from hardened.errors import ApiFailure

#: Characters of what others say.
_SAID_LIMIT: Final = 300
_MOST_BYTES: Final = 2**62
#: What a runner may report, see hardened.runner. Reasons of the operator's own go beside them.
RUNNER_REASONS: Final = frozenset({
    "RepositoryUnreachable", "WrongPassword", "RepositoryMissing", "RepositoryFull", "RepositoryLocked", "RepositoryFailed", "ScratchFull",
    "DumpFailed", "DumpEmpty", "DumpTooSmall", "ServerIsNewer", "UnreadableFiles", "Interrupted", "BadTask",
    "SnapshotUnknown", "SnapshotPending", "SnapshotDamaged", "AssertionFailed", "RestoreFailed",
})  # fmt: skip
#: What is left where nobody knows why: the pod is gone, or has said nothing.
LOST: Final = "Interrupted"
#: pg_dump's words.
_NEWER: Final = "server version mismatch"
#: A Job whose pod is not there after this time has none since something refuses it, unless its controller is busy.
UNMADE: Final = timedelta(seconds=15)
#: The first pod of a Job is made so soon; before another one is, that one has begun, and has ended.
_AT_ONCE: Final = timedelta(seconds=2)
#: How programs say that nobody answers, or that there is no such name: of PostgreSQL, Redis, restic, and Go.
_UNREACHED: Final = re.compile(
    r"timed out|timeout|refused|unreachable|no route to host|no such host|could not translate host name|name resolution|service not known",
    re.IGNORECASE,
)
#: As the Job controller calls it.
LATE: Final = "DeadlineExceeded"


def runs_of(ours: Collection[Manifest], children: Collection[Manifest], refused: Mapping[ChildKey, ApiFailure]) -> tuple[Run, ...]:
    """The runs of backups, and of their verifications, that are known, oldest first: Jobs of the service's own, and of its CronJobs.

    ours: those of the children that are the service's own; refused: see Observed.tried_runs. A Job of a CronJob belongs to us by two
    owners up: what belonged to one that was deleted counts no more.
    """
    mine = {live["metadata"]["uid"] for live in ours}
    schedules = {live["metadata"]["uid"] for live in ours if live["kind"] == "CronJob"}
    pods = [live for live in children if live["kind"] == "Pod"]
    found = []
    for job in (live for live in children if live["kind"] == "Job"):
        meta, labels = job["metadata"], job["metadata"].get("labels") or {}
        backup, work = labels.get(names.BACKUP_LABEL), str(labels.get(names.RUN_LABEL, ""))
        is_by_hand = meta["uid"] in mine
        if backup and work in _READ_BY and (is_by_hand or _controller(job) in schedules):
            own = [pod for pod in pods if _controller(pod) == meta["uid"]]
            outcome = _told(_READ_BY[work](job, own), own, refused)
            is_closed, begun = job["spec"].get("suspend") is True, [pod for pod in own if _has_begun(pod)]
            is_running = any(map(may_run, begun))
            run = Run(str(backup), meta["name"], meta["uid"], is_by_hand, outcome, work, bool(own), is_closed, bool(begun), is_running)
            found.append((_began(job), run))
    return tuple(run for _, run in sorted(found, key=lambda each: (each[0], each[1].job)))


def pods_to_try(runs: Iterable[Run], children: Mapping[ChildKey, Manifest], now: datetime) -> tuple[Manifest, ...]:
    """The pods of Jobs that have none after UNMADE: what refuses them tells it in an Event of the Job alone."""
    return tuple(
        _pod_of(children[ChildKey("Job", run.job)])
        for run in runs
        if run.lacks_pod and isinstance(run.outcome, Active) and now >= run.outcome.since + UNMADE
    )


def _has_begun(pod: Manifest) -> bool:
    """Whether a container of it has begun, or may have: one that waits says so."""
    status = pod.get("status") or {}
    known = [*(status.get("initContainerStatuses") or ()), *(status.get("containerStatuses") or ())]
    is_waiting = all("waiting" in (each.get("state") or {"waiting": {}}) and not each.get("lastState") for each in known)
    return status.get("phase", "Pending") != "Pending" or not is_waiting


def _pod_of(job: Manifest) -> Manifest:
    """As its controller would make it, but for the owner, who is not ours to name, and a name that tells whose it is."""
    meta, template = job["metadata"], job["spec"]["template"]
    own = {"name": meta["name"], "namespace": meta["namespace"], "labels": (template.get("metadata") or {}).get("labels") or {}}
    spec = {**template["spec"], "activeDeadlineSeconds": job["spec"].get("activeDeadlineSeconds")}
    return without_none(apiVersion="v1", kind="Pod", metadata=own, spec=spec)


def _told(found: Outcome, pods: Sequence[Manifest], refused: Mapping[ChildKey, ApiFailure]) -> Outcome:
    """With why its pod cannot be made, of a run that has none."""
    if not isinstance(found, Active) or pods:
        return found
    failure = refused.get(ChildKey("Pod", found.job))
    return replace(found, message=_plain(diagnosis.of_refused_pod("its pod", failure).message)) if failure else found


def _controller(live: Manifest) -> str:
    owners = live["metadata"].get("ownerReferences") or ()
    return next((str(owner.get("uid")) for owner in owners if owner.get("controller")), "")


def _began(job: Manifest) -> datetime:
    found = instant((job.get("status") or {}).get("startTime") or job["metadata"].get("creationTimestamp"))
    assert found, "the server gives each object one"
    return found


def _last(pods: Iterable[Manifest]) -> Manifest | None:
    """The one that took the place of those whose nodes were taken away."""
    return max(pods, key=lambda pod: str(pod["metadata"].get("creationTimestamp")), default=None)


def _outcome(job: Manifest, pods: Iterable[Manifest]) -> Snapshot | Failure | Active:
    """What the last pod says; else what the Job says."""
    last = _last(pods)
    said = _said_by(last) if last else None
    failed = _condition(job, "Failed") or _condition(job, "FailureTarget")
    # What was told to leave its node has failed by no fault of its own: another pod takes its place.
    if said and not (last and isinstance(said, Failure) and not failed and _is_disrupted(last)):
        return said
    if failed:
        return _failed(job, failed, last)
    complete = _condition(job, "Complete")
    # The two are heard of apart from each other: a pod that seems to run is about to say how it ended.
    if complete and ((last or {}).get("status") or {}).get("phase") != "Running":
        text = f"the pod of Job {job['metadata']['name']} is gone, or left no readable report: what came of it is unknown"
        return Failure(instant(complete.get("lastTransitionTime")) or _began(job), LOST, text)
    return Active(job["metadata"]["name"], _began(job), _waits_for(last))


def _made(job: Manifest, pods: Sequence[Manifest]) -> Snapshot | Failure | Active:
    """What came of a backup. Of a restore, who asked for it is told what to look at."""
    return _with_cause(_outcome(job, pods))


def _with_cause(found: Snapshot | Failure | Active) -> Snapshot | Failure | Active:
    """With what usually lies behind it where a pod reaches nobody: the operator makes no NetworkPolicy for such pods."""
    if isinstance(found, Failure) and found.reason in ("DumpFailed", "RepositoryUnreachable") and _UNREACHED.search(found.message):
        why = "if it answers others there, a NetworkPolicy keeps these pods from it, or from DNS: kubectl get networkpolicies"
        return replace(found, message=f"{found.message}; {why}")
    return found


def _verified(job: Manifest, pods: Sequence[Manifest]) -> Verification | Active:
    """What came of a verification. Its pod is read as that of a backup, whose snapshot is the one that was restored."""
    found, name = _with_cause(_outcome(job, pods)), str(job["metadata"]["name"])
    report, seconds, finished_at = _told_by(pods)
    snapshot = _snapshot_in(report, "snapshot")
    match found:
        case Active():
            return found
        case Snapshot():
            assert finished_at, "it was read"
            return Verification(name, finished_at, seconds, found.id, message=_plain(str(report.get("message") or "")))
        case Failure(at=at, reason=reason, message=message):
            return Verification(name, at, seconds, snapshot, reason, message)


def _restored(job: Manifest, pods: Sequence[Manifest]) -> Restoration | Active:
    """What came of a restore. Its pod is read as that of a backup, whose snapshot is the one that was restored."""
    found = _outcome(job, pods)
    report, seconds, finished_at = _told_by(pods)
    snapshot, before, made_at = _snapshot_in(report, "snapshot"), _snapshot_in(report, "before"), _moment(report.get("dumped_at"))
    # Where the pod before it had done all of it, it names no snapshot. The phase of the pod follows its container's end by a moment.
    if finished_at and report.get("result") == "Succeeded" and _runner_of(pods).get("exitCode") == 0:
        return Restoration(finished_at, seconds, snapshot, made_at, before, message=_plain(str(report.get("message") or "")))
    match found:
        case Active():
            return found
        case Snapshot():
            raise AssertionError("whatever names its snapshot has ended well")
        case Failure(at=at, reason=reason, message=message):
            is_unchanged = report.get("written") is False and _is_first(_last(pods), job)
            return Restoration(at, seconds, snapshot, made_at, before, reason, message, is_unchanged)


def _is_first(pod: Manifest | None, job: Manifest) -> bool:
    """Whether no other pod of the Job was at work before this one, whose node was taken away."""
    made_at = instant(pod["metadata"].get("creationTimestamp")) if pod else None
    return made_at is not None and made_at - _began(job) <= _AT_ONCE


def _told_by(pods: Sequence[Manifest]) -> tuple[Mapping[str, Any], int, datetime | None]:
    """What the last pod reports, empty where it does not; how many seconds it took, rounded up; and when it ended."""
    ended = _runner_of(pods)
    began, finished_at = instant(ended.get("startedAt")), instant(ended.get("finishedAt"))
    seconds = max(0, math.ceil((finished_at - began).total_seconds())) if began and finished_at else 0
    return _report(ended) or {}, seconds, finished_at


def _runner_of(pods: Sequence[Manifest]) -> Mapping[str, Any]:
    """How the runner of the last pod ended, empty where it has not."""
    last = _last(pods)
    return (last and _ended((last.get("status") or {}).get("containerStatuses"), RUNNER)) or {}


def _snapshot_in(report: Mapping[str, Any], name: str) -> str:
    return str(report.get(name)) if _is_snapshot(report.get(name)) else ""


def _moment(text: Any) -> datetime | None:
    try:
        found = instant(text) if isinstance(text, str) else None
    except ValueError:
        return None
    return found if found and found.tzinfo else None


#: By the label RUN_LABEL: who makes something of the Job, and its pods. A Job for something else is none of these runs.
_READ_BY: Final[Mapping[str, Callable[[Manifest, Sequence[Manifest]], Outcome]]] = {
    "": _made,
    names.VERIFY: _verified,
    names.RESTORE: _restored,
    names.FIND: _restored,
}


def _condition(job: Manifest, kind: str) -> Manifest | None:
    conditions = (job.get("status") or {}).get("conditions") or ()
    return next((c for c in conditions if c.get("type") == kind and c.get("status") == "True"), None)


def _failed(job: Manifest, condition: Manifest, pod: Manifest | None) -> Failure:
    at = instant(condition.get("lastTransitionTime")) or _began(job)
    if condition.get("reason") == LATE:
        seconds = int(job["spec"].get("activeDeadlineSeconds") or 0)
        seen = f"kubectl describe job {job['metadata']['name']} -n {job['metadata'].get('namespace', 'default')}"
        text = f"it had not ended after its deadline of {duration_text(timedelta(seconds=seconds))}; see {seen}"
        return Failure(at, LATE, text)
    status = (pod or {}).get("status") or {}
    why = status.get("message") or status.get("reason") or "its pod is gone, or left no readable report"
    reason = "ScratchFull" if "exceeds the" in str(status.get("message", "")) else LOST
    return Failure(at, reason, _plain(str(why)))


# ---- one pod


def _said_by(pod: Manifest) -> Snapshot | Failure | None:
    """None where it says nothing: it runs, was lost, or its end is the Job's to tell."""
    status = pod.get("status") or {}
    for name in (DUMP, FETCH):
        first = _ended(status.get("initContainerStatuses"), name)
        if first and first.get("exitCode"):
            return _first_failed(pod, name, first)
    dump = _ended(status.get("initContainerStatuses"), DUMP)
    ended = _ended(status.get("containerStatuses"), RUNNER)
    if ended is None:
        return None
    finished_at = instant(ended.get("finishedAt"))
    report = _report(ended)
    if finished_at is None or report is None:
        return _without_report(pod, RUNNER, ended) if finished_at and ended.get("exitCode") else None
    if report.get("result") != "Succeeded":
        return _reported(report, finished_at)
    snapshot, began = report.get("snapshot"), instant((dump or ended).get("startedAt"))
    if ended.get("exitCode") != 0 or not _is_snapshot(snapshot) or began is None:
        return Failure(finished_at, LOST, "the report names no snapshot")
    seconds = max(0, math.ceil((finished_at - began).total_seconds()))
    return Snapshot(str(snapshot), began, _whole(report.get("bytes")), seconds, _beside(report))


def _ended(statuses: Any, name: str) -> Mapping[str, Any] | None:
    found: Manifest = next((each for each in statuses or () if each.get("name") == name), {})
    ended = (found.get("state") or {}).get("terminated")
    return ended if isinstance(ended, Mapping) else None


def _first_failed(pod: Manifest, name: str, ended: Mapping[str, Any]) -> Failure | None:
    finished_at = instant(ended.get("finishedAt"))
    if finished_at is None:
        return None
    report = _report(ended)
    if report and report.get("result") == "Failed":
        return _reported(report, finished_at)
    return _without_report(pod, name, ended)


def _without_report(pod: Manifest, container: str, ended: Mapping[str, Any]) -> Failure:
    """How a container ended that is not ours, or was killed."""
    finished_at = instant(ended.get("finishedAt"))
    assert finished_at, "it was looked for"
    is_readable = _is_readable(pod, container) or ended.get("reason") in diagnosis.NEVER_RAN
    said = _plain(str(ended.get("message") or "")) if is_readable else ""
    how = f"container {container} ended with exit code {ended.get('exitCode', '?')} ({ended.get('reason', 'Error')})"
    logs = f"see {diagnosis.logs_command(pod)} -c {container}"
    of_dump = "ServerIsNewer" if _NEWER in said else "DumpFailed"
    reason = of_dump if container == DUMP else LOST
    return Failure(finished_at, reason, f"{how}: {said}" if said else f"{how}; {logs}")


def _is_disrupted(pod: Manifest) -> bool:
    conditions = (pod.get("status") or {}).get("conditions") or ()
    return any(c.get("type") == "DisruptionTarget" and c.get("status") == "True" for c in conditions)


def _is_readable(pod: Manifest, container: str) -> bool:
    """Whether what a container says is that of a known program: what the application's own command prints may hold what is secret."""
    spec = pod.get("spec") or {}
    found: Manifest = next(
        (c for c in (*(spec.get("initContainers") or ()), *(spec.get("containers") or ())) if c["name"] == container), {}
    )
    return bool(found.get("terminationMessagePolicy") == "FallbackToLogsOnError")


def _report(ended: Mapping[str, Any]) -> Mapping[str, Any] | None:
    try:
        found = json.loads(str(ended.get("message") or ""))
    except (ValueError, RecursionError):
        return None
    return found if isinstance(found, Mapping) and isinstance(found.get("result"), str) else None


def _reported(report: Mapping[str, Any], at: datetime) -> Failure:
    reason = report.get("reason")
    return Failure(at, str(reason) if reason in RUNNER_REASONS else LOST, _plain(str(report.get("message") or "it does not say why")))


def _beside(report: Mapping[str, Any]) -> str:
    """What went wrong after the snapshot was stored."""
    steps = {
        "old snapshots are not forgotten": report.get("forget"),
        "the repository is not pruned": report.get("prune"),
        "the database of before a restore is not dropped": report.get("drop"),
    }
    failed = {words: step for words, step in steps.items() if isinstance(step, Mapping) and step.get("result") == "Failed"}
    return _plain("; ".join(f"{words}: {step.get('reason')}: {step.get('message')}" for words, step in failed.items()))


def _is_snapshot(value: Any) -> bool:
    return isinstance(value, str) and len(value) == 64 and set(value) <= set("0123456789abcdef")


def _whole(value: Any) -> int:
    return value if type(value) is int and 0 <= value < _MOST_BYTES else 0


def _plain(text: str) -> str:
    return " ".join("".join(c if c.isprintable() else " " for c in text[: 4 * _SAID_LIMIT]).split())[:_SAID_LIMIT]


def _waits_for(pod: Manifest | None) -> str:
    gates = ((pod or {}).get("spec") or {}).get("schedulingGates") or ()
    if pod and any(gate.get("name") == names.HOLD_GATE for gate in gates):
        meta, job = pod["metadata"], (pod["metadata"].get("labels") or {}).get("batch.kubernetes.io/job-name", "NAME")
        text = "it was made by hand while a restore replaced the data, and never begins"
        return f"{text}: kubectl delete job {job} -n {meta.get('namespace', 'default')}"
    cause = diagnosis.of_pods([pod]) if pod and (pod.get("status") or {}).get("phase") == "Pending" else None
    return cause.message if cause and not cause.believed_after else ""
