"""What somebody asks of a release: by hand to pause it, to end it, to go back to another version; by a spec to go back to what is kept."""

from dataclasses import replace
from datetime import datetime

from hardened.core.model.reasons import Reason
from hardened.core.model.release import (
    BEFORE_CUTOVER,
    LEAST_KEEP,
    Input,
    Rejection,
    ReleasePolicy,
    ReleaseState,
    Stack,
    Step,
    Target,
    Transition,
    other,
)
from hardened.core.model.timing import held, resumed
from hardened.core.release.moves import abandoned, enter, leave, left_of, needed, runs_beside_stable


def asleep(record: ReleaseState, now: datetime) -> ReleaseState:
    """The record of a release whose service is suspended: since when, nothing tells."""
    is_untimed = record.deadline is None and record.remaining is None and not record.paused_at
    if record.step is Step.APPROVAL and is_untimed:
        return replace(record, entered_at=None)  # an autoPromoteAfter that comes later is not to count the time that stood still
    return held(record, now)


def woken(record: ReleaseState, terms: ReleasePolicy, now: datetime) -> ReleaseState:
    """The record of a release whose service is not suspended any more, with the time that it had left."""
    found = resumed(record, now)
    if record.step is Step.APPROVAL and terms.auto_promote_after is not None and found.deadline:
        return replace(found, entered_at=min(now, found.deadline - terms.auto_promote_after))
    return found


def aborted(record: ReleaseState | None, view: Input) -> Transition | None:
    """As after a failed check. None where nobody asked for it, or where it comes too late."""
    if record is None or view.abort is None or record.step in (Step.SWITCH_BACK, Step.KEEP) or view.stable == record.place:
        return None
    rejection = Rejection(record.place.revision, record.key, Reason.ABORTED, view.abort, after_cutover=record.step not in BEFORE_CUTOVER)
    if record.key in view.rejected:
        return None
    if record.step in BEFORE_CUTOVER and record.is_rollback and not record.is_by_hand:
        return Transition(record, rejects=rejection)  # the spec asks for it, and it would begin anew
    if record.step in BEFORE_CUTOVER:
        return abandoned(record, view, Reason.ABORTED, view.abort)
    return leave(record, rejection)


def rolled_back(record: ReleaseState | None, view: Input, terms: ReleasePolicy, now: datetime) -> Transition | None:
    """The first move of a rollback, in which no gate is passed but the target's own pods. None where it is under way, or has to wait."""
    asked, stable = view.rollback, view.stable
    if asked is None or stable is None or (record and record.is_by_hand and record.step is not Step.KEEP):
        return None
    if record and record.step not in BEFORE_CUTOVER | {Step.KEEP}:
        return leave(record, asked.left) if record.step is not Step.SWITCH_BACK and stable != record.place else None
    led = view.traffic.leads_to
    # Also for stable itself: what was in its cutover when that was asked for may have been recalled since.
    if abandons := left_for_another(record, view):
        return abandons
    if asked.to == stable.revision or (record is None and led is not None and runs_beside_stable(led, view)):
        return None
    if record and record.step in BEFORE_CUTOVER and (left := left_of(record, view)):
        return Transition(left)
    target = ReleaseState(
        Target(other(stable.color), asked.to), "", Step.SCALE_UP, now, replicas=view.replicas, is_rollback=True, left=asked.left
    )
    stack = view.stacks.get(target.place.color, Stack(""))
    if stack.revision == asked.to and stack.is_settled and stack.available >= needed(target, view, terms, now):
        return Transition(enter(target, Step.CUTOVER, terms, now))
    if record and record.step is Step.KEEP and record.keep_until and record.cutover_at:
        free_at = min(record.keep_until, record.cutover_at + LEAST_KEEP)
        if now < free_at and stack.revision != asked.to:
            return Transition(record, look_at=free_at)
    return Transition(enter(target, Step.SCALE_UP, terms, now, view))


def reverted(record: ReleaseState, view: Input, terms: ReleasePolicy, now: datetime) -> Transition | None:
    """The first move where the spec asks for what is kept: as by hand it is gone back to without checks, and nothing is rejected for it.

    None where something else is kept, where it has to pass its checks anew, and where it could not be gone back to just now.
    """
    place = Target(other(record.place.color), view.wanted)
    stack = view.stacks.get(place.color, Stack(""))
    is_kept = view.stable == record.place and stack.revision == view.wanted and stack.wanted > 0
    if not is_kept or not view.is_proven or record.key == view.key:
        return None
    target = ReleaseState(place, view.key, Step.SCALE_UP, now, replicas=view.replicas, is_rollback=True)
    is_up = stack.is_settled and stack.available >= needed(target, view, terms, now)
    return Transition(enter(target, Step.CUTOVER if is_up else Step.SCALE_UP, terms, now, view))


def left_for_another(record: ReleaseState | None, view: Input) -> Transition | None:
    """Before its cutover a release is abandoned for a rollback: rejected, since it would begin anew behind it. None once it is."""
    asked = view.rollback
    if asked is None or record is None or record.step not in BEFORE_CUTOVER or record.key in view.rejected:
        return None
    if record.place.revision == asked.to:
        return None
    return Transition(record, rejects=Rejection(record.place.revision, record.key, Reason.ABORTED, asked.left.message))
