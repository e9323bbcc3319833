"""What a release has to know before it is decided how it goes on."""

from collections.abc import Sequence
from datetime import datetime

from hardened.api.steps import Step
from hardened.core.checks.queries import due
from hardened.core.desired.children import DesiredStack, signed
from hardened.core.model.manifest import Manifest
from hardened.core.model.question import AskPrometheus, ListConstraints, TryPods
from hardened.core.model.state import ReleaseState
from hardened.core.needs import limits
from hardened.core.observe.facts import Facts


def whether_pods_can_be_made(facts: Facts, pods: Sequence[Manifest]) -> ListConstraints | TryPods:
    """What tells it of these pods. They are tried as their namespace lets them be made, which has to be known before."""
    constraints = facts.observed.constraints
    if constraints is None:
        return ListConstraints()
    return TryPods(tuple(signed(limits.fitted(pod, constraints.limit_ranges)) for pod in pods))


def what_checks_measure(facts: Facts, before: ReleaseState | None, now: datetime) -> AskPrometheus | None:
    """The queries of the checks that are due in this step; None where there are none, and where they were asked in this look."""
    queries = due(facts.svc, before, now) if facts.observed.samples is None else ()
    return AskPrometheus(queries) if queries else None


def goes_back(facts: Facts, state: ReleaseState | None, marked: Sequence[DesiredStack]) -> bool:
    """Whether the revision is rejected, or traffic led back, whatever Prometheus says: that waits for nobody's answer.

    state: after its move; marked: the revisions whose annotations are to be written.
    """
    if state is None:
        return False
    is_rejected = any(found.key == state.key for stack in marked for found in stack.annotations.rejections)
    # One that is there already was written before the spec came back to this revision.
    is_left = any(each.annotations.left_by == state.fencing_token != facts.annotations(each.revision.name).left_by for each in marked)
    return is_rejected or is_left or state.step is Step.SWITCH_BACK or state.is_rollback
