"""Restores: when one may begin, when its Jobs are made, and what came of it.

Of one that replaces what is there, a Job looks the snapshot up first, see core.actions.seeking. Then it has a hold, see core.hold: the Job
that restores is made once nobody uses the data any more. Otherwise as a backup. The restore of a rollback with data is one of these, too:
its entry goes on once the data is back.
"""

from collections.abc import Iterable, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from typing import Final

from hardened.api import names
from hardened.api.backup import Backup
from hardened.core.actions import backups
from hardened.core.actions.at_work import said_of
from hardened.core.actions.log import MESSAGE_LIMIT, LogEntry
from hardened.core.actions.seeking import RESTORE as RESTORE
from hardened.core.actions.seeking import is_found, is_restore, sought
from hardened.core.desired.restore_pod import Restoring
from hardened.core.desired.template import claim_name
from hardened.core.model.conditions import timestamp
from hardened.core.model.hold import Hold, HoldPhase, hold_written
from hardened.core.model.kit import BackupKit
from hardened.core.model.manifest import ChildKey, canonical
from hardened.core.model.run import Active, Restoration, Run
from hardened.core.observe.facts import Facts
from hardened.core.observe.presence import is_deleting
from hardened.core.observe.rollout import instant
from hardened.core.runs.backups import HandRun, hand_job_key
from hardened.core.runs.judgement import SHORT_ID
from hardened.errors import TryAgain
from hardened.failures import EXCEEDED_QUOTA

OLD_CRD: Final = (
    "the CRD on the cluster is older than the operator, and cannot hold that a restore is under way: upgrade it by the operator's chart, "
    "and ask again five minutes later"
)
NO_IMAGE: Final = "the operator's settings name no image for backups: set backup.image of its chart"


def replacing(entries: Iterable[LogEntry]) -> LogEntry | None:
    """What is under way and replaces what is there, or has replaced it, and has not ended yet; once its snapshot was found."""
    under_way = (entry for entry in entries if entry.phase == "Running" and not entry.into and is_found(entry))
    return next((entry for entry in under_way if entry.action == RESTORE or entry.takes_data), None)


def held(hold: Hold) -> str:
    """That a restore is under way, or has failed, in words."""
    if hold.phase is HoldPhase.NOT_STARTED:
        return f"revision {hold.revision} did not start on the restored data, requested as {hold.action}: see the Ready condition"
    if hold.service:
        return f"the pods are stopped: {hold.message or f'the data of service {hold.service} is restored'}"
    remedy = "repeat it, or abort it" if hold.has_failed else "wait for its end"
    what = f"the {f'rollback to revision {hold.revision} with its data' if hold.revision else f'restore of backup {hold.backup}'}"
    return f"{what}, requested as {hold.action}, {'has failed' if hold.has_failed else 'is under way'}: {remedy}"


def stops_abort(hold: Hold | None, sought: LogEntry | None, backup: str, *, is_at_work: bool = True) -> str:
    """Why a restore of this backup cannot be given up; "" where it can. sought: see `seeking`; is_at_work: see core.hold.door."""
    if sought and sought.backup == backup:
        return ""
    if hold is None:
        return "no restore is under way, nor has one failed"
    if hold.service:
        return f"it is the restore of the data of service {hold.service}: abort it there"
    if hold.backup != backup:
        return f"the restore under way is of backup {hold.backup}, not {backup}"
    if hold.has_data:
        return (
            f"the data is back, and the revision that was left must not run on it: wait until revision {hold.revision} serves, repeat the "
            "rollback, or restore the snapshot of what was there"
        )
    if hold.phase is HoldPhase.RESTORING and is_at_work:
        return f"the data is being replaced: wait for the end of it, see status.hold; {hold.message}"
    return ""


def obstacle(facts: Facts, kit: BackupKit, entries: Sequence[LogEntry], name: str, into: str = "") -> str:
    """Why a restore of this backup cannot begin now; "" where it can. What a release has to do with it is not asked here."""
    if not kit.may_restore:
        return (
            "nobody checks who may restore: the admission policy of the operator's chart is not installed, or its setting restore.allowed "
            "is false"
        )
    known = {each.name: each for each in facts.svc.spec.backups or ()}
    if name not in known:
        has = f"it has {', '.join(known)}" if known else "it has none: add it to spec.backups"
        return f"the service has no backup {name}; {has}"
    if not kit.image:
        return NO_IMAGE
    running = next((entry for entry in entries if is_restore(entry) or backups.is_backup(entry)), None)
    if running:
        return f"{running.action} of backup {running.backup} is already under way, requested as {running.name}: wait for its end"
    return _unsupported(known[name], into) or _would_lose(facts, known[name], into)


