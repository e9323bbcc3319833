"""The backups of a service at one look: what should be there for them, what is known of them, and when that changes by itself."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime

from hardened.api.backup import Backup
from hardened.core.desired.cron_job import (
    cron_job,
    cron_job_name,
    find_hand_job,
    find_hand_job_name,
    hand_job,
    hand_job_name,
    restore_hand_job,
    restore_hand_job_name,
    verify_cron_job,
    verify_cron_job_name,
    verify_hand_job,
    verify_hand_job_name,
)
from hardened.core.desired.restic_pod import BackupRun
from hardened.core.desired.restore_pod import Restoring
from hardened.core.model.conditions import Condition
from hardened.core.model.kit import BackupKit
from hardened.core.model.manifest import ChildKey, Manifest, key_of
from hardened.core.model.reasons import Reason
from hardened.core.model.revision import Revision
from hardened.core.model.run import Record
from hardened.core.observe.facts import Facts
from hardened.core.observe.rollout import instant
from hardened.core.revisions.history import backup_of
from hardened.core.revisions.revision import revision_of
from hardened.core.runs.judgement import backed_up, remembered, turns_at
from hardened.core.runs.record import records_of


@dataclass(frozen=True)
class HandRun:
    """A backup that somebody asked for, or a release takes first, its verification or its restore, that has no Job yet."""

    backup: str
    """Its name."""
    cause: str
    """The uid of the action, or what the release is known by that takes it first."""
    tags: tuple[str, ...] = ()
    """Of its snapshot, beside those that all of this backup have."""
    verifies: bool = False
    """It is to be verified, and not made."""
    restores: Restoring | None = None
    """What is to be restored of it; None where it is made, or verified."""
    finds: bool = False
    """That is looked up, and not restored."""


@dataclass(frozen=True)
class Backups:
    """All that the plan goes by."""

    schedules: tuple[Manifest, ...] = ()
    """The CronJobs that should be there."""
    jobs: tuple[Manifest, ...] = ()
    """The Jobs by hand that are to be made."""
    surplus: frozenset[ChildKey] = field(default_factory=frozenset)
    """CronJobs of ours of which the spec has no backup."""
    records: tuple[Record, ...] = ()
    """As status should have them."""
    condition: Condition | None = None
    """BackedUp; None for a service without backups."""
    look_at: datetime | None = None
    """When it is to be looked at again, if nothing happens before."""


def backups_of(facts: Facts, kit: BackupKit, wanted: Sequence[HandRun], *, has_pods: bool, now: datetime) -> Backups:
    """wanted: what was asked for; has_pods: see BackupRun."""
    svc, before = facts.svc, records_of(facts.before)
    if "backups" in svc.lacks:
        text = "spec.backups cannot be used: schedules stay as they were until it is fixed"
        return Backups(records=tuple(before.values()), condition=Condition("BackedUp", False, Reason.INVALID_SPEC, text))
    names_wanted = {key.name for each in svc.spec.backups or () for key in _schedule_keys(facts, each)}
    schedules = frozenset(key_of(live) for live in facts.ours if live["kind"] == "CronJob")
    surplus = frozenset(key for key in schedules if key.name not in names_wanted)
    if not svc.spec.backups:
        return Backups(surplus=surplus)
    records = remembered(svc, before, facts.runs, now, is_held=facts.hold is not None)
    made = {each.name: backup_run(facts, kit, each, record, has_pods=has_pods) for each, record in _paired(svc.spec.backups, records)}
    since = _verified_since(facts, svc.spec.backups)
    moments = [at for at in turns_at(svc, records, since) if at > now]
    return Backups(
        tuple(each for record in records if made[record.name].can_run for each in _schedules(facts, made[record.name], record)),
        tuple(job for each in wanted if each.backup in made and (job := _hand_job(facts, made[each.backup], each))),
        surplus,
        tuple(records),
        backed_up(svc, records, since, _troubles(facts, svc.spec.backups), bool(kit.image), now),
        min(moments, default=None),
    )


def _paired(backups: Sequence[Backup], records: Sequence[Record]) -> list[tuple[Backup, Record]]:
    return list(zip(backups, records, strict=True))


def backup_run(facts: Facts, kit: BackupKit, backup: Backup, record: Record, *, has_pods: bool) -> BackupRun:
    """What the pods of a backup are made from now."""
    tags = tuple(revision_tag(revision_of(live)) for live in facts.kept.usable if _keeps_data(facts, revision_of(live)))
    return BackupRun(backup, kit, promoted(facts), has_pods, may_init=record.success is None, keep_tags=tags)


def _keeps_data(facts: Facts, revision: str) -> bool:
    """Whether the data of then lives as long as the revision, which was promoted: it may be rolled back to, or status names the snapshot.

    What was rejected since cannot be rolled back to. Its snapshot goes by the retention once it has left the history.
    """
    known = facts.annotations(revision)
    if not known.promotion:
        return False
    return known.rejection() is None or backup_of(facts.before, revision) is not None


def revision_tag(revision: str) -> str:
    """The tag of snapshots of the data as it was when this revision was about to be replaced."""
    return f"revision-{revision}"


def promoted(facts: Facts) -> Revision | None:
    """The revision that was promoted last; None for none that is known."""
    stable = facts.stable.target if facts.stable else None
    return facts.revision(stable.revision, stable.color) if stable else None


def hand_job_key(facts: Facts, wanted: HandRun) -> ChildKey:
    """The Job that is made for it."""
    if wanted.restores:
        name_of = find_hand_job_name if wanted.finds else restore_hand_job_name
    else:
        name_of = verify_hand_job_name if wanted.verifies else hand_job_name
    return ChildKey("Job", name_of(facts.svc, wanted.backup, wanted.cause))


def _hand_job(facts: Facts, run: BackupRun, wanted: HandRun) -> Manifest | None:
    if not run.can_run:
        return None
    if wanted.restores:
        return (find_hand_job if wanted.finds else restore_hand_job)(facts.svc, run, wanted.restores, wanted.cause)
    return verify_hand_job(facts.svc, run, wanted.cause) if wanted.verifies else hand_job(facts.svc, run.tagged(wanted.tags), wanted.cause)


def _schedules(facts: Facts, run: BackupRun, record: Record) -> list[Manifest]:
    svc, rests, makes_up = facts.svc, record.is_suspended, record.resumed_at is None
    made = cron_job(svc, run, is_suspended=rests, makes_up=makes_up, is_held=facts.hold is not None)
    verifies = verify_cron_job(svc, run, is_suspended=rests, makes_up=makes_up)
    return [made, verifies] if verifies else [made]


def _schedule_keys(facts: Facts, backup: Backup) -> list[ChildKey]:
    """The CronJobs of a backup: its own, and that of its verification where it has one."""
    own = ChildKey("CronJob", cron_job_name(facts.svc, backup.name))
    return [own, ChildKey("CronJob", verify_cron_job_name(facts.svc, backup.name))] if backup.verify else [own]


def _verified_since(facts: Facts, backups: Sequence[Backup]) -> dict[str, datetime]:
    """Since when a schedule verifies each backup, by name: a first verification is not overdue before it could have been made."""
    made = {key_of(live): instant(live["metadata"].get("creationTimestamp")) for live in facts.ours if live["kind"] == "CronJob"}
    found = {each.name: made.get(_schedule_keys(facts, each)[-1]) for each in backups if each.verify}
    return {name: at for name, at in found.items() if at}


def _troubles(facts: Facts, backups: Sequence[Backup]) -> dict[str, str]:
    """Why schedules cannot be written, by backup."""
    refused = facts.observed.refused
    found = {each.name: next((refused[key] for key in _schedule_keys(facts, each) if key in refused), None) for each in backups}
    return {name: f"its CronJob cannot be written: {failure.message}" for name, failure in found.items() if failure}
