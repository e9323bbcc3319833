"""Restores: when one may begin, when its Job is made, and what came of it.

One that replaces what is there has a hold, see core.hold: its Job is made once nobody uses the data any more. Otherwise as a backup. The
restore of a rollback with data is one of these, too: its entry goes on once the data is back.
"""

from collections.abc import Iterable, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from typing import Final

from hardened.api import names
from hardened.api.backup import Backup
from hardened.core.actions import backups
from hardened.core.actions.log import MESSAGE_LIMIT, LogEntry
from hardened.core.desired.restore_pod import Restoring
from hardened.core.model.conditions import timestamp
from hardened.core.model.hold import Hold, HoldPhase
from hardened.core.model.kit import BackupKit
from hardened.core.model.run import Active, Restoration, Run
from hardened.core.observe.facts import Facts
from hardened.core.revisions.history import backup_of
from hardened.core.runs.backups import HandRun, hand_job_key
from hardened.core.runs.judgement import SHORT_ID
from hardened.errors import TryAgain

RESTORE: Final = "Restore"


def is_restore(entry: LogEntry) -> bool:
    """Whether an entry is a restore that is under way; of a rollback with data as long as the data is not back."""
    return entry.phase == "Running" and (entry.action == RESTORE or (entry.takes_data and not entry.has_data))


def replacing(entries: Iterable[LogEntry]) -> LogEntry | None:
    """What is under way and replaces what is there, or has replaced it, and has not ended yet."""
    under_way = (entry for entry in entries if entry.phase == "Running" and not entry.into)
    return next((entry for entry in under_way if entry.action == RESTORE or entry.takes_data), None)


def held(hold: Hold) -> str:
    """That a restore is under way, or has failed, in words."""
    if hold.phase is HoldPhase.NOT_STARTED:
        return f"revision {hold.revision} did not start on the restored data, requested as {hold.action}: see the Ready condition"
    remedy = "repeat it, or abort it" if hold.has_failed else "wait for its end"
    what = f"the {f'rollback to revision {hold.revision} with its data' if hold.revision else f'restore of backup {hold.backup}'}"
    return f"{what}, requested as {hold.action}, {'has failed' if hold.has_failed else 'is under way'}: {remedy}"


def stops_abort(hold: Hold | None, backup: str) -> str:
    """Why a restore of this backup cannot be given up; "" where it can."""
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
    if hold.phase is HoldPhase.RESTORING:
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
        return "the operator's settings name no image for backups: set backup.image of its chart"
    running = next((entry for entry in entries if is_restore(entry) or backups.is_backup(entry)), None)
    if running:
        return f"{running.action} of backup {running.backup} is already under way, requested as {running.name}: wait for its end"
    return _unsupported(known[name], into)


def _unsupported(backup: Backup, into: str) -> str:
    source = backup.source
    if source.command:
        return f"backup {backup.name} is made by a command of the application: restore its files by restic, and have it read them"
    if into and not source.postgres:
        return f"into is for the source postgres, and backup {backup.name} has another one: leave it out"
    return ""


def wanted_runs(entries: Iterable[LogEntry], hold: Hold | None) -> list[HandRun]:
    """Those that are to have a Job, and had none yet. hold: as status has it."""
    return [_hand_run(entry) for entry in entries if is_restore(entry) and not entry.job and _may_begin(entry, hold)]


def _may_begin(entry: LogEntry, hold: Hold | None) -> bool:
    return entry.into != "" or (hold is not None and hold.uid == entry.uid and hold.phase is HoldPhase.RESTORING)


def _hand_run(entry: LogEntry) -> HandRun:
    run = entry.started_at.astimezone(UTC).strftime("%Y%m%d_%H%M%S")
    return HandRun(entry.backup, entry.uid, restores=Restoring(entry.snapshot, run, entry.into))