def _would_lose(facts: Facts, backup: Backup, into: str) -> str:
    """Why its pods may not be stopped: what was asked to be deleted waits for their end, and nothing of it could be stored first."""
    if into or backup.stops != "Self":
        return ""
    going = sorted(live["metadata"]["name"] for live in facts.ours if live["kind"] == "PersistentVolumeClaim" and is_deleting(live))
    text = f"claim {', '.join(going)} is being deleted, and its data would be lost with the end of the pods, which a restore stops"
    return f"{text}: copy it now, and let the claim be made anew, before you restore; {_lets_go(facts)}" if going else ""


def _unsupported(backup: Backup, into: str) -> str:
    source = backup.source
    if source.command:
        text = f"backup {backup.name} is made by a command of the application, which alone knows how to read it"
        return f"{text}: fetch its files by restic, and hand them to the application, see Restore by hand in docs/operations.md"
    if into and not source.postgres:
        text = f"into is for the source postgres, and backup {backup.name} has another one: leave it out to restore over what is there"
        return f"{text}, or fetch the snapshot by restic to look at it, see Restore by hand in docs/operations.md"
    return ""


def wanted_runs(entries: Iterable[LogEntry], hold: Hold | None, *, may_begin: bool) -> list[HandRun]:
    """Those that are to have a Job, and had none yet. hold: as status has it; may_begin: nobody uses the data that is to be replaced."""
    left = [entry for entry in entries if is_restore(entry) and not entry.job]
    sought = [hand_run(entry, hold, finds=True) for entry in left if not entry.into and not is_found(entry)]
    return sought + [hand_run(entry, hold) for entry in left if entry.into or (may_begin and hold and hold.uid == entry.uid)]


def hand_run(entry: LogEntry, hold: Hold | None = None, *, finds: bool = False) -> HandRun:
    """finds: what it looks up first, and not what it restores."""
    run = entry.started_at.astimezone(UTC).strftime("%Y%m%d_%H%M%S")
    kept = canonical(hold_written(hold)) if hold and not entry.into else ""
    return HandRun(entry.backup, entry.uid, restores=Restoring(entry.snapshot, run, entry.into, kept), finds=finds)


def settled(entries: Sequence[LogEntry], facts: Facts, kit: BackupKit, now: datetime) -> tuple[LogEntry, ...]:
    """The entries with what came of those that are restores."""
    if not any(is_restore(entry) for entry in entries):
        return tuple(entries)
    runs = {run.job: run for run in facts.runs if run.is_by_hand and run.work in (names.RESTORE, names.FIND)}
    given_up = {entry.key: entry for entry in entries if is_given_up(entry)}
    found = []
    for entry in entries:
        if not is_restore(entry):
            found.append(entry)
        elif entry.uid in given_up:
            found.append(_ended_by(entry, given_up[entry.uid], runs.get(hand_job_key(facts, hand_run(entry)).name), now))
        elif (run := runs.get(hand_job_key(facts, hand_run(entry)).name)) is None and not entry.into and not is_found(entry):
            run = runs.get(hand_job_key(facts, hand_run(entry, finds=True)).name)
            found.append(sought(entry, run, _stopped_before(entry, facts, kit, finds=True), now))
        else:
            found.append(_settled(entry, facts, kit, run, now))
    return tuple(found)


def told(entries: Sequence[LogEntry], hold: Hold | None) -> tuple[LogEntry, ...]:
    """The entries with what a restore waits for whose Job was not let go. hold: as this look leaves it."""
    return tuple(
        replace(entry, message=hold.message[:MESSAGE_LIMIT])
        if hold and is_restore(entry) and entry.uid == hold.uid and (not entry.job or hold.phase is HoldPhase.STOPPING)
        else entry
        for entry in entries
    )


def is_given_up(entry: LogEntry) -> bool:
    """Whether an entry is an Abort that ended a hold: its key is the uid of the restore."""
    return entry.action == "Abort" and entry.phase == "Succeeded" and entry.backup != ""


def _ended_by(entry: LogEntry, abort: LogEntry, run: Run | None, now: datetime) -> LogEntry:
    """run: that of its Job; None where that is not there."""
    if run and not run.is_closed:
        return entry.ended("Failed", f"it was given up, by {abort.by}: the data is as what was begun of it has left it", now)
    return entry.ended("Failed", f"it was given up before it began, by {abort.by}: it has changed nothing", now)


def _settled(entry: LogEntry, facts: Facts, kit: BackupKit, run: Run | None, now: datetime) -> LogEntry:
    if run is None:
        return _without_job(entry, facts, kit, now)
    match run.outcome:
        case Restoration() as found if not found.has_failed and (claim := _claim(facts, entry)) and facts.observed.unknown({claim}):
            # What somebody took the labels of is read by name before anything counts.
            return replace(entry, job=run.uid)
        case Restoration() as found:
            return _restored(replace(entry, job=run.uid, before=found.before), found, _lost(facts, entry, found), now)
        case Active() if run.is_closed:
            return replace(entry, job=run.uid)
        case Active() as active:
            return replace(entry, job=run.uid, message=said_of(entry, run, active, "restores"))
        case _:
            return entry


