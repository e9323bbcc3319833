"""What was said of a new revision: the reports of its verifier pods, its measurements, and how its own pods are."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from hardened.core.checks import queries
from hardened.core.checks.asked import strangeness
from hardened.core.checks.pods import CheckPod
from hardened.core.checks.tasks import ZERO_LOSS
from hardened.core.checks.verdicts import NoData, Pending, Reported, Results, health, verdict
from hardened.core.model.input import Verdict
from hardened.core.model.manifest import ChildKey
from hardened.core.model.state import CheckOutcome, ReleaseState
from hardened.core.observe.facts import Facts
from hardened.core.observe.task_pods import is_running

#: A pod that ends without a word at once would end so again.
_MADE_ANEW_AFTER = timedelta(seconds=10)


@dataclass(frozen=True)
class CheckResults:
    """What is known of a state's revision."""

    before: tuple[Verdict, str]
    """See Input."""
    after: tuple[Verdict, str]
    """See Input."""
    outcomes: tuple[CheckOutcome, ...]
    """Of its checks and its probe, as far as they have ended."""


#: Where no release is in progress.
NOTHING_HEARD = CheckResults((Verdict.UNKNOWN, ""), (Verdict.UNKNOWN, ""), ())


def check_results(facts: Facts, state: ReleaseState | None, wanted: Sequence[CheckPod], has_image: bool) -> CheckResults:
    """What the verifiers of the state's step, and the pods of its revision themselves, say."""
    if state is None:
        return NOTHING_HEARD
    reports = [(verifier, _report(facts, verifier)) for verifier in wanted]
    verdicts = [verdict(report, verifier.names) for verifier, report in reports]
    spec = facts.svc.spec.verify
    # What a newer spec asks for is not asked of this one.
    is_wanted = facts.wanted.name == state.target.revision
    needs_image = (
        not has_image
        and is_wanted
        and not all(check.prometheus for check in (*(spec.before_cutover or ()), *(spec.after_cutover.checks or ())))
    )
    nobody = (Verdict.UNKNOWN, "the operator's settings name no image for check pods: set verifier.image") if needs_image else None
    measured = queries.verdicts(facts.svc, state)
    asked = [said for (verifier, _), said in zip(reports, verdicts, strict=True) if not verifier.is_probe]
    before, after = [*asked, *measured], [_health(facts, state), *verdicts, *measured]
    if state.step.row.checks != "before":
        before.append((Verdict.UNKNOWN, ""))  # nobody asks then, and that says nothing
    return CheckResults(nobody or _all(before), nobody or _all(after), _outcomes(state, reports))


def watched(facts: Facts, state: ReleaseState, wanted: Sequence[CheckPod]) -> ReleaseState:
    """The state as it enters VerifyAfter. A probe that has ended by then tells of the revision before, whose failures do not count."""
    ended = any(v.is_probe and isinstance(_report(facts, v), Reported) for v in wanted)
    outcomes = tuple(outcome for outcome in state.outcomes if outcome.name != ZERO_LOSS)
    return replace(state, is_probed_anew=ended, outcomes=outcomes)


def unheard(facts: Facts, wanted: Sequence[CheckPod]) -> dict[ChildKey, datetime]:
    """Verifiers that will never say anything, but for those of which there is one at most: when each is to be removed, to be made anew."""
    needed = [v for v in wanted if not (v.is_optional or v.is_once) and v.key in facts.observed.children]
    said = [(v, facts.observed.children[v.key], _report(facts, v)) for v in needed]
    silent = {v.key: live for v, live, report in said if isinstance(report, NoData)}
    stale = {v.key: v.stale_at for v, live, report in said if v.stale_at and isinstance(report, Pending) and is_running(live)}
    return {key: datetime.fromisoformat(live["metadata"]["creationTimestamp"]) + _MADE_ANEW_AFTER for key, live in silent.items()} | stale


def removal_results(facts: Facts, wanted: Sequence[CheckPod]) -> Results | None:
    """What the probe of a removal says; None where there is none."""
    return next((_report(facts, verifier) for verifier in wanted), None)


def _report(facts: Facts, verifier: CheckPod) -> Results:
    live = facts.observed.children.get(verifier.key)
    if live is None:
        return Pending("the check pod does not exist yet")
    if why := strangeness(verifier.manifest, live, facts.observed.made.get(verifier.key)):
        return NoData(f"pod {verifier.key.name} is not the one that the operator asked for: {why}")
    said = verifier.reads(facts.svc, live)
    if not isinstance(said, Reported):
        return said
    found, message = verdict(said, verifier.names)
    # Asked before the spec got another check: all are asked anew.
    return NoData(message) if found is Verdict.UNKNOWN else said


def _health(facts: Facts, state: ReleaseState) -> tuple[Verdict, str]:
    if state.cutover_at is None or facts.pods is None:
        return Verdict.UNKNOWN, "the pods of the new revision could not be listed"
    # The kubelet's times are whole seconds.
    since = state.cutover_at.replace(microsecond=0)
    return health(facts.pods_at(state.target), 0, facts.svc.spec.verify.after_cutover.max_restarts, since)


def _all(said: Sequence[tuple[Verdict, str]]) -> tuple[Verdict, str]:
    """The first failure; else what is not known yet; else that all is well."""
    for kind in (Verdict.FAILED, Verdict.UNKNOWN):
        for one in said:
            if one[0] is kind:
                return one
    return Verdict.PASSED, ""


def _outcomes(state: ReleaseState, reports: Sequence[tuple[CheckPod, Results]]) -> tuple[CheckOutcome, ...]:
    """Those of earlier steps stay; the same check again replaces its own."""
    new = [
        CheckOutcome(r.name, r.has_passed, r.message, r.requests, r.failed)
        for verifier, report in reports
        if isinstance(report, Reported)
        for r in report.results
        if r.name in verifier.names
    ]
    names = {outcome.name for outcome in new}
    return (*(old for old in state.outcomes if old.name not in names), *new)
