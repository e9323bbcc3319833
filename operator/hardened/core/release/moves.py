"""Moves of a release that more than one step makes."""

from dataclasses import replace
from datetime import datetime

from hardened.core.model.reasons import Reason
from hardened.core.model.release import (
    LEAST_KEEP,
    LEAST_KEEP_REJECTED,
    PATIENCE_BACK,
    TIMED,
    Input,
    Migration,
    Rejection,
    ReleasePolicy,
    ReleaseState,
    Stack,
    Step,
    Target,
    Transition,
    other,
)

#: The steps that wait for pods.
_GROWING = frozenset({Step.PREVIEW, Step.SCALE_UP})


def enter(record: ReleaseState, entered: Step, terms: ReleasePolicy, now: datetime, view: Input | None = None) -> ReleaseState:
    """The record at the beginning of a step, with its deadline."""
    deadline = now + terms.progress_deadline if entered in TIMED else None
    if entered is Step.MIGRATE and terms.migrates_within is not None:
        deadline = now + terms.migrates_within
    replicas = view.replicas if view is not None and entered is Step.SCALE_UP else record.replicas
    available = come(record, view) if view is not None and view.counts and entered in _GROWING else 0
    began = replace(record, step=entered, deadline=deadline, replicas=replicas, available=available)
    return promoted_by_itself(replace(began, entered_at=now), terms, now) if entered is Step.APPROVAL else began


def promoted_by_itself(record: ReleaseState, terms: ReleasePolicy, now: datetime) -> ReleaseState:
    """The record of a release in Approval, with the deadline that the spec sets by now.

    Where it is not known when that was entered (under an older CRD), a deadline stays as it is, and one that is new counts from now.
    """
    after = terms.auto_promote_after
    if after is None:
        return replace(record, deadline=None)
    if record.entered_at is None:
        return record if record.deadline else replace(record, entered_at=now, deadline=now + after)
    return replace(record, deadline=record.entered_at + after)