def _claim(facts: Facts, entry: LogEntry) -> ChildKey | None:
    """The claim whose files it replaces; None where it is a server's data, or another database."""
    source = next((each.source for each in facts.svc.spec.backups or () if each.name == entry.backup), None)
    return ChildKey("PersistentVolumeClaim", claim_name(facts.svc, source.volume.name)) if source and source.volume else None


def _lost(facts: Facts, entry: LogEntry, found: Restoration) -> str:
    """That a claim was deleted since the restore began, and what was restored with it, in words; "" for none. Pods would start on an empty
    one."""
    key = _claim(facts, entry)
    live = facts.observed.children.get(key) if key else None
    if key is None or found.has_failed or key in facts.observed.hidden:
        return ""
    made_at = instant(live["metadata"].get("creationTimestamp")) if live else None
    is_it = live is not None and not is_deleting(live) and (made_at is None or made_at < found.at)
    return "" if is_it else f"claim {key.name} was deleted meanwhile, and goes with all that is in it; {_lets_go(facts)}"


def _lets_go(facts: Facts) -> str:
    """What a claim waits for that is being deleted: Kubernetes counts the pods of Jobs that have ended, too."""
    selector = f"{names.SERVICE_LABEL}={facts.svc.name},{names.BACKUP_LABEL}"
    return f"it is gone once no pod names it, nor one that has ended: kubectl delete jobs -n {facts.svc.namespace} -l {selector}"


def _restored(entry: LogEntry, found: Restoration, lost: str, now: datetime) -> LogEntry:
    """lost: see _lost."""
    which = f"snapshot {(found.snapshot or entry.snapshot)[:SHORT_ID]}"
    before = f"; what was there is snapshot {found.before[:SHORT_ID]}" if found.before else ""
    if found.has_failed:
        unchanged = "; nothing was changed" if found.is_unchanged else ""
        return entry.ended("Failed", f"{which} was not restored: {found.reason}: {found.message}{unchanged}{before}", now)
    if lost:
        text = f"{which} was restored, but {lost}; then repeat the restore"
        return entry.ended("Failed", f"{text}{before}", now)
    # A pod that found all done names none.
    made = timestamp(found.made_at) if found.made_at else entry.recovery_point
    of_then = f" of {made}" if made else ""
    beside = f": {found.message}" if found.message else ""
    text, ended = f"{which}{of_then} was restored in {found.seconds} s", replace(entry, recovery_point=made)
    if entry.takes_data:
        ended = replace(ended, restored_at=timestamp(found.at))
        return replace(ended, message=f"{text}{before}; revision {entry.revision} starts on it{beside}"[:MESSAGE_LIMIT])
    return replace(ended, snapshot=found.snapshot or entry.snapshot).ended("Succeeded", f"{text}{beside}{before}", now)


def _without_job(entry: LogEntry, facts: Facts, kit: BackupKit, now: datetime) -> LogEntry:
    if entry.job:
        key = hand_job_key(facts, hand_run(entry))
        is_gone, hold = key not in facts.observed.children and "backups" not in facts.svc.lacks, facts.hold
        if is_gone and hold and hold.uid == entry.uid and hold.phase is HoldPhase.STOPPING:
            return replace(entry, job="")  # it had not begun, and is made again once it may
        return entry.ended("Failed", f"{key} was deleted before its end was seen", now) if is_gone else entry
    why = _stopped_before(entry, facts, kit, finds=False)
    return entry.ended("Failed", why, now) if why else entry


def _stopped_before(entry: LogEntry, facts: Facts, kit: BackupKit, *, finds: bool) -> str:
    """Why its Job will never be made, as far as is known; "" where it may be. What has a hold waits for what can be mended."""
    if "backups" in facts.svc.lacks:
        return ""  # what it was is not known until the spec is fixed
    if entry.backup not in {each.name for each in facts.svc.spec.backups or ()}:
        return f"the service has no backup {entry.backup} any more"
    if "hold" in facts.observed.unkept and facts.hold is None and not entry.into:
        # Nobody knew its schema before: what status does not keep stops no pod, and could not be given up, either.
        return f"{OLD_CRD}; nothing was stopped"
    if finds and facts.svc.spec.suspend:
        return "the service was suspended before it began"
    if not kit.image and (finds or entry.into):
        return NO_IMAGE
    key = hand_job_key(facts, hand_run(entry, finds=finds))
    refusal = facts.observed.refused.get(key)
    # Nobody is stopped for what is looked up, so that it need not wait for room.
    waits = isinstance(refusal, TryAgain) or (refusal is not None and refusal.reason == EXCEEDED_QUOTA and not (finds or entry.into))
    return f"{key} cannot be created: {refusal.message}" if refusal and not waits else ""
