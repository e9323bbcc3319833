"""Backups by hand: when one may begin, and what came of it.

An accepted one is an entry that is Running. Its Job is named by the action's uid, and made once the entry is written down; that the Job
was there is written down as well, and from then on it is not made again. So it is made once, wherever a process is killed: a Job that
somebody deletes after that has failed.
"""

from collections.abc import Iterable, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Final

from hardened.core.actions.log import LogEntry
from hardened.core.model.kit import BackupKit
from hardened.core.observe.facts import Facts
from hardened.core.runs.backups import HandRun, hand_job_key, promoted
from hardened.core.runs.judgement import SHORT_ID
from hardened.core.runs.model import Active, Failure, Run, Snapshot
from hardened.core.runs.results import runs_of
from hardened.errors import TryAgain

ACTION: Final = "Backup"


def is_backup(entry: LogEntry) -> bool:
    """Whether an entry is a backup that is under way."""
    return entry.action == ACTION and entry.phase == "Running"


def obstacle(facts: Facts, kit: BackupKit, entries: Iterable[LogEntry], name: str) -> str:
    """Why this backup cannot begin now; "" where it can. One by hand at a time, and none while the same one is at work by its schedule."""
    backups = {each.name: each for each in facts.svc.spec.backups or ()}
    if name not in backups:
        known = f"it has {', '.join(backups)}" if backups else "it has none: add it to spec.backups"
        return f"the service has no backup {name}; {known}"
    if not kit.image:
        return "the operator's settings name no image for backups: set backup.image of its chart"
    revision = promoted(facts)
    if backups[name].source.command and (revision is None or not revision.fields):
        return "its command runs in the image of the revision that was promoted last, and none was promoted yet"
    running = next((entry for entry in entries if is_backup(entry)), None)
    if running:
        return f"backup {running.backup} is already under way, requested as {running.name}: wait for its end"
    active = next((run for run in runs_of(facts) if run.backup == name and isinstance(run.outcome, Active)), None)
    return f"backup {name} is already under way as Job {active.job}: wait for its end" if active else ""


def wanted_runs(entries: Iterable[LogEntry]) -> list[HandRun]:
    """Those that are to have a Job, and had none yet."""
    return [_hand_run(entry) for entry in entries if is_backup(entry) and not entry.job]


def settled(entries: Sequence[LogEntry], facts: Facts, now: datetime) -> tuple[LogEntry, ...]:
    """The entries with what came of those that are backups."""
    if not any(is_backup(entry) for entry in entries):
        return tuple(entries)
    runs = {run.job: run for run in runs_of(facts) if run.is_by_hand}
    return tuple(_settled(entry, facts, runs.get(hand_job_key(facts, _hand_run(entry)).name), now) for entry in entries)


def _hand_run(entry: LogEntry) -> HandRun:
    return HandRun(entry.backup, entry.uid)


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
        case Active(message=message):
            return replace(entry, job=run.uid, message=f"Job {run.job} is at work{f': {message}' if message else ''}"[:1024])


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
    if entry.backup not in {each.name for each in facts.svc.spec.backups or ()}:
        return entry.ended("Failed", f"the service has no backup {entry.backup} any more", now)
    if refusal and not isinstance(refusal, TryAgain):
        return entry.ended("Failed", f"{key} cannot be created: {refusal.message}", now)
    return entry
