"""Before the cutover nothing has come to its end: what is waited for, and until when."""

from dataclasses import replace

from hardened.core.model.input import Input
from hardened.core.model.state import ReleaseState
from hardened.core.model.timing import has_passed
from hardened.core.model.transition import Advance, Stay
from hardened.core.release.moves import late, unwatched
from hardened.core.release.pods import look_at, renewed, runs_again


def waiting(state: ReleaseState, seen: Input, said: str = "") -> Advance:
    """said: what is known of why the step has not come to its end."""
    row, needs = state.step.row, seen.needs
    awaits_checks = row.is_judged and not row.is_growing
    if awaits_checks and needs.is_unwatched and (needs.is_blind or has_passed(state.deadline or seen.now, seen.now)):
        return Stay(unwatched(state, seen))
    if row.is_growing and needs.has_no_room and not state.is_rollback:
        return Stay(replace(state, deadline=None))  # as for what it depends on
    if state.deadline is None and (row.is_growing or awaits_checks):
        return Stay(runs_again(state, seen))
    if row.is_growing and (further := renewed(state, seen)):
        return Stay(further)
    if row.is_timed and has_passed(state.deadline, seen.now):
        return late(state, seen, f"{state.step} made no progress{seen.policy.for_so_long}", said)
    return Stay(state, look_at(state, seen))
