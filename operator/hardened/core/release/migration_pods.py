"""The migration of a release, and what undoes it: pods that are made once, and what came of them.

What undoes a migration is marked on its revision before the migration begins: by the time that it is needed, the spec may say something
else. That a pod was made is written into the record at once, and one that is in the record is never made again: a pod that is lost after
that has failed.
"""

import math
from datetime import UTC, datetime, timedelta

from hardened.api import names
from hardened.core.checks.asked import purpose_strangeness
from hardened.core.checks.pods import CheckPod
from hardened.core.checks.tasks import Purpose, pod_name, told
from hardened.core.checks.verdicts import once_result, results_of
from hardened.core.desired.check_pod import START_SECONDS, once_pod
from hardened.core.model.annotations import BegunMigration
from hardened.core.model.manifest import ChildKey, Manifest, key_of
from hardened.core.model.release import Hooks, Migration, ReleaseState, Step, Verdict
from hardened.core.observe.facts import Facts, is_at
from hardened.core.observe.observed import may_run
from hardened.core.observe.task_pods import interruption, is_over, is_running

#: Beyond the deadline of a pod, which counts from when a node took it.
START = timedelta(seconds=START_SECONDS)


def mark_of(facts: Facts, record: ReleaseState) -> BegunMigration | None:
    """What is to be marked on the record's revision before its migration begins; None where the spec has none."""
    migrate = facts.svc.spec.release.migrate
    if migrate is None:
        return None
    undo = migrate.undo
    command, undoes_late = (tuple(undo.command), undo.after_cutover) if undo else ((), False)
    since = facts.stable.promotion if facts.stable else 0
    return BegunMigration(_release(record), migrate.deadline, command, undoes_late, since)


def migration_pods(facts: Facts, record: ReleaseState | None) -> list[CheckPod]:
    """The pods that the record's release has made, and the one that it is to make now."""
    if record is None:
        return []
    found = [_kept(live) for purpose in (Purpose.MIGRATE, Purpose.UNDO) if (live := _live(facts, record, purpose))]
    mark, migrate = _marked(facts, record), facts.svc.spec.release.migrate
    if mark is None:
        return found
    is_first = record.step is Step.MIGRATE and record.migration is None and not record.paused_at
    if is_first and migrate and not _live(facts, record, Purpose.MIGRATE):
        found += _pod(facts, record, Purpose.MIGRATE, tuple(migrate.command), mark)
    is_next = record.step is Step.UNDO and record.migration is Migration.DONE and _is_empty(facts, record)
    if is_next and mark.undo and not _live(facts, record, Purpose.UNDO):
        found += _pod(facts, record, Purpose.UNDO, mark.undo, mark)
    return found


def migration_of(facts: Facts, record: ReleaseState | None, now: datetime) -> Hooks:
    """What is known of the record's migration."""
    is_busy = any(_may_end_yet(live, now) for live in facts.ours)
    if record is None:
        return Hooks(is_busy=is_busy)
    mark, made = _marked(facts, record), _live(facts, record, Purpose.MIGRATE)
    return Hooks(
        is_busy=is_busy and record.migration is Migration.NOT_UNDONE,
        is_marked=mark is not None and mark == mark_of(facts, record),
        is_made=made is not None,
        is_running=made is not None and _may_end_yet(made, now),
        migrated=_result(facts, record, Purpose.MIGRATE, now),
        is_interrupted=record.migration is not None and (made is None or bool(_lost(facts, record, made))),
        undo_within=mark.within + START if mark and mark.undo else None,
        undoes_late=mark is not None and mark.undoes_late,
        is_undo_made=_live(facts, record, Purpose.UNDO) is not None,
        undone=_result(facts, record, Purpose.UNDO, now),
    )


def unseen_pods(facts: Facts, record: ReleaseState | None) -> frozenset[ChildKey]:
    """The pods that were made, and are not known of: who took their labels has not ended them, and what undoes one never runs beside it."""
    if record is None or record.migration not in (Migration.MADE, Migration.UNDOING):
        return frozenset()
    purpose = Purpose.MIGRATE if record.migration is Migration.MADE else Purpose.UNDO
    seen = facts.observed.children.keys() | facts.observed.absent | facts.observed.hidden
    return frozenset({ChildKey("Pod", _name(facts, record, purpose))}) - seen


def needs_pods(record: ReleaseState) -> bool:
    """Whether it counts that no pod of the revision is left: what it wrote until its end may need the new schema."""
    return record.step is Step.UNDO and record.migration is Migration.DONE


