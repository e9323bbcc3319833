"""The migration of a release, and what undoes it: pods that are made once, and what came of them.

What undoes a migration is marked on its revision before the migration begins: by the time that it is needed, the spec may say something
else. That a pod was made is written into the state at once, and one that is in the state is never made again: a pod that is lost after
that has failed.
"""

import math
from datetime import UTC, datetime, timedelta

from hardened.api import names
from hardened.api.steps import Step
from hardened.core.checks.asked import purpose_strangeness
from hardened.core.checks.pods import CheckPod
from hardened.core.checks.tasks import Purpose, pod_name, told
from hardened.core.checks.verdicts import once_result, results_of
from hardened.core.desired.check_pod import once_pod
from hardened.core.model.annotations import BegunMigration
from hardened.core.model.input import MigrationRun, Verdict
from hardened.core.model.manifest import ChildKey, Manifest, key_of
from hardened.core.model.release_policy import POD_START
from hardened.core.model.state import Migration, ReleaseState
from hardened.core.observe.facts import Facts, is_at
from hardened.core.observe.observed import may_run
from hardened.core.observe.task_pods import interruption, is_over, is_running


def mark_of(facts: Facts, state: ReleaseState) -> BegunMigration | None:
    """What is to be marked on the state's revision before its migration begins; None where the spec has none."""
    migrate = facts.svc.spec.release.migrate
    if migrate is None:
        return None
    undo = migrate.undo
    command, undoes_late = (tuple(undo.command), undo.after_cutover) if undo else ((), False)
    since = facts.stable.promotion if facts.stable else 0
    return BegunMigration(_release(state), migrate.deadline, command, undoes_late, since)


def migration_pods(facts: Facts, state: ReleaseState | None) -> list[CheckPod]:
    """The pods that the state's release has made, and the one that it is to make now."""
    if state is None:
        return []
    found = [_kept(live) for purpose in (Purpose.MIGRATE, Purpose.UNDO) if (live := _live(facts, state, purpose))]
    mark, migrate = _marked(facts, state), facts.svc.spec.release.migrate
    if mark is None:
        return found
    is_first = state.step is Step.MIGRATE and state.migration is None and not state.paused_at
    if is_first and migrate and not _live(facts, state, Purpose.MIGRATE):
        found += _pod(facts, state, Purpose.MIGRATE, tuple(migrate.command), mark)
    is_next = state.step is Step.UNDO and state.migration is Migration.DONE and _is_empty(facts, state)
    if is_next and mark.undo and not _live(facts, state, Purpose.UNDO):
        found += _pod(facts, state, Purpose.UNDO, mark.undo, mark)
    return found


def migration_run(facts: Facts, state: ReleaseState | None, now: datetime) -> MigrationRun:
    """What is known of the state's migration."""
    is_busy = any(_may_end_yet(live, now) for live in facts.ours)
    if state is None:
        return MigrationRun(is_busy=is_busy)
    mark, made = _marked(facts, state), _live(facts, state, Purpose.MIGRATE)
    return MigrationRun(
        is_busy=is_busy and state.migration is Migration.NOT_UNDONE,
        is_marked=mark is not None and mark == mark_of(facts, state),
        is_made=made is not None,
        is_running=made is not None and _may_end_yet(made, now),
        migrated=_result(facts, state, Purpose.MIGRATE, now),
        is_interrupted=state.migration is not None and (made is None or bool(_lost(facts, state, made))),
        undo_within=mark.within + POD_START if mark and mark.undo else None,
        undoes_late=mark is not None and mark.undoes_late,
        is_undo_made=_live(facts, state, Purpose.UNDO) is not None,
        undone=_result(facts, state, Purpose.UNDO, now),
    )


def unseen_pods(facts: Facts, state: ReleaseState | None) -> frozenset[ChildKey]:
    """The pods that were made, and are not known of: who took their labels has not ended them, and what undoes one never runs beside it."""
    if state is None or state.migration not in (Migration.MADE, Migration.UNDOING):
        return frozenset()
    purpose = Purpose.MIGRATE if state.migration is Migration.MADE else Purpose.UNDO
    return facts.observed.unknown({ChildKey("Pod", _name(facts, state, purpose))})


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
    return not began or now < datetime.fromisoformat(began) + timedelta(seconds=seconds) + POD_START


