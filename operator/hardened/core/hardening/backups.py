"""Checks of data and its backups."""

from collections.abc import Iterator
from datetime import datetime
from zoneinfo import ZoneInfo

from hardened.api.backup import Backup
from hardened.api.duration import duration_text
from hardened.api.parse import HardenedService
from hardened.api.schedule import longest_gap
from hardened.core.hardening.check import Gap, HardeningCheck, Subject, check

#: The hours that a clock skips in spring, or shows twice in autumn.
_CHANGED = frozenset({1, 2})
_YEAR = 2026


@check(
    "HS057",
    "warn",
    "What is stored in a claim is backed up.",
    cause="A volume is lost with its disk, and what is deleted in it by mistake is gone at once.",
    fix="add a backup of it to backups",
    example="backups: [{name: nightly, schedule: 30 3 * * *, source: {volume: {name: data}}, repository: {secretName: restic}}]",
)
def claims_are_backed_up(subject: Subject) -> Iterator[Gap]:
    spec = subject.svc.spec
    # A dump of a database, or by a command, is of what is in a claim: which one nobody can tell.
    is_dumped = any(not each.source.volume for each in spec.backups or ())
    saved = {each.source.volume.name for each in spec.backups or () if each.source.volume}
    for index, volume in enumerate(spec.volumes or ()):
        if volume.claim and not volume.read_only and not is_dumped and volume.name not in saved:
            yield Gap(f"spec.volumes[{index}].claim", f"the claim {volume.name} is not backed up")


@check(
    "HS058",
    "warn",
    "A backup is verified.",
    cause="Only what was restored is known to be restorable.",
    fix="set its verify.schedule",
    example="backups: [{name: nightly, schedule: 30 3 * * *, verify: {schedule: 0 5 * * 0}, …}]",
)
def backups_are_verified(subject: Subject) -> Iterator[Gap]:
    for path, backup in _backups(subject.svc):
        if not backup.verify:
            yield Gap(path, f"backup {backup.name} is never verified")


@check(
    "HS059",
    "warn",
    "Old snapshots go.",
    cause="Without a retention all are kept: the storage grows until it is full, and then no backup succeeds.",
    fix="set its retention",
    example="backups: [{name: nightly, retention: {last: 3, daily: 7, weekly: 4}, …}]",
)
def snapshots_go(subject: Subject) -> Iterator[Gap]:
    for path, backup in _backups(subject.svc):
        if not backup.retention:
            yield Gap(path, f"all snapshots of backup {backup.name} are kept for ever")


@check(
    "HS060",
    "warn",
    "A schedule names its time zone.",
    cause="Without one it is read in UTC. People read it by their own clock, and find the backup at noon.",
    fix="set its timeZone; Etc/UTC, where that is meant",
    example="backups: [{name: nightly, schedule: 30 3 * * *, timeZone: Europe/Berlin, …}]",
)
def schedules_have_a_zone(subject: Subject) -> Iterator[Gap]:
    for path, backup in _backups(subject.svc):
        if "time_zone" not in backup.model_fields_set:
            yield Gap(path, f"the schedule of backup {backup.name} names no time zone")


@check(
    "HS061",
    "warn",
    "A schedule keeps clear of the hour in which the clock is changed.",
    cause="A time from 01:00 to 03:00 is skipped in one night of the year, and comes twice in another.",
    fix="use another hour, or a zone whose clock is not changed",
    example="backups: [{name: nightly, schedule: 30 3 * * *, timeZone: Europe/Berlin, …}]",
)
def schedules_come_once(subject: Subject) -> Iterator[Gap]:
    for path, backup in _backups(subject.svc):
        hours = set(backup.schedule.hours)
        if len(hours) < 24 and hours & _CHANGED and _has_summer(backup.time_zone):
            yield Gap(f"{path}.schedule", f"backup {backup.name} runs in the hours in which the clock of {backup.time_zone} is changed")


@check(
    "HS062",
    "warn",
    "A backup is stored outside of the cluster.",
    cause="A repository on a claim is lost with the cluster, or with the storage that both use.",
    fix="name an object store in RESTIC_REPOSITORY of the Secret, and leave repository.claim out; or copy the claim elsewhere",
    example="backups: [{name: nightly, repository: {secretName: restic}, …}]",
)
def backups_leave_the_cluster(subject: Subject) -> Iterator[Gap]:
    for path, backup in _backups(subject.svc):
        if backup.repository.claim:
            yield Gap(f"{path}.repository.claim", f"backup {backup.name} is stored in the cluster itself")


@check(
    "HS063",
    "warn",
    "A backup is not suspended.",
    cause="While suspend is true, nothing is backed up by the schedule.",
    fix="leave its suspend out",
    example="backups: [{name: nightly, suspend: false, …}]",
)
def backups_run(subject: Subject) -> Iterator[Gap]:
    for path, backup in _backups(subject.svc):
        if backup.suspend:
            yield Gap(f"{path}.suspend", f"backup {backup.name} is suspended")


@check(
    "HS064",
    "error",
    "A backup may be as old as its schedule makes it.",
    cause="Where maxAge is shorter than the time from one run to the next, BackedUp is False again and again, and nobody heeds it.",
    fix="raise its maxAge, or leave it out",
    example="backups: [{name: nightly, schedule: 30 3 * * *, maxAge: 26h, …}]",
)
def ages_fit_schedules(subject: Subject) -> Iterator[Gap]:
    for path, backup in _backups(subject.svc):
        gap = longest_gap(backup.schedule, backup.time_zone)
        if backup.max_age is not None and backup.max_age < gap:
            text = f"backup {backup.name} may be {duration_text(backup.max_age)} old, and runs up to {duration_text(gap)} apart"
            yield Gap(f"{path}.maxAge", text)


@check(
    "HS065",
    "warn",
    "A verification does not begin together with its backup.",
    cause="Both use the repository and the database at the same time, and the snapshot that is verified is that of the run before.",
    fix="leave the backup the time to end before",
    example="backups: [{name: nightly, schedule: 30 3 * * *, verify: {schedule: 0 5 * * 0}, …}]",
)
def verifications_come_later(subject: Subject) -> Iterator[Gap]:
    for path, backup in _backups(subject.svc):
        if backup.verify and str(backup.verify.schedule) == str(backup.schedule):
            yield Gap(f"{path}.verify.schedule", f"backup {backup.name} is verified while it runs")


def _backups(svc: HardenedService) -> Iterator[tuple[str, Backup]]:
    for index, backup in enumerate(svc.spec.backups or ()):
        yield f"spec.backups[{index}]", backup


def _has_summer(zone: str) -> bool:
    clock = ZoneInfo(zone)
    return len({datetime(_YEAR, month, 1, tzinfo=clock).utcoffset() for month in range(1, 13)}) > 1


BACKUPS: tuple[HardeningCheck, ...] = (
    claims_are_backed_up,
    backups_are_verified,
    snapshots_go,
    schedules_have_a_zone,
    schedules_come_once,
    backups_leave_the_cluster,
    backups_run,
    ages_fit_schedules,
    verifications_come_later,
)