def is_at_work(live: Manifest) -> bool:
    """Whether a pod runs a migration, or undoes one: it is never interrupted."""
    is_once = names.ONCE_ANNOTATION in (live["metadata"].get("annotations") or {})
    return live["kind"] == "Pod" and is_once and is_running(live)


def _may_end_yet(live: Manifest, now: datetime) -> bool:
    """Whether it is at work, and its end may still be told: a kubelet ends it at its own deadline, without an API server too."""
    if not is_at_work(live):
        return False
    began, seconds = live["status"].get("startTime"), live["spec"].get("activeDeadlineSeconds")
    if not seconds:
        return False  # ours all have one: nobody waits for somebody else's without an end
    return not began or now < datetime.fromisoformat(began) + timedelta(seconds=seconds) + START


def _release(record: ReleaseState) -> str:
    return record.started_at.astimezone(UTC).isoformat()


def _marked(facts: Facts, record: ReleaseState) -> BegunMigration | None:
    """The mark of this very release."""
    found = facts.marks(record.place.revision).migrated
    return found if found and found.release == _release(record) else None


def _name(facts: Facts, record: ReleaseState, purpose: Purpose) -> str:
    return pod_name(facts.svc, record.place, record.started_at, purpose)


def _live(facts: Facts, record: ReleaseState, purpose: Purpose) -> Manifest | None:
    has_pods = any(child["kind"] == "Pod" for child in facts.ours)
    return facts.mine("Pod", _name(facts, record, purpose)) if has_pods else None


def _kept(live: Manifest) -> CheckPod:
    return CheckPod(live, (), results_of, is_once=True)


def _pod(facts: Facts, record: ReleaseState, purpose: Purpose, command: tuple[str, ...], mark: BegunMigration) -> list[CheckPod]:
    revision = facts.revision(record.place.revision, record.place.color)
    if revision is None or not revision.fields:
        return []
    seconds = math.ceil(mark.within.total_seconds())
    env = told(facts.svc, record.place, purpose)
    return [_kept(once_pod(facts.svc, revision, _name(facts, record, purpose), command, env, seconds=seconds))]


def _result(facts: Facts, record: ReleaseState, purpose: Purpose, now: datetime) -> tuple[Verdict, str]:
    live = _live(facts, record, purpose)
    if live and (why := _strangeness(facts, record, purpose, live)):
        return Verdict.FAILED, f"pod {live['metadata']['name']} is not the one that was asked for: {why}"
    if live and interruption(live) and not is_over(live) and not _may_end_yet(live, now):
        return Verdict.FAILED, f"pod {_name(facts, record, purpose)} was lost ({interruption(live)}), and nobody knows how far it came"
    if live:
        return once_result(facts.svc, live, now)
    if record.migration is None:
        return Verdict.UNKNOWN, ""  # none was made
    return Verdict.FAILED, f"pod {_name(facts, record, purpose)} was lost, and nobody knows how far it came"


def _lost(facts: Facts, record: ReleaseState, made: Manifest) -> str:
    """Why the pod of the migration, of which this is said to be it, has not come to its end by itself."""
    return _strangeness(facts, record, Purpose.MIGRATE, made) or interruption(made)


def _strangeness(facts: Facts, record: ReleaseState, purpose: Purpose, live: Manifest) -> str:
    """Why a pod is not the one that was asked for. Where the spec has gone on, nobody knows by now what that was."""
    mark, migrate, known = _marked(facts, record), facts.svc.spec.release.migrate, facts.observed.made.get(key_of(live))
    command = mark.undo if mark and purpose is Purpose.UNDO else ()
    is_asked_now = mark is not None and mark == mark_of(facts, record) and facts.wanted.name == record.place.revision
    if purpose is Purpose.MIGRATE and migrate and is_asked_now:
        command = tuple(migrate.command)
    asked = _pod(facts, record, purpose, command, mark) if mark and command else []
    if not asked and known is None:
        return ""
    return purpose_strangeness(asked[0].manifest if asked else live, live, known)


def _is_empty(facts: Facts, record: ReleaseState) -> bool:
    """Whether no pod of the revision may run any more, nor can one come of what its Deployment was asked for last."""
    rollout, place = facts.rollout(record.place.color), record.place
    may_come = rollout is not None and (not rollout.is_current or (rollout.revision == place.revision and rollout.wanted > 0))
    pods = [*facts.pods_at(place), *(pod for pod in facts.orphans if is_at(pod, place))]
    return facts.pods is not None and not may_come and not any(map(may_run, pods))
