"""The version that the spec asks for, while another one is at work: what it waits for."""

from dataclasses import dataclass
from datetime import datetime

from hardened.api.steps import Step
from hardened.core.model.finding import Diagnosis
from hardened.core.model.manifest import Manifest, without_none
from hardened.core.model.release_policy import LEAST_KEEP
from hardened.core.model.state import ReleaseState
from hardened.core.model.written import stamp
from hardened.core.observe.facts import Facts
from hardened.core.release.decision import Decision

_KEPT = "the previous pods must stay up first"
_NOT_BEGUN = "its release has not begun yet"


@dataclass(frozen=True)
class Pending:
    """A revision that neither serves nor is released, and that nobody has rejected."""

    revision: str
    image: str
    message: str
    """What it waits for."""
    until: datetime | None = None
    """When its release begins at the earliest, where that is known."""


def pending_of(facts: Facts, decision: Decision, finding: Diagnosis | None) -> Pending | None:
    """None where the spec's revision is at work, serves, or is rejected, and where the spec cannot be used.

    finding: what stands in the way.
    """
    wanted, state = facts.wanted, decision.state
    is_known = facts.svc.is_stand_in or decision.rejection is not None
    if is_known or wanted.name in (_stable(facts), state.target.revision if state and state.step is not Step.KEEP else ""):
        return None
    message, until = _waits_for(facts, decision, finding)
    return Pending(wanted.name, wanted.image, message, until)


def pending_written(pending: Pending) -> Manifest:
    """As status.pending."""
    return without_none(revision=pending.revision, image=pending.image, message=pending.message, until=stamp(pending.until))


def _stable(facts: Facts) -> str:
    return facts.stable.target.revision if facts.stable else ""


def _waits_for(facts: Facts, decision: Decision, finding: Diagnosis | None) -> tuple[str, datetime | None]:
    state = decision.state
    if facts.svc.spec.suspend:
        return facts.svc.spec.suspension, facts.svc.spec.suspend_until
    if decision.hold:
        return f"{decision.hold.service or facts.svc.name} is being restored", None
    if state and state.step is not Step.KEEP:
        return _ends_first(state), None
    if decision.replicas == 0:
        return "the spec asks for 0 replicas", None
    if finding:
        return finding.message, None
    return (_KEPT, state.cutover_at + LEAST_KEEP) if state and state.cutover_at else (_NOT_BEGUN, None)


def _ends_first(state: ReleaseState) -> str:
    revision = state.target.revision
    if state.paused_at:
        return f"the release of revision {revision} is paused in {state.step}: resume or abort it"
    match state.step:
        case Step.SWITCH_BACK:
            return f"revision {revision} is being rolled back first"
        case Step.UNDO:
            return f"the migration of revision {revision} is being undone first"
    what = "rollback to" if state.is_rollback else "release of"
    return f"the {what} revision {revision}, which is in {state.step}, ends first"
