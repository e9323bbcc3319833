"""The release state machine: what is to happen next with a new revision of a service, and what everything should be like meanwhile.

    Preflight     what the revision depends on, or what its pods need, is not there: it is waited for
    Queued        as many releases are at work as may be: it waits for one of them to end
    Migrate       its migration runs, once, before its first pod
    Preview       the idle colour runs the new revision, beside the one that serves
    VerifyBefore  checks against it
    Approval      a person promotes it
    ScaleUp       it grows to the size of what serves
    Cutover       the switch Service is led to it, and every endpoint has followed
    VerifyAfter   it is watched under live traffic
    Keep          promoted; the previous colour stays up, to be gone back to at once
    SwitchBack    it failed after the cutover: the switch Service is led back, and every endpoint has followed
    Undo          the release is over, and its migration is not: its end is waited for, and it is undone

`step` is what moves: it takes the record of an earlier look (status.release) and what is seen now, and gives the record to write. `demand`
says what the two colours and the switch Service should be like under a record. A process that is killed between the two, or between any two
writes, finds the record where it was and goes on; no time and no gate is kept in memory.

A record is written before what it demands: the flip follows the record `Cutover`. A promotion or a rejection is marked on the revision
before the record that follows from it, so that a lost status can be made again.
"""

from dataclasses import replace
from datetime import datetime

from hardened.core.model.reasons import Reason
from hardened.core.model.release import (
    BEFORE_CUTOVER,
    COLORS,
    LEAST_KEEP,
    LEAST_KEEP_REJECTED,
    TIMED,
    WITHOUT_PODS,
    DesiredState,
    Input,
    ReleasePolicy,
    ReleaseState,
    Stack,
    Step,
    Target,
    Transition,
    Verdict,
    other,
)
from hardened.core.model.timing import has_passed
from hardened.core.release.by_hand import aborted, reverted, rolled_back
from hardened.core.release.migrations import begun_migration, migrate
from hardened.core.release.moves import (
    abandoned,
    back,
    enter,
    kept,
    late,
    left_of,
    look_at,
    needed,
    none_ready,
    promoted_by_itself,
    rejected_before,
    renewed,
    returned,
    runs_again,
    runs_beside_stable,
    unseen,
    unseen_window,
)

#: Why a rollback ends where nothing is to serve.
_NO_REPLICAS = "0 replicas are wanted"


def step(record: ReleaseState | None, view: Input, terms: ReleasePolicy, now: datetime) -> Transition:
    """At most one move. The same record where nothing moves: then `demand` is what is to be done."""
    found = _next(record, view, terms, now)
    is_over = record is not None and record.is_rollback and record.step is not Step.KEEP and not (found.record or found.promotes)
    if record and is_over and view.stable != record.place:
        return replace(found, record=returned(record, view, terms, now))
    return found


def _next(record: ReleaseState | None, view: Input, terms: ReleasePolicy, now: datetime) -> Transition:
    begun = begun_migration(record, view, terms, now, lambda: step(None, view, terms, now))
    if begun:
        return begun
    if record and record.recalled_at:
        return _recalled(record, record.recalled_at, view, terms, now)
    asked = aborted(record, view) or rolled_back(record, view, terms, now)
    if asked:
        return asked
    if record is None or record.step is Step.KEEP:
        return _begin(record, view, terms, now)
    if record.step in BEFORE_CUTOVER:
        return _before_cutover(record, view, terms, now)
    match record.step:
        case Step.CUTOVER:
            return _cutover(record, view, terms, now)
        case Step.VERIFY_AFTER:
            return _verify_after(record, view, terms, now)
        case _:
            return _switch_back(record, view, now)


def demand(record: ReleaseState | None, view: Input, terms: ReleasePolicy) -> DesiredState:
    """What the record asks for. The stack that serves always follows spec.replicas; the other one too, from ScaleUp to the end of Keep."""
    stacks = {view.stable.color: Stack(view.stable.revision, view.replicas)} if view.stable else {}
    if record is None or record.step in WITHOUT_PODS:
        return DesiredState(stacks, view.stable)
    if record.step is Step.KEEP:
        previous = other(record.place.color)
        if previous in view.stacks and view.stable == record.place:
            stacks[previous] = Stack(view.stacks[previous].revision, view.replicas)
        return DesiredState(stacks, view.stable)
    is_small = record.step in BEFORE_CUTOVER and record.step is not Step.SCALE_UP
    beside = Stack(record.place.revision, preview_size(view, terms) if is_small else view.replicas)
    if record.paused_at:
        beside = view.stacks.get(record.place.color, Stack(""))  # as it is, and not as the step asks for
    elif record.step in BEFORE_CUTOVER:
        beside = _after(view.stacks.get(record.place.color, Stack("")), beside)
    if beside.revision:
        stacks[record.place.color] = beside
    return DesiredState(stacks, _destination(record, view), record.place if record.step in BEFORE_CUTOVER else None)


