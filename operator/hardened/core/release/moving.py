"""How far a release gets in one look: gates that are open already are passed at one go, and written as one state instead of three."""

from dataclasses import dataclass, replace
from datetime import datetime

from hardened.api.steps import Step
from hardened.core.checks.pods import check_pods
from hardened.core.desired.children import DesiredStack
from hardened.core.model.input import NOT_ASKED, Input
from hardened.core.model.kit import Kit
from hardened.core.model.question import Question, ReadLog, ReadNamespace
from hardened.core.model.state import Migration, ReleaseState
from hardened.core.model.transition import Transition
from hardened.core.needs import preflight, unmade_checks
from hardened.core.needs.dependencies import waits_for
from hardened.core.observe.crash_logs import log_of_crash, with_log
from hardened.core.observe.facts import Facts
from hardened.core.release.annotating import are_refused, is_stored, marked_by, unmarked
from hardened.core.release.machine import step
from hardened.core.release.moves import back
from hardened.core.release.questions import whether_pods_can_be_made
from hardened.core.release.slots import slotted
from hardened.core.release.suspension import is_suspended


@dataclass(frozen=True)
class Moved:
    """How far it got, and what stands before the next move."""

    state: ReleaseState | None
    marked: tuple[DesiredStack, ...] = ()
    """Revisions whose annotations are to be written first."""
    failed: str = ""
    """See Transition."""
    look_at: datetime | None = None
    """See Transition."""
    question: Question | None = None
    """What has to be read before the next move."""


def moved(facts: Facts, state: ReleaseState | None, seen: Input, kit: Kit) -> Moved:
    """Until it has to wait, to be written, or to be looked at anew. It never takes more moves than there are steps."""
    found = Moved(state)
    for _ in Step:
        if is_suspended(facts.svc, found.state):
            break
        following = slotted(found.state, step(found.state, seen), seen)
        if preflight.is_due(found.state, following.state):
            if facts.observed.namespace_snapshot is None:
                return replace(found, question=ReadNamespace(preflight.config_maps(facts)))
            seen, following = _begun(facts, found.state, following, seen, kit)
        following = replace(following, state=_entered(found.state, following.state, seen.now))
        if facts.observed.tried is None and (tries := unmade_checks.to_try(facts, found.state, following.state, seen, kit)):
            return replace(found, question=whether_pods_can_be_made(facts, tries))
        if asked := _unread_log(facts, found.state, following, kit):
            return replace(found, question=asked)
        following = _with_log(facts, following)
        marked, following = _marked(facts, found.state, following)
        if marked:
            return replace(found, marked=marked, look_at=following.look_at)
        is_same = following.state == found.state
        found = Moved(following.state, failed=following.failed, look_at=following.look_at)
        if is_same or found.failed or _needs_another_look(facts, found.state, seen, kit):
            break
    return found


def _begun(facts: Facts, before: ReleaseState | None, following: Transition, seen: Input, kit: Kit) -> tuple[Input, Transition]:
    """What was said until now was said of another release: by its checks, of its pods, and of what it depended on."""
    seen = replace(seen, before=NOT_ASKED, needs=replace(seen.needs, has_no_room=False, is_blind=False, is_unwatched=False))
    if before is None or not preflight.is_new(before, following.state):
        return seen, following
    seen = replace(seen, needs=replace(seen.needs, waits_for=waits_for(facts, [], kit)))
    return seen, slotted(before, step(before, seen), seen)


def _unread_log(facts: Facts, state: ReleaseState | None, following: Transition, kit: Kit) -> ReadLog | None:
    """The log that says why a revision crashed which is about to be rejected: its pods are gone soon."""
    if state is None or following.rejects is None or facts.observed.crash_log is not None:
        return None
    return log_of_crash(facts.pods_at(state.target), kit.log_lines)


def _with_log(facts: Facts, following: Transition) -> Transition:
    rejects, log = following.rejects, facts.observed.crash_log
    return replace(following, rejects=replace(rejects, message=with_log(rejects.message, log))) if rejects and log else following


def _marked(facts: Facts, state: ReleaseState | None, following: Transition) -> tuple[tuple[DesiredStack, ...], Transition]:
    """The revisions that are to be marked for a move; none, and what becomes of the move, where they cannot be."""
    if state is None:
        return (), following
    if following.promotes and not is_stored(facts, state.target):
        following = back(state, message="its stored revision was deleted")  # nothing could remember that it was promoted
    marked = marked_by(facts, state, following)
    if marked and are_refused(facts, marked):
        return (), unmarked(state, following)
    return marked, following


def _entered(before: ReleaseState | None, after: ReleaseState | None, now: datetime) -> ReleaseState | None:
    """The state after a move, with the moment in which its step was entered."""
    is_same = before is not None and after is not None and (before.step, before.started_at) == (after.step, after.started_at)
    return after if after is None or is_same else replace(after, entered_at=now)


def _needs_another_look(facts: Facts, state: ReleaseState | None, seen: Input, kit: Kit) -> bool:
    """Whether what was seen says nothing of the step that was come to."""
    if state is None:
        return seen.strategy_at_work != seen.strategy  # what follows is seen with other eyes
    if state.step in (Step.VERIFY_AFTER, Step.SWITCH_BACK):
        return True  # what was said until now was not said of its traffic
    # Nor of its backup, or of its migration; and what was not undone is told before anything else begins.
    is_told = (
        state.step is Step.BACKUP or (state.step is Step.MIGRATE and state.migration is None) or state.migration is Migration.NOT_UNDONE
    )
    return is_told or _is_unwatched(facts, state, seen, kit)


def _is_unwatched(facts: Facts, state: ReleaseState, seen: Input, kit: Kit) -> bool:
    """Whether traffic is about to be led on, and who is to watch that is not there: that comes first."""
    if state.step is not Step.SCALE_UP:
        return False
    pods = check_pods(facts, state, seen.policy, kit, seen.now)
    return unmade_checks.lacks(facts, state, pods) or unmade_checks.hindrance(facts, state, pods, seen.policy, seen.now) is not None