def _release(state: ReleaseState) -> str:
    return state.started_at.astimezone(UTC).isoformat()


def _marked(facts: Facts, state: ReleaseState) -> BegunMigration | None:
    """The mark of this very release."""
    found = facts.annotations(state.target.revision).migrated
    return found if found and found.release == _release(state) else None


def _name(facts: Facts, state: ReleaseState, purpose: Purpose) -> str:
    return pod_name(facts.svc, state.target, state.started_at, purpose)


def _live(facts: Facts, state: ReleaseState, purpose: Purpose) -> Manifest | None:
    has_pods = any(child["kind"] == "Pod" for child in facts.ours)
    return facts.mine("Pod", _name(facts, state, purpose)) if has_pods else None


def _kept(live: Manifest) -> CheckPod:
    return CheckPod(live, (), results_of, is_once=True)


def _pod(facts: Facts, state: ReleaseState, purpose: Purpose, command: tuple[str, ...], mark: BegunMigration) -> list[CheckPod]:
    revision = facts.revision(state.target.revision, state.target.color)
    if revision is None or not revision.fields:
        return []
    seconds = math.ceil(mark.within.total_seconds())
    env = told(facts.svc, state.target, purpose)
    return [_kept(once_pod(facts.svc, revision, _name(facts, state, purpose), command, env, seconds=seconds))]


def _result(facts: Facts, state: ReleaseState, purpose: Purpose, now: datetime) -> tuple[Verdict, str]:
    live = _live(facts, state, purpose)
    if live and (why := _strangeness(facts, state, purpose, live)):
        return Verdict.FAILED, f"pod {live['metadata']['name']} is not the one that the operator asked for: {why}"
    if live and interruption(live) and not is_over(live) and not _may_end_yet(live, now):
        return Verdict.FAILED, f"pod {_name(facts, state, purpose)} was lost ({interruption(live)}), and it is unknown how far it came"
    if live:
        return once_result(facts.svc, live, now)
    if state.migration is None:
        return Verdict.UNKNOWN, ""  # none was made
    return Verdict.FAILED, f"pod {_name(facts, state, purpose)} was lost, and it is unknown how far it came"


def _lost(facts: Facts, state: ReleaseState, made: Manifest) -> str:
    """Why the pod of the migration, of which this is said to be it, has not come to its end by itself."""
    return _strangeness(facts, state, Purpose.MIGRATE, made) or interruption(made)


def _strangeness(facts: Facts, state: ReleaseState, purpose: Purpose, live: Manifest) -> str:
    """Why a pod is not the one that was asked for. Where the spec has gone on, nobody knows by now what that was."""
    mark, migrate, known = _marked(facts, state), facts.svc.spec.release.migrate, facts.observed.made.get(key_of(live))
    command = mark.undo if mark and purpose is Purpose.UNDO else ()
    is_asked_now = mark is not None and mark == mark_of(facts, state) and facts.wanted.name == state.target.revision
    if purpose is Purpose.MIGRATE and migrate and is_asked_now:
        command = tuple(migrate.command)
    asked = _pod(facts, state, purpose, command, mark) if mark and command else []
    if not asked and known is None:
        return ""
    return purpose_strangeness(asked[0].manifest if asked else live, live, known)


def _is_empty(facts: Facts, state: ReleaseState) -> bool:
    """Whether no pod of the revision may run any more, nor can one come of what its Deployment was asked for last."""
    rollout, target = facts.rollout(state.target.color), state.target
    may_come = rollout is not None and (not rollout.is_current or (rollout.revision == target.revision and rollout.wanted > 0))
    pods = [*facts.pods_at(target), *(pod for pod in facts.orphans if is_at(pod, target))]
    return facts.pods is not None and not may_come and not any(map(may_run, pods))
