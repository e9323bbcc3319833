"""How a service gets from one revision to another: what its stacks and Services should be like now, by its release strategy."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from hardened.api.steps import Step
from hardened.core.actions import admission, backups, restores
from hardened.core.actions.admission import Admission
from hardened.core.actions.log import LogEntry, entries_of
from hardened.core.actions.seeking import seeking
from hardened.core.checks.pods import CheckPod, check_pods, grace_of, removal_pods
from hardened.core.checks.proof import look_at, proven, removal
from hardened.core.checks.queries import next_due, sampled
from hardened.core.checks.reports import CheckResults, check_results, removal_results, watched
from hardened.core.desired.metadata import stack_selector
from hardened.core.desired.service import is_previewed
from hardened.core.hold.dependents import leader
from hardened.core.hold.door import left_over
from hardened.core.hold.machine import held
from hardened.core.hold.starting import is_starting, with_target
from hardened.core.model.hold import hold_of
from hardened.core.model.input import Input, Verdict
from hardened.core.model.kit import Kit
from hardened.core.model.manifest import Manifest
from hardened.core.model.question import ListPods
from hardened.core.model.release_policy import LEAST_KEEP, ReleasePolicy
from hardened.core.model.state import Rejection, ReleaseState
from hardened.core.model.target import COLORS, DesiredState, Target, other
from hardened.core.model.written import proof_of
from hardened.core.needs import preflight
from hardened.core.needs.dependencies import dependency_pods, unavailable, waits_for
from hardened.core.needs.dependency_states import dependency_states, is_news
from hardened.core.needs.lacks import Lacks, lacks_of
from hardened.core.needs.room import cause_of, needs_pods
from hardened.core.observe.disruptions import are_taken_away
from hardened.core.observe.facts import Facts
from hardened.core.release import machine
from hardened.core.release.annotating import are_refused, cleared_by
from hardened.core.release.decision import Decision
from hardened.core.release.first_backup import backup_progress, due_runs, trouble
from hardened.core.release.inputs import input_of, release_policy
from hardened.core.release.migration_pods import migration_pods, migration_run
from hardened.core.release.moves import to_undo
from hardened.core.release.moving import Moved, moved
from hardened.core.release.questions import goes_back, what_checks_measure
from hardened.core.release.requests import admitted, is_proven, with_requests
from hardened.core.release.slots import given_up
from hardened.core.release.stacks import active_fencing_token, route_to, stacks_of
from hardened.core.release.suspension import asleep, stands_still, woken


def decide(facts: Facts, kit: Kit, now: datetime) -> Decision:
    """By the strategy of the release that is at work; of the spec, where none is."""
    state = facts.state
    if state and state.remaining is not None and not (state.paused_at or facts.svc.spec.suspend or facts.svc.is_stand_in):
        state = given_up(woken(state, release_policy(facts.svc.spec), now), facts.stable is None)
    decision = _decide(facts, None if state and _makes_way(facts, state, now) else state, kit, now)
    return _proven(facts, state, decision, kit, now)


def _proven(facts: Facts, state: ReleaseState | None, decision: Decision, kit: Kit, now: datetime) -> Decision:
    """The decision with the probe of a removal, and with what the probes have counted. Nothing else depends on it."""
    before = proof_of(facts.before)
    probe = removal_pods(facts, removal(state, before, now), kit)
    grace = grace_of(facts, other(state.target.color)) if state else timedelta()
    times = [moment for moment in (decision.look_at, look_at(state, before, now)) if moment]
    # One that keeps no previous colour is over as soon as its window is: nothing is written of it any more but this.
    told = replace(state, outcomes=decision.outcomes) if state and state.step is Step.VERIFY_AFTER and decision.state is None else state
    return replace(
        decision,
        proof=proven(before, told, decision.state, removal_results(facts, probe), grace, now),
        check_pods=(*decision.check_pods, *probe),
        look_at=min(times, default=None),
    )


def _makes_way(facts: Facts, state: ReleaseState, now: datetime) -> bool:
    """Whether a blue-green release is over since the spec asks for another revision, and for another strategy."""
    if state.strategy != "BlueGreen" or facts.svc.spec.effective_strategy == "BlueGreen":
        return False
    if state.is_rollback or state.paused_at or state.migration or facts.svc.spec.suspend or facts.svc.is_stand_in:
        return False  # a migration is to be undone first
    is_other = facts.wanted.name != state.target.revision
    if state.step is Step.KEEP:
        is_kept = state.cutover_at is not None and now < state.cutover_at + LEAST_KEEP
        return is_other and not is_kept
    return state.is_before_cutover and is_other


@dataclass(frozen=True)
class _Look:
    """What is known of a release before it moves."""

    state: ReleaseState | None
    """As it was written, less what has stood still."""
    seen: Input
    results: CheckResults
    pods: Sequence[CheckPod]
    """Those that check it in its step."""
    others: Sequence[CheckPod]
    """Those that migrate for it, and that ask whether what it depends on is there."""
    dependencies: tuple[Manifest, ...]
    """See Decision."""
    lacks: Lacks
    admission: Admission
    before: tuple[LogEntry, ...]
    """What status remembers of actions."""


def _look(facts: Facts, state: ReleaseState | None, policy: ReleasePolicy, kit: Kit, now: datetime) -> _Look:
    pods = check_pods(facts, state, policy, kit, now)
    known = sampled(facts.svc, state, facts.observed.samples, now) if state and facts.observed.samples else state
    results = check_results(facts, known, pods, bool(kit.image))
    asking = dependency_pods(facts, state, kit)
    seen = input_of(facts, known, results, policy, now)
    lacks = lacks_of(facts, state, pods, seen, kit)
    needs = replace(
        lacks.needs(cause_of(facts, state)),
        waits_for=waits_for(facts, asking, kit),
        waits_for_services=bool(unavailable(facts)),
        asks_for_pods=state is not None and needs_pods(facts, state, now, has_failed=results.before[0] is Verdict.FAILED),
    )
    seen = replace(seen, needs=needs, backup=backup_progress(facts, state, kit.backup), migration=migration_run(facts, state, now))
    found = admitted(facts, known, seen, kit.backup)
    seen = with_requests(seen, found, known, facts.hold)
    seen = replace(
        seen,
        is_proven=is_proven(facts, state, seen),
        is_taken_away=_is_taken_away(facts, state),
        is_blind=seen.is_blind or not facts.observed.sees_pods,
    )
    return _Look(
        state,
        seen,
        results,
        pods,
        [*migration_pods(facts, state), *asking],
        dependency_states(facts, asking, now),
        lacks,
        found,
        entries_of(facts.before),
    )


def _decide(facts: Facts, state: ReleaseState | None, kit: Kit, now: datetime) -> Decision:
    look = _look(facts, state, release_policy(facts.svc.spec), kit, now)
    seen = look.seen
    is_at_rest = _is_held(facts, look.admission.entries, state)
    lists_pods = not is_at_rest and facts.observed.pods is None and facts.observed.sees_pods and machine.goes_by_pods(state, seen)
    move = _move(facts, look, kit, lists_pods=lists_pods)
    after = _after(facts, look, move.state)
    entries = admission.settled(look.admission.entries, after, seen, facts.rejected_keys(), move.failed, now)
    entries = restores.settled(backups.settled(entries, facts, now), facts, kit.backup, now)
    has_image, is_released = bool(kit.backup.image), after is not None and after.step is not Step.KEEP
    holds = held(facts, entries, seen.replicas, now, has_image=has_image, is_released=is_released)
    entries = restores.told(entries, holds.hold)
    is_held = after is not None and after.step is Step.PREFLIGHT and not after.paused_at and seen.needs.is_held
    told = after if _is_led_back_unwritten(facts, state, after) else state
    wanted = with_target(facts, machine.desired(told, seen))
    serving = _serving(facts, seen, wanted)
    marked = () if look.admission.is_news else move.marked  # what was decided is written down first
    measures = None if goes_back(facts, after, marked) else what_checks_measure(facts, state, now)
    return Decision(
        stacks=tuple(each for color in COLORS for each in stacks_of(facts, told, color, wanted.stacks.get(color), seen)),
        active_route=replace(
            route_to(facts, wanted.active_target, seen.stable, seen.strategy_at_work), fencing_token=active_fencing_token(facts, told)
        ),
        preview_route=route_to(facts, wanted.preview_target, seen.stable) if _has_preview(facts, state, seen) else None,
        serving=serving,
        focus=_focus(after, serving),
        replicas=seen.replicas,
        state=after,
        has_moved=_is_further(after, facts.state)
        or entries != look.before
        or holds.has_moved(hold_of(facts.before))
        or is_news(facts, look.dependencies),
        marked=marked,
        check_pods=(*look.pods, *look.others),
        outcomes=look.results.outcomes,
        actions=entries,
        rejection=_pin(facts, seen),
        is_back=_is_back(after, seen),
        question=ListPods() if lists_pods else measures or move.question or holds.question,
        waits_for=seen.needs.waits_for if after and _waits(after) else "",
        hold=holds.hold,
        intruders=holds.intruders,
        lets_go=holds.lets_go,
        unwanted_jobs=left_over(facts, entries) | ({holds.takes_back} if holds.takes_back else set()),
        runs=(
            *backups.wanted_runs(entries),
            *restores.wanted_runs(entries, facts.hold, may_begin=holds.may_begin),
            *due_runs(facts.state, after, seen.backup, now),
        ),
        dependencies=look.dependencies,
        room=look.lacks.room(state, after, is_held=is_held) or trouble(after, seen.backup, now),
        config=look.lacks.short.config if is_held else None,
        look_at=min((at for at in (_look_at(facts, look, move, after, is_held=is_held), holds.look_at) if at), default=None),
    )


def _move(facts: Facts, look: _Look, kit: Kit, *, lists_pods: bool) -> Moved:
    """How far the release gets; nowhere, before the pods are listed, or what somebody wants to be tried again is cleared."""
    state = look.admission.state
    if _is_held(facts, look.admission.entries, state):
        # What is kept for a rollback goes, too: its pods would come back on other data. It stays while a snapshot is looked up.
        is_sought = facts.hold is None and seeking(look.admission.entries) is not None
        return Moved(None if state and state.step is Step.KEEP and not is_sought else state)
    cleared = cleared_by(facts, admission.pending_retry(look.before))
    cleared = () if are_refused(facts, cleared) else cleared
    # In place nothing tells one version's pods from another's but the pods.
    is_unseen = look.seen.in_place is not None and not facts.observed.sees_pods
    if lists_pods or cleared or is_unseen:
        return Moved(state, cleared)
    found = moved(facts, state, look.seen, kit)
    # After a rollback with data there is nothing to be led back to: what was left must not run on it.
    return replace(found, state=None) if found.failed and is_starting(facts, look.admission.entries) else found


def _is_held(facts: Facts, entries: tuple[LogEntry, ...], state: ReleaseState | None) -> bool:
    """Whether no release begins, nor goes on: a restore replaces the data, or has failed to; or will, and no release is at work."""
    if facts.hold is not None or restores.replacing(entries) is not None or seeking(entries) is not None:
        return not is_starting(facts, entries)
    return (state is None or state.step is Step.KEEP) and leader(facts) is not None


def _after(facts: Facts, look: _Look, found: ReleaseState | None) -> ReleaseState | None:
    """The state after the move, with what its checks said in it."""
    before = look.state
    if found and before and found.started_at == before.started_at:
        begins_anew = found.step is Step.CUTOVER and before.step is Step.VERIFY_AFTER
        found = replace(found, outcomes=() if begins_anew else look.results.outcomes)
        if found.step is Step.VERIFY_AFTER is not before.step:
            found = watched(facts, found, look.pods)
    return asleep(found, look.seen.now) if found and stands_still(facts.svc, found) else found


def _look_at(facts: Facts, look: _Look, move: Moved, after: ReleaseState | None, *, is_held: bool) -> datetime | None:
    is_polled = look.lacks.are_told_by_nobody(after, is_held=is_held)
    polled_at = look.seen.now + preflight.WAIT if is_polled else None
    times = [move.look_at, next_due(facts.svc, after, facts.observed.unanswered), polled_at]
    return min((moment for moment in times if moment), default=None)


def _focus(state: ReleaseState | None, serving: Target | None) -> str:
    """The colour whose pods are waited for."""
    if state is not None and state.step not in (Step.KEEP, Step.SWITCH_BACK):
        return state.target.color
    return serving.color if serving else COLORS[0]


def _is_taken_away(facts: Facts, state: ReleaseState | None) -> bool:
    """Whether the state's target has lost its pods by no fault of its own."""
    if state is None or state.step not in (Step.CUTOVER, Step.VERIFY_AFTER):
        return False
    if not facts.observed.sees_pods:
        return True  # nobody can say that it has failed by itself
    return are_taken_away(facts.pods_at(state.target), state.cutover_at or state.entered_at or state.started_at)


