"""When a service is looked at again, if nothing happens before that a watch tells of."""

from collections.abc import Iterable
from datetime import datetime, timedelta

from hardened.core.model.finding import Diagnosis
from hardened.core.model.reasons import Reason
from hardened.core.model.state import Migration
from hardened.core.status.blockers import PATIENCE, Blockers

#: Pods that are late are looked at this often.
LOOK_AGAIN = timedelta(seconds=15)
#: What could not be made, and is done without, is tried again after this long.
MADE_AGAIN = timedelta(seconds=30)
GARBAGE_WAIT = timedelta(seconds=2)
#: Nobody tells when a foreign object goes that has the name of a child.
OBSTACLE_WAIT = timedelta(seconds=20)
#: Nor when the last pod goes that a Service led to before it was taken over.
FORMER_WAIT = timedelta(minutes=1)


def requeue_after(
    found: Blockers, finding: Diagnosis | None, unheard: Iterable[datetime], others: Iterable[timedelta | None]
) -> timedelta | None:
    """How long to wait; None: until something happens.

    finding: what status tells of; unheard: until when pods of checks are waited for that have not been heard of; others: what else is
    waited for, None for nothing.
    """
    if finding and finding.reason is Reason.WAITING_FOR_GARBAGE_COLLECTION:
        return GARBAGE_WAIT
    if finding and finding.reason is Reason.NOT_OWNED:
        return OBSTACLE_WAIT
    now, look_at = found.now, found.decision.look_at
    waits = [PATIENCE] if finding and finding.reason is Reason.NAME_TAKEN else []
    waits += [LOOK_AGAIN if found.is_late() else PATIENCE] if found.rollout and not found.rollout.is_complete else []
    waits += [PATIENCE] if _is_polled(found) or _is_unserved(found) else []
    waits += [max(look_at - now, timedelta())] if look_at else []
    waits += [at - now for at in unheard if at > now]
    waits += [wait for wait in others if wait is not None]
    return min(waits, default=None)


def _is_polled(found: Blockers) -> bool:
    """Whether the release waits for something that nobody tells of."""
    state = found.decision.state
    if state is None:
        return False
    return bool(found.decision.waits_for) or (state.step.row.is_polled and state.migration is not Migration.NOT_UNDONE)


def _is_unserved(found: Blockers) -> bool:
    """Whether clients who were served have no pod, and something is refused that may be why: that waits for no back-off."""
    facts, decision = found.facts, found.decision
    rollout = facts.rollout(decision.serving.color) if decision.serving else None
    is_down = decision.replicas > 0 and (rollout is None or rollout.available == 0)
    return is_down and facts.stable is not None and bool(found.observed.refused)
