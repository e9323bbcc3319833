"""Pods of checks that cannot be made, or that nobody runs: for want of room, or since something on the cluster refuses them.

Without them nobody can say how the revision does, and that is not its fault: it is waited for, as for room, and no deadline runs. Whether
those that are to watch it under live traffic can be made is tried before traffic is led to it.
"""

from collections.abc import Iterable
from datetime import datetime

from hardened.api.steps import Step
from hardened.core.checks.pods import CheckPod, check_pods
from hardened.core.desired.service import preview_name
from hardened.core.model.finding import Diagnosis
from hardened.core.model.input import Input
from hardened.core.model.kit import Kit
from hardened.core.model.manifest import Manifest
from hardened.core.model.reasons import Reason
from hardened.core.model.release_policy import ReleasePolicy
from hardened.core.model.state import ReleaseState
from hardened.core.needs.preflight import is_due
from hardened.core.observe import diagnosis
from hardened.core.observe.facts import Facts
from hardened.core.observe.failing_probes import describing
from hardened.core.observe.observed import is_deleting
from hardened.core.observe.task_pods import is_over, is_running, own_part


def hindrance(facts: Facts, state: ReleaseState | None, pods: Iterable[CheckPod], policy: ReleasePolicy, now: datetime) -> Diagnosis | None:
    """Why one of the pods that the state's step waits for is not at work. None where all are, or may come yet."""
    if state is None or not state.step.row.is_judged:
        return None
    if state.step is Step.VERIFY_BEFORE and (unreachable := _without_preview(facts)):
        return unreachable
    is_late = not state.step.row.is_growing and _is_late(state, policy, now)
    return next((found for each in pods if not each.is_optional and (found := _hindrance(facts, each, is_late=is_late))), None)


def _without_preview(facts: Facts) -> Diagnosis | None:
    """That no check can ask the new revision: its Service is not there. What keeps it from being made is told beside this.

    The words are always the same: whether it was refused is known only right after it was tried.
    """
    if facts.preview is not None:
        return None
    return Diagnosis(Reason.NOT_READY, f"Service {preview_name(facts.svc)}, through which it is checked, cannot be made yet")


def unable(facts: Facts, state: ReleaseState | None, kit: Kit) -> Diagnosis | None:
    """That nobody can make the checks which the state's revision is to pass from now on."""
    verify, is_before = facts.svc.spec.verify, state is not None and state.step.row.checks == "before"
    asked = (verify.before_cutover if is_before else verify.after_cutover.checks) or ()
    is_wanted = state is None or facts.wanted.name == state.target.revision
    if kit.image or not is_wanted or all(check.prometheus for check in asked):
        return None
    return Diagnosis(Reason.NO_DATA, "the operator's settings name no image for its check pods: set verifier.image")


def lacks(facts: Facts, state: ReleaseState | None, pods: Iterable[CheckPod]) -> bool:
    """Whether a pod that the state's step waits for is not there. Until it was tried to make it nobody knows whether it can be made."""
    if state is None or not state.step.row.is_judged:
        return False
    return any(each.key not in facts.observed.children for each in pods if not (each.is_optional or each.is_early))


def to_try(facts: Facts, before: ReleaseState | None, after: ReleaseState | None, seen: Input, kit: Kit) -> tuple[Manifest, ...]:
    """The pods of VerifyAfter that are not there yet, where the move from one record to the next is the last one before they are needed.

    In place that is the beginning of the release: once it has come to its cutover, its pods take the place of those that serve.
    """
    if after is None or after.is_rollback or not _is_last(before, after):
        return ()
    watched = ReleaseState(after.target, after.key, Step.VERIFY_AFTER, after.started_at, strategy=after.strategy)
    pods = check_pods(facts, watched, seen.policy, kit, seen.now)
    return tuple(each.manifest for each in pods if each.key not in facts.observed.children)


def refusal(facts: Facts) -> Diagnosis | None:
    """Why a pod that was tried cannot be made."""
    tried = facts.observed.tried or {}
    return next((diagnosis.of_refused_check(key.name, failure) for key, failure in tried.items()), None)


def _is_last(before: ReleaseState | None, after: ReleaseState) -> bool:
    if after.strategy != "BlueGreen":
        return is_due(before, after) and after.step is not Step.PREFLIGHT
    return after.step is Step.CUTOVER and before is not None and before.step is Step.SCALE_UP


def _is_late(state: ReleaseState, policy: ReleasePolicy, now: datetime) -> bool:
    """Whether the time is over that pods have to start, on nodes that are slow."""
    if state.step is Step.VERIFY_AFTER:
        return state.window_ends_at is None or now >= state.window_ends_at + policy.progress_deadline
    return state.deadline is None or now >= state.deadline


def _hindrance(facts: Facts, pod: CheckPod, *, is_late: bool) -> Diagnosis | None:
    live, failure = facts.observed.children.get(pod.key), facts.observed.refused.get(pod.key)
    if live is None and failure:
        return diagnosis.of_refused_check(pod.key.name, failure)
    has_begun = live is not None and (is_running(live) or is_over(live))
    if live is None or is_deleting(live) or has_begun or (live.get("status") or {}).get("phase", "Pending") != "Pending":
        return None
    cause = diagnosis.of_pods([own_part(live)])
    if cause and cause.reason is Reason.UNSCHEDULABLE:
        return cause
    # What keeps a command of the team's from running may be its own image.
    if pod.is_teams or not is_late:
        return None
    return cause or Diagnosis(Reason.NOT_READY, f"check pod {pod.key.name} does not run yet; see {describing(live)}")