def settled(entries: Sequence[LogEntry], facts: Facts, now: datetime) -> tuple[LogEntry, ...]:
    """The entries with what came of those that are restores."""
    if not any(is_restore(entry) for entry in entries):
        return tuple(entries)
    runs = {run.job: run for run in facts.runs if run.is_by_hand and run.work == names.RESTORE}
    given_up = {entry.key: entry for entry in entries if is_given_up(entry)}
    return tuple(
        _ended_by(entry, given_up[entry.uid], now)
        if is_restore(entry) and entry.uid in given_up
        else _settled(entry, facts, runs.get(hand_job_key(facts, _hand_run(entry)).name), now)
        for entry in entries
    )


def told(entries: Sequence[LogEntry], hold: Hold | None) -> tuple[LogEntry, ...]:
    """The entries with what a restore waits for that has no Job yet. hold: as this look leaves it."""
    return tuple(
        replace(entry, message=hold.message[:MESSAGE_LIMIT])
        if hold and is_restore(entry) and entry.uid == hold.uid and not entry.job
        else entry
        for entry in entries
    )


def is_given_up(entry: LogEntry) -> bool:
    """Whether an entry is an Abort that ended a hold: its key is the uid of the restore."""
    return entry.action == "Abort" and entry.phase == "Succeeded" and entry.backup != ""


def _ended_by(entry: LogEntry, abort: LogEntry, now: datetime) -> LogEntry:
    return entry.ended("Failed", f"it was given up before it began, by {abort.by}: nothing was changed", now)


def _settled(entry: LogEntry, facts: Facts, run: Run | None, now: datetime) -> LogEntry:
    if not is_restore(entry):
        return entry
    if run is None:
        return _without_job(entry, facts, now)
    match run.outcome:
        case Restoration() as found:
            return _restored(replace(entry, job=run.uid, before=found.before), found, _point(facts, entry, found), now)
        case Active(message=message):
            return replace(entry, job=run.uid, message=f"Job {run.job} restores{f': {message}' if message else ''}"[:1024])
        case _:
            return entry


def _point(facts: Facts, entry: LogEntry, found: Restoration) -> str:
    """When the snapshot was made, in RFC 3339; "" where nobody knows. A pod that found all done names none."""
    known = backup_of(facts.before, entry.revision) if entry.takes_data else None
    if found.made_at or known is None:
        return timestamp(found.made_at) if found.made_at else ""
    return known.at if known.snapshot == entry.snapshot else ""


def _restored(entry: LogEntry, found: Restoration, made: str, now: datetime) -> LogEntry:
    which = f"snapshot {(found.snapshot or entry.snapshot)[:SHORT_ID]}"
    before = f"; what was there is snapshot {found.before[:SHORT_ID]}" if found.before else ""
    if found.has_failed:
        return entry.ended("Failed", f"{which} was not restored: {found.reason}: {found.message}{before}", now)
    of_then = f" of {made}" if made else ""
    beside = f": {found.message}" if found.message else ""
    text, ended = f"{which}{of_then} was restored in {found.seconds} s", replace(entry, recovery_point=made)
    if entry.takes_data:
        ended = replace(ended, restored_at=timestamp(found.at))
        return replace(ended, message=f"{text}{before}; revision {entry.revision} starts on it{beside}"[:MESSAGE_LIMIT])
    return replace(ended, snapshot=found.snapshot or entry.snapshot).ended("Succeeded", f"{text}{beside}{before}", now)


def _without_job(entry: LogEntry, facts: Facts, now: datetime) -> LogEntry:
    if "backups" in facts.svc.lacks:
        return entry  # what it was is not known until the spec is fixed
    key = hand_job_key(facts, _hand_run(entry))
    if entry.job:
        is_gone = key not in facts.observed.children
        return entry.ended("Failed", f"{key} was deleted before its end was seen", now) if is_gone else entry
    known = {each.name for each in facts.svc.spec.backups or ()}
    if entry.backup not in known:
        return entry.ended("Failed", f"the service has no backup {entry.backup} any more", now)
    refusal = facts.observed.refused.get(key)
    if refusal and not isinstance(refusal, TryAgain):
        return entry.ended("Failed", f"{key} cannot be created: {refusal.message}", now)
    return entry
