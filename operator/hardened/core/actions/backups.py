"""Backups and their verifications by hand: when one may begin, and what came of it.

An accepted one is an entry that is Running. Its Job is named by the action's uid, and made once the entry is written down; that the Job
was there is written down as well, and from then on it is not made again. So it is made once, wherever a process is killed: a Job that
somebody deletes after that has failed.
"""

from collections.abc import Iterable, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Final

from hardened.api import names
from hardened.core.actions.at_work import said_of
from hardened.core.actions.log import LogEntry
from hardened.core.model.kit import BackupKit
from hardened.core.model.run import Active, Failure, Restoration, Run, Snapshot, Verification
from hardened.core.observe.facts import Facts
from hardened.core.runs.backups import HandRun, hand_job_key, promoted
from hardened.core.runs.judgement import SHORT_ID
from hardened.errors import TryAgain

BACKUP, VERIFY = "Backup", "VerifyBackup"
#: Each action that has a Job, and what it is called.
_CALLED: Final = {BACKUP: "backup", VERIFY: "verification of backup"}


def is_backup(entry: LogEntry) -> bool:
    """Whether an entry is a backup, or a verification of one, that is under way."""
    return entry.action in _CALLED and entry.phase == "Running"


def obstacle(facts: Facts, kit: BackupKit, entries: Iterable[LogEntry], action: str, name: str) -> str:
    """Why this backup, or its verification, cannot begin now; "" where it can.

    One by hand at a time, and none while the same one is at work by its schedule.
    """
    backups = {each.name: each for each in facts.svc.spec.backups or ()}
    if name not in backups:
        known = f"it has {', '.join(backups)}" if backups else "it has none: add it to spec.backups"
        return f"the service has no backup {name}; {known}"
    if action == VERIFY and backups[name].verify is None:
        return f"backup {name} does not say how it is verified: add verify to it in spec.backups"
    if not kit.image:
        return "the operator's settings name no image for backups: set backup.image of its chart"
    revision = promoted(facts)
    if backups[name].source.command and (revision is None or not revision.fields):
        return "its command runs in the image of the revision that was promoted last, and none was promoted yet"
    running = next((entry for entry in entries if is_backup(entry)), None)
    if running:
        return f"{_CALLED[running.action]} {running.backup} is already under way, requested as {running.name}: wait for its end"
    same = (run for run in facts.runs if run.backup == name and run.work == (names.VERIFY if action == VERIFY else ""))
    active = next((run for run in same if isinstance(run.outcome, Active)), None)
    return f"{_CALLED[action]} {name} is already under way as Job {active.job}: wait for its end" if active else ""


def wanted_runs(entries: Iterable[LogEntry]) -> list[HandRun]:
    """Those that are to have a Job, and had none yet."""
    return [_hand_run(entry) for entry in entries if is_backup(entry) and not entry.job]


def settled(entries: Sequence[LogEntry], facts: Facts, now: datetime) -> tuple[LogEntry, ...]:
    """The entries with what came of those that are backups."""
    if not any(is_backup(entry) for entry in entries):
        return tuple(entries)
    runs = {run.job: run for run in facts.runs if run.is_by_hand}
    return tuple(_settled(entry, facts, runs.get(hand_job_key(facts, _hand_run(entry)).name), now) for entry in entries)


def _hand_run(entry: LogEntry) -> HandRun:
    return HandRun(entry.backup, entry.uid, verifies=entry.action == VERIFY)


def _settled(entry: LogEntry, facts: Facts, run: Run | None, now: datetime) -> LogEntry:
    if not is_backup(entry):
        return entry
    if run is None:
        return _without_job(entry, facts, now)
    match run.outcome:
        case Snapshot() as found:
            beside = f"; {found.message}" if found.message else ""
            said = f"snapshot {found.id[:SHORT_ID]} of {found.bytes} bytes in {found.seconds} s{beside}"
            return replace(entry, job=run.uid, snapshot=found.id).ended("Succeeded", said, now)
        case Failure(reason=reason, message=message):
            return replace(entry, job=run.uid).ended("Failed", f"{reason}: {message}", now)
        case Verification() as found:
            return _verified(replace(entry, job=run.uid, snapshot=found.snapshot), found, now)
        case Restoration():
            return entry
        case Active() as active:
            return replace(entry, job=run.uid, message=said_of(entry, run, active, "is at work"))


def _verified(entry: LogEntry, found: Verification, now: datetime) -> LogEntry:
    which = f"snapshot {found.snapshot[:SHORT_ID]}"
    if found.has_failed:
        return entry.ended("Failed", f"{f'{which}: ' if found.snapshot else ''}{found.reason}: {found.message}", now)
    return entry.ended("Succeeded", f"{which} was restored in {found.seconds} s{f': {found.message}' if found.message else ''}", now)


def _without_job(entry: LogEntry, facts: Facts, now: datetime) -> LogEntry:
    if "backups" in facts.svc.lacks:
        return entry  # what it was is not known until the spec is fixed
    key = hand_job_key(facts, _hand_run(entry))
    refusal = facts.observed.refused.get(key)
    if entry.job:
        is_gone = key not in facts.observed.children
        return entry.ended("Failed", f"{key} was deleted before its end was seen", now) if is_gone else entry
    if facts.svc.spec.suspend:
        return entry.ended("Failed", "the service was suspended before it began", now)
    known = {each.name: each for each in facts.svc.spec.backups or ()}
    if entry.backup not in known:
        return entry.ended("Failed", f"the service has no backup {entry.backup} any more", now)
    if entry.action == VERIFY and known[entry.backup].verify is None:
        return entry.ended("Failed", f"backup {entry.backup} does not say any more how it is verified", now)
    if refusal and not isinstance(refusal, TryAgain):
        return entry.ended("Failed", f"{key} cannot be created: {refusal.message}", now)
    return entry