def _is_led_back_unwritten(facts: Facts, state: ReleaseState | None, found: ReleaseState | None) -> bool:
    """Whether traffic goes back before that is written down, since status is not taken: what is seen says the same at the next look."""
    is_back = state is not None and found is not None and state.step.row.is_unproven and found.step is Step.SWITCH_BACK
    return is_back and not facts.observed.keeps_status


def _is_further(state: ReleaseState | None, before: ReleaseState | None) -> bool:
    """Whether anything of this look follows from it. Nothing does from a slot that was given up: others may have it, later."""
    if state is None or before is None:
        return state is not before
    return replace(state, has_released_slot=before.has_released_slot) != before


def _has_preview(facts: Facts, state: ReleaseState | None, seen: Input) -> bool:
    """It is made once somebody is to look at it, and stays. In place it leads to nobody, and goes with the next promotion."""
    if seen.strategy_at_work == "BlueGreen":
        return is_previewed(facts.svc.spec) or facts.preview is not None
    return facts.preview is not None and state is not None


def _pin(facts: Facts, seen: Input) -> Rejection | None:
    """Why what the spec asks for is not released. What is stable by now is never pending, also where it once failed the same checks."""
    if seen.stable and seen.wanted == seen.stable.revision:
        return None
    return next((r for r in facts.rejections() if r.key == seen.key and r.key in seen.rejected), None)


