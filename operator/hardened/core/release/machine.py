"""The release state machine: what follows from one look at a release, and what everything should be like meanwhile.

`step` is what moves: it takes the state of an earlier look (status.release) and what is seen now, and gives the state to write. `desired`
says what the two colours and the active Service should be like under a state. A process that is killed between the two, or between any two
writes, finds the state where it was and goes on; no time and no gate is kept in memory.

A state is written before what it asks for: the flip follows the state `Cutover`. A promotion or a rejection is marked on the revision
before the state that follows from it, so that a lost status can be made again.
"""

from dataclasses import replace
from typing import assert_never

from hardened.api.steps import Step
from hardened.core.model.input import Input
from hardened.core.model.state import ReleaseState
from hardened.core.model.target import DesiredState
from hardened.core.model.transition import Advance, Anew, Begin, Failed, Passed, Stay, Transition
from hardened.core.release.moves import returned
from hardened.core.release.table import BLUE_GREEN, IN_PLACE, Sequence


def sequence_of(seen: Input) -> Sequence:
    """The steps of the release at work, or of the one that would begin."""
    return IN_PLACE if seen.in_place else BLUE_GREEN


def step(state: ReleaseState | None, seen: Input) -> Transition:
    """At most one move. The same state where nothing moves: then `desired` is what is to be done."""
    sequence = sequence_of(seen)
    found = _followed(sequence, state, _advance(sequence, state, seen), seen)
    has_failed = state is not None and state.is_rollback and state.step is not Step.KEEP and not (found.state or found.promotes)
    if state and has_failed and sequence is BLUE_GREEN and seen.stable != state.target:
        return replace(found, state=returned(state, seen))
    return found


def desired(state: ReleaseState | None, seen: Input) -> DesiredState:
    """What the state asks for."""
    sequence = sequence_of(seen)
    return sequence.rules(state.step).desired(state, seen) if state else sequence.rest(None, seen)


def goes_by_pods(state: ReleaseState | None, seen: Input) -> bool:
    """Whether nothing can be said of the state before the pods are listed."""
    sequence = sequence_of(seen)
    return sequence.rules(state.step).goes_by_pods(state, seen) if state else sequence.rests_by_pods(None, seen)


def _advance(sequence: Sequence, state: ReleaseState | None, seen: Input) -> Advance:
    for guard in sequence.guards:
        if (found := guard(state, seen)) is not None:
            return found
    return sequence.rules(state.step).advance(state, seen) if state else sequence.begin(None, seen)


def _followed(sequence: Sequence, state: ReleaseState | None, found: Advance, seen: Input) -> Transition:
    """What an answer means, by the sequence."""
    match found:
        case Transition():
            return found
        case Stay(after, until):
            return Transition(after, look_at=until)
        case Passed(after):
            return Transition(sequence.after(after.step, seen).enter(after, seen))
        case Failed():
            return sequence.fail(found, seen)
        case Begin(after):
            # Pods that are there already are of an earlier release: none of them is its progress.
            return Transition(replace(sequence.first(seen).enter(after, seen), available=0))
        case Anew(otherwise):
            following = step(None, seen)
            return following if following.state else otherwise
        case _:
            assert_never(found)