def _after(live: Stack, beside: Stack) -> Stack:
    """Pods of another revision go first, all at once: nobody is led to them, and replaced one by one they would take their time."""
    return Stack(live.revision) if live.pods and live.revision != beside.revision else beside


def _destination(record: ReleaseState, view: Input) -> Target | None:
    """Where traffic should go. A selector that is not what it should be is always led back to stable, never on."""
    if record.step is Step.CUTOVER and record.recalled_at is None:
        return record.place if view.traffic.leads_to in (view.stable, record.place) and not view.traffic.is_strange else view.stable
    if record.step is Step.VERIFY_AFTER and view.traffic.leads_to == record.place and not view.traffic.is_strange:
        return record.place
    return view.stable


def preview_size(view: Input, terms: ReleasePolicy) -> int:
    """While checks run; the live size at once where nothing is looked at before the cutover: one wait for pods, not two."""
    return min(terms.preview_replicas, view.replicas) if terms.has_checks_before or terms.is_manual else view.replicas


def _begin(record: ReleaseState | None, view: Input, terms: ReleasePolicy, now: datetime) -> Transition:
    """No release is at work, or one is done but for the previous colour, which may be taken once it was kept for its least time."""
    led = view.traffic.leads_to
    if record is None and led is not None and runs_beside_stable(led, view):
        # A status was lost in the middle of a release. Nobody knows which gates were passed: back, as slowly as from any other stack.
        return Transition(ReleaseState(led, "", Step.SWITCH_BACK, now))
    is_wanted = view.wanted != (view.stable.revision if view.stable else "") and view.key not in view.rejected and view.replicas > 0
    is_wanted = is_wanted and not view.hooks.is_busy and not view.is_held
    if record is not None and is_wanted and (reverts := reverted(record, view, terms, now)):
        return reverts
    may_begin = record is None or record.cutover_at is None or now >= record.cutover_at + LEAST_KEEP
    if is_wanted and may_begin:
        color = other(view.stable.color) if view.stable else COLORS[0]
        first = Step.PREFLIGHT if view.hooks.waits_for or view.hooks.is_held else _after_preflight(view, terms)
        return Transition(enter(ReleaseState(Target(color, view.wanted), view.key, first, now), first, terms, now))
    if record is None:
        return Transition(None)
    if record.keep_until is not None and now >= record.keep_until:
        return Transition(None)
    look_at = record.cutover_at + LEAST_KEEP if is_wanted and record.cutover_at else record.keep_until
    return Transition(record, look_at=look_at)


def _before_cutover(record: ReleaseState, view: Input, terms: ReleasePolicy, now: datetime) -> Transition:
    over = _over(record, view, terms, now)
    if over:
        return over
    match record.step:
        case Step.PREFLIGHT if not (view.hooks.waits_for or view.hooks.is_held):
            return Transition(enter(record, _after_preflight(view, terms), terms, now, view))
        case Step.QUEUED if view.has_place:
            return Transition(enter(record, _after_queued(terms), terms, now, view))
        case Step.MIGRATE:
            return migrate(record, view, now, lambda: enter(record, Step.PREVIEW, terms, now, view))
        case Step.PREVIEW if _are_there(record, view, preview_size(view, terms)):
            return Transition(enter(record, _after_preview(terms), terms, now, view))
        case Step.VERIFY_BEFORE if view.before[0] is Verdict.PASSED:
            return Transition(enter(record, Step.APPROVAL if terms.is_manual else Step.SCALE_UP, terms, now, view))
        case Step.VERIFY_BEFORE if view.before[0] is Verdict.FAILED:
            return abandoned(record, view, Reason.CHECK_FAILED, view.before[1])
        case Step.APPROVAL:
            return _approval(record, view, terms, now)
        case Step.SCALE_UP:
            return _scale_up(record, view, terms, now)
    return _waiting(record, view, terms, now)


def _over(record: ReleaseState, view: Input, terms: ReleasePolicy, now: datetime) -> Transition | None:
    """What ends a release before its cutover, or holds it, whatever the step. None where it goes on."""
    if record.key in view.rejected:
        return Transition(left_of(record, view))  # marked, and the process ended before it wrote this
    if view.is_held and not record.is_rollback:
        return Transition(record)
    if record.paused_at and record.step is not Step.MIGRATE:
        return Transition(left_of(record, view) if view.stable and view.wanted == view.stable.revision else record)
    if view.key != record.key and not record.is_by_hand:
        # Back to stable, or a newer spec, or other checks: this one is over, and not rejected. What was to be gone back to is kept.
        left = left_of(record, view)
        return Transition(left) if left or record.is_rollback else _begin(None, view, terms, now)
    if view.replicas == 0:
        return Transition(left_of(record, view), failed=_NO_REPLICAS if record.is_rollback else "")
    return None