def _is_back(state: ReleaseState | None, seen: Input) -> bool:
    """Whether what the spec asks for serves in SwitchBack already: all that is left to do is to take pods down.

    Not where a migration is to be undone, nor where the revision was rejected.
    """
    if state is None or state.step is not Step.SWITCH_BACK or state.is_rejected or state.confirmed_at is None:
        return False
    is_wanted = seen.stable is not None and seen.wanted == seen.stable.revision
    return is_wanted and not (seen.migration.undoes_late and to_undo(state, seen))


def _serving(facts: Facts, seen: Input, wanted: DesiredState) -> Target | None:
    """Where clients' traffic goes; what works, where it has no clients."""
    led, here = wanted.active_target, seen.in_place
    rollout = facts.rollout(led.color) if led else None
    if here is None or led is None or rollout is None or (here.has_clients and facts.active_service):
        return seen.traffic.active_target or _led_in_place(facts, seen)
    return Target(led.color, rollout.revision)


def _led_in_place(facts: Facts, seen: Input) -> Target | None:
    """What served in place before this blue-green release: a selector of a colour alone leads to all of its pods."""
    found, stable = (facts.active_service or {}).get("spec", {}).get("selector"), seen.stable
    if stable is None or found != stack_selector(facts.svc, stable.color):
        return None
    rollout = facts.rollout(stable.color)
    return stable if rollout and rollout.revision == stable.revision else None


def _waits(state: ReleaseState) -> bool:
    """Whether the release waits for what it depends on, and for nothing else."""
    is_late = state.step is Step.SCALE_UP and state.deadline is None and not state.is_rollback
    return state.paused_at is None and (state.step is Step.PREFLIGHT or is_late)
