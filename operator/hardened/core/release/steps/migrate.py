"""Migrate: the migration of the revision runs, once, before its first pod. Stable serves meanwhile."""

from dataclasses import replace

from hardened.api.steps import Step
from hardened.core.model.input import Input, Verdict
from hardened.core.model.reasons import Reason
from hardened.core.model.state import Migration, ReleaseState
from hardened.core.model.timing import has_passed
from hardened.core.model.transition import Advance, Failed, Passed, Stay, Transition
from hardened.core.release import sizes
from hardened.core.release.entering import enter as enter_step
from hardened.core.release.migrations import half_done, left_to_do
from hardened.core.release.pods import asked_for_room

STEP = Step.MIGRATE
goes_by_pods = asked_for_room
desired = sizes.stable_alone


def applies(seen: Input) -> bool:
    return seen.policy.migrates_within is not None


def enter(state: ReleaseState, seen: Input) -> ReleaseState:
    within = seen.policy.migrates_within
    return replace(enter_step(state, STEP, seen), deadline=seen.now + within if within is not None else None)


def advance(state: ReleaseState, seen: Input) -> Advance:
    """A pod that was made is never made again. So what it is to be known by is written down before it is, and that it was right after."""
    verdict, said = seen.migration.migrated
    if state.migration is None:
        return Transition(state, migrates=not seen.migration.is_marked and not state.paused_at)
    if verdict is Verdict.PASSED and state.migration is Migration.MADE:
        return Stay(replace(state, migration=Migration.DONE))
    if state.migration is Migration.DONE:
        return Stay(state) if state.paused_at else Passed(state)
    if verdict is Verdict.FAILED or has_passed(state.deadline, seen.now):
        # What a node took late may come to its end all the same: then it is undone.
        over = state if seen.migration.is_running else replace(state, migration=half_done(seen))
        return Failed(over, Reason.MIGRATION_FAILED, f"the migration failed: {said}; {left_to_do(seen)}")
    return Stay(state, state.deadline)
