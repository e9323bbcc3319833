"""The proof that a release lost no request: what its zero-loss probes have counted, kept after the release has ended.

One probe runs from before the cutover to the end of its window, another one around the removal of the previous stack's pods. Nothing
waits for the second one: the release ends while it runs, and a probe that does not start, or that is lost, is no data.
"""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from hardened.api.steps import Step
from hardened.core.checks.tasks import ZERO_LOSS
from hardened.core.checks.verdicts import Pending, Reported, Results
from hardened.core.model.proof import Counts, Proof
from hardened.core.model.state import CheckOutcome, ReleaseState
from hardened.core.model.target import Target

#: The probe of the removal starts this long before the end of Keep: time for its pod to be scheduled, and to start.
REMOVAL_LEAD = timedelta(seconds=10)
#: What a probe that was told to end gets to say what it has counted.
REPORT_WAIT = timedelta(seconds=30)
#: How often it is looked at until then.
_LOOK_AGAIN = timedelta(seconds=5)

_SWITCHED = frozenset({Step.VERIFY_AFTER, Step.SWITCH_BACK, Step.KEEP})


@dataclass(frozen=True)
class Removal:
    """That the probe of a removal should run now."""

    target: Target
    """See Proof."""
    started_at: datetime
    is_over: bool = False
    """It is to end, and to report what it has."""


def removal(state: ReleaseState | None, proof: Proof | None, now: datetime) -> Removal | None:
    """The removal that is to be watched, by what is written down."""
    if state and state.step is Step.KEEP and state.keep_until:
        return Removal(state.target, state.started_at) if now >= state.keep_until - REMOVAL_LEAD else None
    if proof and proof.removed_by:
        return Removal(proof.target, proof.started_at, is_over=now >= proof.removed_by)
    return None


def proven(
    before: Proof | None, state: ReleaseState | None, following: ReleaseState | None, said: Results | None, grace: timedelta, now: datetime
) -> Proof | None:
    """The proof as it is to be written, beside the state `following`.

    before, state: as they were written; said: by the probe of the removal, None where there is none; grace: what the previous stack's pods
    may take to end. The proof of a release stays until the next one has something to say.
    """
    proof = before
    for each in (state, following):
        if each and each.step in _SWITCHED:
            proof = _switched(proof, each)
    if state and state.step is Step.KEEP:
        return _begun(proof, state, following, now + grace)
    return _ended(proof, said, now) if proof and proof.removed_by and proof == before else proof


def duration(grace: timedelta) -> timedelta:
    """How long the probe of a removal asks at most, if nobody tells it to end."""
    return REMOVAL_LEAD + grace + REPORT_WAIT


def look_at(state: ReleaseState | None, proof: Proof | None, now: datetime) -> datetime | None:
    """When the probe of a removal is to be started, ended, or read."""
    if state and state.step is Step.KEEP and state.keep_until:
        return state.keep_until - REMOVAL_LEAD if now < state.keep_until - REMOVAL_LEAD else None
    if proof and proof.removed_by:
        return proof.removed_by if now < proof.removed_by else now + _LOOK_AGAIN
    return None


def _switched(proof: Proof | None, state: ReleaseState) -> Proof | None:
    """With what the probe of the cutover says of a release. One that says nothing before its removal leaves the proof as it is."""
    counts = _counts(state.outcomes)
    is_same = proof is not None and proof.started_at == state.started_at
    if proof and is_same:
        return replace(proof, cutover=counts or proof.cutover)
    return Proof(state.target, state.started_at, counts) if counts else proof


def _begun(proof: Proof | None, state: ReleaseState, following: ReleaseState | None, removed_by: datetime) -> Proof | None:
    """Once Keep is over, the previous stack's pods leave; not where somebody goes back to them."""
    is_same = following is not None and following.started_at == state.started_at
    if is_same or (following is not None and following.is_rollback):
        return proof
    mine = proof if proof and proof.started_at == state.started_at else Proof(state.target, state.started_at)
    return replace(mine, removed_by=removed_by)


def _ended(proof: Proof, said: Results | None, now: datetime) -> Proof:
    if isinstance(said, Reported):
        found = said.result(ZERO_LOSS)
        return replace(proof, removal=Counts(found.requests, found.failed) if found else None, removed_by=None)
    is_late = proof.removed_by is not None and now >= proof.removed_by + REPORT_WAIT
    return proof if isinstance(said, Pending) and not is_late else replace(proof, removed_by=None)


def _counts(outcomes: Iterable[CheckOutcome]) -> Counts | None:
    return next((Counts(each.requests, each.failed) for each in outcomes if each.name == ZERO_LOSS), None)
