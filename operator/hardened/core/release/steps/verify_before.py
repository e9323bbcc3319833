"""VerifyBefore: checks against the new revision, which no client uses yet."""

from hardened.api.steps import Step
from hardened.core.model.input import Input, Verdict
from hardened.core.model.state import ReleaseState
from hardened.core.model.transition import Advance, Passed
from hardened.core.release import sizes
from hardened.core.release.entering import enter as enter_step
from hardened.core.release.moves import failed_check
from hardened.core.release.pods import asked_for_room
from hardened.core.release.waiting import waiting

STEP = Step.VERIFY_BEFORE
goes_by_pods = asked_for_room
desired = sizes.at_preview_size


def applies(seen: Input) -> bool:
    return seen.policy.has_checks_before


def enter(state: ReleaseState, seen: Input) -> ReleaseState:
    return enter_step(state, STEP, seen)


def advance(state: ReleaseState, seen: Input) -> Advance:
    verdict, said = seen.before
    match verdict:
        case Verdict.PASSED:
            return Passed(state)
        case Verdict.FAILED:
            return failed_check(state, seen, said)
        case Verdict.UNKNOWN:
            return waiting(state, seen, said)