def needed(record: ReleaseState, view: Input, terms: ReleasePolicy, now: datetime) -> int:
    """How many pods must be available to take over, and ready once traffic is led to them: at least 1.

    As many as serve at that moment, and as were wanted at first; never more than are wanted now. To go back as many as serve, whatever was
    wanted, and soon half of what is wanted: who goes back has judged what serves. Once traffic leads to the record's own place, nobody else
    serves.
    """
    serving = _serving(record, view)
    if not record.is_rollback:
        least = max(serving, view.replicas if record.replicas is None else record.replicas)
    elif now < half_at(record, terms):
        least = serving
    else:
        least = min(serving, (view.replicas + 1) // 2)
    return max(1, min(view.replicas, least))


def half_at(record: ReleaseState, terms: ReleasePolicy) -> datetime:
    """From when on half of the pods are enough to go back to; by the deadline at the latest."""
    return record.started_at + min(PATIENCE_BACK, terms.progress_deadline)


def _serving(record: ReleaseState, view: Input) -> int:
    """How many pods serve, of another place than the record's."""
    led = view.traffic.leads_to
    stack = view.stacks.get(led.color) if led and led != record.place else None
    return stack.ready if stack and led and stack.revision == led.revision else 0


def come(record: ReleaseState, view: Input) -> int:
    """How many pods of the record's place are available, as far as is known."""
    stack = view.stacks.get(record.place.color)
    return max(stack.available, stack.come) if stack and stack.revision == record.place.revision else 0


def renewed(record: ReleaseState, view: Input, terms: ReleasePolicy, now: datetime) -> ReleaseState | None:
    """The record with its deadline renewed, since more pods are available than ever in this step. None where they are not.

    One that comes and goes does not renew it again and again. Pods that come soon one after the other are worth one write.
    """
    found = come(record, view)
    if not view.counts or record.deadline is None or found <= record.available or now < _renewable_at(record.deadline, terms):
        return None
    return replace(record, deadline=now + terms.progress_deadline, available=found)


def runs_again(record: ReleaseState, view: Input, terms: ReleasePolicy, now: datetime) -> ReleaseState:
    """The record whose deadline runs from now on."""
    available = max(record.available, come(record, view)) if view.counts else record.available
    return replace(record, deadline=now + terms.progress_deadline, available=available)


def look_at(record: ReleaseState, view: Input, terms: ReleasePolicy, now: datetime) -> datetime | None:
    """When something follows for a release that waits for pods, if nothing happens before."""
    moments = [record.deadline] if record.deadline else []
    if record.deadline and view.counts and come(record, view) > record.available:
        moments.append(_renewable_at(record.deadline, terms))
    if record.is_rollback:
        moments.append(half_at(record, terms))
    return min((moment for moment in moments if moment > now), default=record.deadline)


def _renewable_at(deadline: datetime, terms: ReleasePolicy) -> datetime:
    """A tenth of the time after the deadline was set."""
    return deadline - terms.progress_deadline * 9 / 10


def kept(record: ReleaseState, view: Input, terms: ReleasePolicy, now: datetime) -> ReleaseState | None:
    """The record in Keep, or None where there is no previous stack to keep."""
    previous = view.stacks.get(other(record.place.color))
    if previous is None or previous.wanted == 0:
        return None
    is_left = record.left is not None and record.left.revision == previous.revision
    keep = LEAST_KEEP_REJECTED if is_left else max(terms.keep_previous, LEAST_KEEP)
    return replace(record, step=Step.KEEP, deadline=None, keep_until=now + keep)


def returned(record: ReleaseState, view: Input, terms: ReleasePolicy, now: datetime) -> ReleaseState | None:
    """The record in Keep of what served before a rollback that has failed, and serves on: nothing is taken down.

    The pods that were to be gone back to stay as they are. None where there are none. Where the spec still asks for them, the record has
    their key: that they are gone back to without checks is not tried again.
    """
    target = view.stacks.get(record.place.color, Stack(""))
    if view.stable is None or target.revision != record.place.revision or target.wanted == 0:
        return None
    has_failed = not record.is_by_hand and view.wanted == record.place.revision
    key = record.key if has_failed else ""
    return ReleaseState(view.stable, key, Step.KEEP, now, cutover_at=now, keep_until=now + max(terms.keep_previous, LEAST_KEEP))


def left_of(record: ReleaseState, view: Input) -> ReleaseState | None:
    """What is left of a release that is over: its migration runs, or is to be undone."""
    match record.migration:
        case Migration.MADE:
            return replace(record, step=Step.UNDO, paused_at=None)  # with the time that a pause left it
        case Migration.DONE if view.hooks.undo_within is not None:
            return replace(record, step=Step.UNDO, deadline=None, paused_at=None, remaining=None)
        case _:
            return None


def abandoned(record: ReleaseState, view: Input, reason: Reason, message: str) -> Transition:
    """Rejected while stable serves: nothing has to be switched back. A revision that was to be gone back to is not: it served once."""
    if record.is_rollback:
        return Transition(None, failed=message)
    return Transition(left_of(record, view), rejects=Rejection(record.place.revision, record.key, reason, message))


def late(view: Input, text: str, otherwise: str = "") -> tuple[Reason, str]:
    """Why a revision is rejected whose deadline has passed: for what keeps its pods, where that is known. otherwise: what else is known."""
    cause, said = view.hooks.cause, otherwise
    if cause:
        said = cause.message
    return (cause.reason if cause else Reason.PROGRESS_DEADLINE_EXCEEDED), f"{text}: {said}" if said else text


def none_ready(view: Input, text: str) -> str:
    """That no pod is ready, with the cause, where it is known."""
    return f"{text}: {view.hooks.cause.message}" if view.hooks.cause else text


def back(record: ReleaseState, reason: Reason | None = None, message: str = "") -> Transition:
    """To SwitchBack. reason: why the revision is rejected; None where only the spec has gone back to stable."""
    if record.is_rollback:
        return Transition(replace(record, step=Step.SWITCH_BACK, deadline=None, left=None), failed=message, leaves=True)
    rejects = Rejection(record.place.revision, record.key, reason, message, after_cutover=True) if reason else None
    leaving = replace(record, step=Step.SWITCH_BACK, deadline=None, is_rejected=reason is not None)
    return Transition(leaving, rejects=rejects, leaves=reason is None)


def leave(record: ReleaseState, left: Rejection) -> Transition:
    """To SwitchBack by hand: traffic goes first, and the revision is marked as rejected once it has gone."""
    return Transition(replace(record, step=Step.SWITCH_BACK, deadline=None, is_rejected=True, left=left, is_rollback=False))


def rejected_before(record: ReleaseState) -> Transition:
    """To SwitchBack with a revision that is marked as rejected: the process ended before it wrote this."""
    return Transition(replace(record, step=Step.SWITCH_BACK, deadline=None, is_rejected=True))


def unseen(record: ReleaseState, view: Input) -> ReleaseState:
    """The record of a release that waits for the pods of its checks, and for nothing else: no deadline runs while they cannot be made."""
    return replace(record, deadline=None) if view.hooks.is_blind else record


def unseen_window(record: ReleaseState, view: Input, terms: ReleasePolicy, now: datetime) -> Transition | None:
    """In VerifyAfter, where nobody can say how the revision does by the end of its window: it begins anew once somebody can."""
    if record.window_ends_at is not None and (now < record.window_ends_at or not view.hooks.is_unwatched):
        return None
    if view.hooks.is_unwatched:
        return Transition(replace(record, window_ends_at=None) if view.hooks.is_blind else record)
    return Transition(replace(record, window_ends_at=now + terms.window))


def runs_beside_stable(place: Target, view: Input) -> bool:
    """Whether pods of this place are wanted, beside those of stable."""
    stack = view.stacks.get(place.color)
    is_beside = view.stable is None or view.stable.color != place.color
    return is_beside and stack is not None and stack.revision == place.revision and stack.wanted > 0
