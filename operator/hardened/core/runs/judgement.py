"""Whether a service is backed up: what is remembered of its backups, and whether the newest good snapshot of each is young enough."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Final

from hardened.api.backup import Backup
from hardened.api.duration import duration_text
from hardened.api.parse import HardenedService
from hardened.api.schedule import next_after
from hardened.core.desired.cron_job import lateness
from hardened.core.model.conditions import Condition, timestamp
from hardened.core.model.reasons import Reason
from hardened.core.runs.model import Active, Failure, Record, Run, Snapshot

#: What is remembered of a later time than this is not believed: it would stand for ever.
_MOST_AHEAD: Final = timedelta(minutes=5)
#: Characters of a snapshot's id that tell it from others, as restic shows it.
SHORT_ID: Final = 8


def remembered(svc: HardenedService, before: Mapping[str, Record], runs: Sequence[Run], now: datetime) -> list[Record]:
    """What is known of each backup of the spec. before: as status has it; runs: those that are there, oldest first."""
    return [_remembered(svc, each, before.get(each.name, Record(each.name)), runs, now) for each in svc.spec.backups or ()]


def _remembered(svc: HardenedService, backup: Backup, before: Record, runs: Sequence[Run], now: datetime) -> Record:
    outcomes = [run.outcome for run in runs if run.backup == backup.name]
    known = [found for found in (before.success, before.failure) if found and found.at <= now + _MOST_AHEAD]
    snapshots = [found for found in (*known, *outcomes) if isinstance(found, Snapshot)]
    failures = [found for found in (*known, *outcomes) if isinstance(found, Failure)]
    is_suspended = svc.spec.suspend or backup.suspend
    return Record(
        backup.name,
        # Of two of one time the first: what is on record stays.
        max(snapshots, key=lambda found: found.at, default=None),
        max(failures, key=lambda found: found.at, default=None),
        next((found for found in reversed(outcomes) if isinstance(found, Active)), None),
        None if is_suspended else next_after(backup.schedule, backup.time_zone, now),
        is_suspended,
        None if is_suspended else _resumed_at(backup, before, now),
    )


def _resumed_at(backup: Backup, before: Record, now: datetime) -> datetime | None:
    """See Record. A run that was missed while nothing was to run is not made up for: Kubernetes would do so at once."""
    if before.is_suspended:
        return now
    if before.resumed_at and before.resumed_at <= now < before.resumed_at + lateness(backup):
        return before.resumed_at
    return None


@dataclass(frozen=True)
class _Verdict:
    """On one backup."""

    text: str
    reason: Reason | None = None
    """Why it is not backed up; None where it is."""


def backed_up(svc: HardenedService, records: Sequence[Record], troubles: Mapping[str, str], has_image: bool, now: datetime) -> Condition:
    """The condition BackedUp, of a service with backups. troubles: by backup, what stops its schedule."""
    if not has_image:
        text = "the operator's settings name no image for backups, so that none is made: set backup.image of its chart"
        return Condition("BackedUp", False, Reason.BACKUP_IMAGE_MISSING, text)
    backups = {each.name: each for each in svc.spec.backups or ()}
    found = {each.name: _verdict(backups[each.name], each, now) for each in records}
    found = {name: replace(each, text=f"{each.text}; {troubles[name]}") if name in troubles else each for name, each in found.items()}
    bad = {name: each for name, each in found.items() if each.reason}
    text = "; ".join(f"{name}: {each.text}" for name, each in (bad or found).items())
    first = next(iter(bad.items()), None)
    if first is None:
        return Condition("BackedUp", True, Reason.SNAPSHOTS_FRESH, text)
    name, verdict = first
    assert verdict.reason, "it is one of the bad ones"
    return Condition("BackedUp", False, verdict.reason, f"{text}; next: hardenctl backup create {svc.name} {name} -n {svc.namespace}")


def turns_at(svc: HardenedService, records: Sequence[Record]) -> list[datetime]:
    """When something changes by time alone: a snapshot gets too old, or what was missed is too late to be made up for."""
    backups = {each.name: each for each in svc.spec.backups or ()}
    old = [each.success.at + backups[each.name].most_age for each in records if each.success]
    return old + [each.resumed_at + lateness(backups[each.name]) for each in records if each.resumed_at]


def _verdict(backup: Backup, record: Record, now: datetime) -> _Verdict:
    failure = record.failure if record.has_failed_last else None
    failed = f"; the last run failed at {timestamp(failure.at)}: {failure.reason}: {failure.message}" if failure else ""
    if record.success is None:
        then = f"; the next run is at {timestamp(record.next_at)}" if record.next_at and not failure else ""
        still = "; its schedule is suspended" if record.is_suspended else ""
        return _Verdict(f"there is no snapshot yet{failed}{then}{still}", Reason.NO_SNAPSHOT)
    success, most = record.success, backup.most_age
    shown = f"snapshot {success.id[:SHORT_ID]} of {timestamp(success.at)}"
    beside = f"; {success.message}" if success.message and not failure else ""
    if now >= success.at + most:
        still = "; its schedule is suspended" if record.is_suspended else ""
        return _Verdict(f"the newest good {shown} is older than {duration_text(_whole(most))}{failed}{still}", Reason.SNAPSHOT_OVERDUE)
    return _Verdict(f"{shown}{failed}{beside}")


def _whole(span: timedelta) -> timedelta:
    return timedelta(seconds=int(span.total_seconds()))