def _approval(record: ReleaseState, view: Input, terms: ReleasePolicy, now: datetime) -> Transition:
    record = promoted_by_itself(record, terms, now)
    has_place = view.has_place or view.stable is None
    if has_place and (record.is_approved or not terms.is_manual or has_passed(record.deadline, now)):
        return Transition(enter(record, Step.SCALE_UP, terms, now, view))
    return _waiting(record, view, terms, now)


def _scale_up(record: ReleaseState, view: Input, terms: ReleasePolicy, now: datetime) -> Transition:
    if view.hooks.waits_for and not record.is_rollback:
        # As long as it takes: it is not the revision's fault.
        return Transition(replace(record, deadline=None, has_yielded=record.has_yielded or view.hooks.waits_for_services))
    if _are_there(record, view, needed(record, view, terms, now)):
        is_held = view.hooks.is_unwatched and not record.is_rollback
        return Transition(unseen(record, view) if is_held else enter(record, Step.CUTOVER, terms, now, view))
    return _waiting(record, view, terms, now)


def _are_there(record: ReleaseState, view: Input, least: int) -> bool:
    """Whether so many pods of the record's place are available, and none of another revision is left in its colour."""
    stack = view.stacks.get(record.place.color, Stack(""))
    return stack.revision == record.place.revision and stack.is_settled and stack.available >= least


def _waiting(record: ReleaseState, view: Input, terms: ReleasePolicy, now: datetime) -> Transition:
    """Nothing has come to its end: what is waited for, and until when."""
    is_growing = record.step in (Step.PREVIEW, Step.SCALE_UP)
    has_no_answer = record.step is Step.VERIFY_BEFORE and view.hooks.is_unwatched
    if has_no_answer and (view.hooks.is_blind or has_passed(record.deadline or now, now)):
        return Transition(unseen(record, view))
    if is_growing and view.hooks.has_no_room and not record.is_rollback:
        return Transition(replace(record, deadline=None))  # as for what it depends on
    if record.deadline is None and (is_growing or record.step is Step.VERIFY_BEFORE):
        return Transition(runs_again(record, view, terms, now))
    further = renewed(record, view, terms, now) if is_growing else None
    if further:
        return Transition(further)
    if record.step in TIMED and has_passed(record.deadline, now):
        said = view.before[1] if record.step is Step.VERIFY_BEFORE else ""
        return abandoned(record, view, *late(view, f"{record.step} did not end within its deadline", said))
    return Transition(record, look_at=look_at(record, view, terms, now))


def _cutover(record: ReleaseState, view: Input, terms: ReleasePolicy, now: datetime) -> Transition:
    if view.stable == record.place:
        return Transition(kept(replace(record, cutover_at=now), view, terms, now))  # marked, and the process ended before it wrote this
    if record.key in view.rejected:
        return rejected_before(record)
    if view.traffic.is_strange or view.traffic.leads_to not in (view.stable, record.place):
        return back(record, Reason.SELECTOR_CHANGED, "somebody else changed the selector of the switch Service in the cutover")
    if view.wanted == (view.stable.revision if view.stable else "") and not record.is_by_hand:
        return back(record)
    if view.replicas == 0:
        return back(record, message=_NO_REPLICAS)
    is_late = record.deadline is not None and now >= record.deadline
    stack = view.stacks.get(record.place.color, Stack(""))
    if view.traffic.leads_to != record.place:
        if is_late or stack.revision != record.place.revision or stack.available < needed(record, view, terms, now):
            return Transition(replace(record, recalled_at=now))
        return Transition(record, look_at=record.deadline)
    if view.traffic.has_followed and view.traffic.ready >= needed(record, view, terms, now):
        if record.is_rollback:
            return Transition(kept(replace(record, cutover_at=now), view, terms, now), promotes=record.place.revision, rejects=record.left)
        if not terms.is_watched_after(view.stable):
            return Transition(kept(replace(record, cutover_at=now), view, terms, now), promotes=record.place.revision)
        return Transition(replace(enter(record, Step.VERIFY_AFTER, terms, now), cutover_at=now, window_ends_at=now + terms.window))
    if is_late:
        return _lost(record, view, *late(view, "the endpoints did not follow the cutover within its deadline"))
    # No endpoint alone says little: they may not have followed yet. The first one has until its deadline: there is nothing to go back to.
    if view.stable and view.traffic.ready == 0 and stack.is_settled and stack.available == 0:
        return _lost(record, view, Reason.NO_PODS_AVAILABLE, none_ready(view, "no pod of the new revision was ready after the cutover"))
    return Transition(record, look_at=record.deadline)


