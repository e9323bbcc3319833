"""Whether a service is backed up: what is remembered of its backups, and whether the newest good snapshot of each is young enough."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Final

from hardened.api.backup import Backup
from hardened.api.duration import duration_text
from hardened.api.parse import HardenedService
from hardened.api.schedule import next_after
from hardened.core.desired.cron_job import most_lateness
from hardened.core.model.conditions import Condition, timestamp
from hardened.core.model.reasons import Reason
from hardened.core.model.run import Active, Failure, Outcome, Record, Run, Snapshot, Verification
from hardened.core.observe.run_results import LATE, LOST

#: What is remembered of a later time than this is not believed: it would stand for ever.
_MOST_AHEAD: Final = timedelta(minutes=5)
#: Characters of a snapshot's id that tell it from others, as restic shows it.
SHORT_ID: Final = 8


def remembered(
    svc: HardenedService, before: Mapping[str, Record], runs: Sequence[Run], now: datetime, *, is_held: bool = False
) -> list[Record]:
    """What is known of each backup of the spec. before: as status has it; runs: those that are there, oldest first; is_held: nothing is to
    run by a schedule, since a restore replaces the data."""
    rests = svc.spec.suspend or is_held
    known = [(each, before.get(each.name, Record(each.name))) for each in svc.spec.backups or ()]
    return [_remembered(backup, record, runs, now, is_suspended=rests or backup.suspend) for backup, record in known]


def _remembered(backup: Backup, before: Record, runs: Sequence[Run], now: datetime, *, is_suspended: bool) -> Record:
    own = [run for run in runs if run.backup == backup.name]
    outcomes = [_with_cause(run, before.active) for run in own if run.makes]
    known = [found for found in (before.success, before.failure) if found and found.at <= now + _MOST_AHEAD]
    snapshots = [found for found in (*known, *outcomes) if isinstance(found, Snapshot)]
    failures = [found for found in (*known, *outcomes) if isinstance(found, Failure)]
    return Record(
        backup.name,
        # Of two of one time the first: what is on record stays.
        max(snapshots, key=lambda found: found.at, default=None),
        max(failures, key=lambda found: found.at, default=None),
        next((found for found in reversed(outcomes) if isinstance(found, Active)), None),
        None if is_suspended else next_after(backup.schedule, backup.time_zone, now),
        is_suspended,
        None if is_suspended else _resumed_at(backup, before, now),
        _last_verification(before.verification, [run.outcome for run in own], now) if backup.verify else None,
        backup.schedules,
    )


def _with_cause(run: Run, before: Active | None) -> Outcome:
    """What came of a run. With what it waited for, where its pod is gone by now, or is not there yet: room alone makes none at once."""
    found = run.outcome
    if before is None or before.job != run.job or not before.message:
        return found
    if isinstance(found, Failure) and found.reason == LATE:
        return replace(found, message=f"{before.message}; {found.message}")
    if isinstance(found, Active) and run.lacks_pod and not found.message:
        return replace(found, message=before.message)
    return found


def _last_verification(known: Verification | None, outcomes: Iterable[object], now: datetime) -> Verification | None:
    """The last one that ended. What is on record of a Job stays where nothing is left to tell more: its pod may be gone by now."""
    found = known if known and known.at <= now + _MOST_AHEAD else None
    for each in outcomes:
        if not isinstance(each, Verification):
            continue
        is_same = found is not None and found.job == each.job
        if found is None or (each.reason != LOST or found.reason == LOST if is_same else each.at > found.at):
            found = each
    return found


def _resumed_at(backup: Backup, before: Record, now: datetime) -> datetime | None:
    """See Record. A time that has passed before the schedule had it is no run that was missed: Kubernetes would make up for it at once."""
    is_another = any(known != now_so for known, now_so in zip(before.schedules, backup.schedules, strict=False))
    if before.is_suspended or is_another:
        return now
    if before.resumed_at and before.resumed_at <= now < before.resumed_at + most_lateness(backup):
        return before.resumed_at
    return None


@dataclass(frozen=True)
class _Verdict:
    """On one backup."""

    text: str
    reason: Reason | None = None
    """Why it is not backed up; None where it is."""
    verb: str = "create"
    """What mends it, of hardenctl backup."""


def backed_up(
    svc: HardenedService,
    records: Sequence[Record],
    since: Mapping[str, datetime],
    troubles: Mapping[str, str],
    has_image: bool,
    now: datetime,
) -> Condition:
    """The condition BackedUp, of a service with backups.

    since: by backup, when its verification got a schedule; troubles: by backup, what stops its schedules.
    """
    if not has_image:
        text = "the operator's settings name no image for backups, so that none is made: set backup.image of its chart"
        return Condition("BackedUp", False, Reason.BACKUP_IMAGE_MISSING, text)
    backups = {each.name: each for each in svc.spec.backups or ()}
    found = {each.name: _verdict(backups[each.name], each, since.get(each.name), now) for each in records}
    found = {name: replace(each, text=f"{each.text}; {troubles[name]}") if name in troubles else each for name, each in found.items()}
    bad = {name: each for name, each in found.items() if each.reason}
    text = "; ".join(f"{name}: {each.text}" for name, each in (bad or found).items())
    first = next(iter(bad.items()), None)
    if first is None:
        return Condition("BackedUp", True, Reason.SNAPSHOTS_FRESH, text)
    name, verdict = first
    assert verdict.reason, "it is one of the bad ones"
    return Condition(
        "BackedUp", False, verdict.reason, f"{text}; next: hardenctl backup {verdict.verb} {svc.name} {name} -n {svc.namespace}"
    )


def turns_at(svc: HardenedService, records: Sequence[Record], since: Mapping[str, datetime]) -> list[datetime]:
    """When something changes by time alone: a snapshot gets too old, a verification is overdue, or what was missed is too late to be made
    up for. since: see `backed_up`."""
    backups = {each.name: each for each in svc.spec.backups or ()}
    old = [each.success.at + backups[each.name].most_age for each in records if each.success]
    due = [at for each in records if (at := _overdue_at(backups[each.name], each, since.get(each.name)))]
    return old + due + [each.resumed_at + most_lateness(backups[each.name]) for each in records if each.resumed_at]


def _counted(record: Record) -> Verification | None:
    """The last verification, unless it found nothing to verify, and there is something now."""
    found, success = record.verification, record.success
    return None if found and success and found.reason == "SnapshotUnknown" and success.at >= found.at else found


def _overdue_at(backup: Backup, record: Record, since: datetime | None) -> datetime | None:
    """When its verification is overdue; None for never, as far as is known."""
    counted, most = _counted(record), backup.most_unverified
    begun = counted.at if counted else since
    return begun + most if begun and most else None


def _verdict(backup: Backup, record: Record, since: datetime | None, now: datetime) -> _Verdict:
    failure = record.failure if record.has_failed_last else None
    failed = f"; the last run failed at {timestamp(failure.at)}: {failure.reason}: {failure.message}" if failure else ""
    if record.active and record.active.message:
        failed += f"; Job {record.active.job} waits: {record.active.message}"
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
    verified = _verified(backup, record, since, now)
    return replace(verified, text=f"{shown}{verified.text}{failed}{beside}")


def _verified(backup: Backup, record: Record, since: datetime | None, now: datetime) -> _Verdict:
    """On its verification; the text goes on from what is said of the newest snapshot."""
    found, overdue_at, most = _counted(record), _overdue_at(backup, record, since), backup.most_unverified
    if most is None:
        return _Verdict("")
    snapshot = f" of snapshot {found.snapshot[:SHORT_ID]}" if found and found.snapshot else ""
    if found and found.has_failed:
        text = f"; its verification{snapshot} failed at {timestamp(found.at)}: {found.reason}: {found.message}"
        return _Verdict(text, Reason.VERIFICATION_FAILED, "verify")
    last = f"the last one succeeded at {timestamp(found.at)}" if found else "there was none yet"
    if overdue_at and now >= overdue_at:
        still = "; its schedule is suspended" if record.is_suspended else ""
        text = f"; its verification is overdue: one was to end within {duration_text(_whole(most))}, and {last}{still}"
        return _Verdict(text, Reason.VERIFICATION_OVERDUE, "verify")
    return _Verdict(f"; verified at {timestamp(found.at)}" if found else "; not verified yet")


def _whole(span: timedelta) -> timedelta:
    return timedelta(seconds=int(span.total_seconds()))