def _lost(record: ReleaseState, view: Input, reason: Reason, message: str) -> Transition:
    """Back from a place without enough pods. Where they were taken away it is not rejected, and is released anew behind it."""
    return back(record, None if view.is_taken_away else reason, message)


def _recalled(record: ReleaseState, recalled_at: datetime, view: Input, terms: ReleasePolicy, now: datetime) -> Transition:
    """Nothing else before the switch Service is marked: a leader that was paused right before the flip may wake up at any time.

    Then it comes to its cutover anew, as soon as it has its pods: that nobody led it on in time is not its fault. It is given up where the
    Service cannot be written within the deadline.
    """
    if view.traffic.leads_to == record.place and view.stable != record.place:
        return Transition(replace(record, recalled_at=None))  # it did wake up: the cutover has begun
    if view.traffic.epoch in (None, record.recall):
        return Transition(enter(replace(record, recalled_at=None), Step.SCALE_UP, terms, now, view))
    if record.key in view.rejected:
        return Transition(left_of(record, view))  # marked, and the process ended before it wrote this
    gives_up_at = recalled_at + terms.progress_deadline
    if now >= gives_up_at:
        return abandoned(record, view, Reason.PROGRESS_DEADLINE_EXCEEDED, "the cutover did not begin within its deadline")
    return Transition(record, look_at=gives_up_at)


def _verify_after(record: ReleaseState, view: Input, terms: ReleasePolicy, now: datetime) -> Transition:
    if view.stable == record.place:
        return Transition(kept(record, view, terms, now))  # marked, and the process ended before it wrote this
    if record.key in view.rejected:
        return rejected_before(record)
    if view.wanted == (view.stable.revision if view.stable else "") or view.replicas == 0:
        return back(record)  # of no pods nothing is ever known
    if view.traffic.is_strange or view.traffic.leads_to != record.place:
        return back(record, Reason.SELECTOR_CHANGED, "somebody else changed the selector of the switch Service")
    if view.traffic.ready == 0 and view.traffic.is_told:
        return _lost(record, view, Reason.NO_PODS_AVAILABLE, none_ready(view, "no pod of the new revision is ready"))
    verdict, said = view.after
    if verdict is Verdict.FAILED:
        return back(record, Reason.CHECK_FAILED, said)
    if anew := unseen_window(record, view, terms, now):
        return anew
    ends = record.window_ends_at or now
    if now < ends:
        return Transition(record, look_at=ends)
    if view.is_blind:
        return Transition(record)
    if verdict is Verdict.PASSED:
        return Transition(kept(record, view, terms, now), promotes=record.place.revision)
    if now >= ends + terms.progress_deadline:
        return back(record, Reason.NO_DATA, said or "nobody could say how the new revision does")
    return Transition(record, look_at=ends + terms.progress_deadline)


def _switch_back(record: ReleaseState, view: Input, now: datetime) -> Transition:
    is_led = view.traffic.leads_to == view.stable and not view.traffic.is_strange and view.traffic.epoch in (None, record.recall)
    is_back = is_led and view.traffic.has_followed
    if is_back and record.is_rollback:
        return Transition(None)  # what was to be gone back to is kept
    if record.confirmed_at is None:
        # Right after the flip: a leader that was paused before it promoted the revision may wake up at any time.
        unmarked = record.left if is_led and record.left and record.left.key not in view.rejected else None
        return Transition(replace(record, confirmed_at=now) if is_back else record, rejects=unmarked)
    if not is_back:
        return Transition(replace(record, confirmed_at=None))
    ends = record.confirmed_at + (LEAST_KEEP_REJECTED if record.is_rejected else LEAST_KEEP)
    if now < ends:
        return Transition(record, look_at=ends)
    if record.left and record.left.key not in view.rejected:
        return Transition(record, rejects=record.left)  # as long as it is not marked it would be released again
    return Transition(left_of(record, view) if view.hooks.undoes_late else None)


def _after_preflight(view: Input, terms: ReleasePolicy) -> Step:
    """The first release does not wait for a place: nothing serves before it."""
    return _after_queued(terms) if view.has_place or view.stable is None else Step.QUEUED


def _after_queued(terms: ReleasePolicy) -> Step:
    return Step.MIGRATE if terms.migrates_within is not None else Step.PREVIEW


def _after_preview(terms: ReleasePolicy) -> Step:
    if terms.has_checks_before:
        return Step.VERIFY_BEFORE
    return Step.APPROVAL if terms.is_manual else Step.SCALE_UP
