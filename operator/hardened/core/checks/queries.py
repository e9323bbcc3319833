"""Checks by a Prometheus query: what is to be asked now, and what the numbers mean."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime

from hardened.api.parse import HardenedService
from hardened.api.verify import Check, PrometheusCheck
from hardened.core.model.input import Verdict
from hardened.core.model.measurement import Query, Sample
from hardened.core.model.state import CheckOutcome, ReleaseState


def measured_checks(svc: HardenedService, state: ReleaseState | None) -> list[tuple[str, PrometheusCheck]]:
    """The checks by query of the state's step; in Preview, those that are to be asked next: until then nothing is known of them."""
    spec = svc.spec.verify
    checks: Sequence[Check] = ()
    if state and state.step.row.checks == "before":
        checks = spec.before_cutover or ()
    if state and state.step.row.checks == "after":
        checks = spec.after_cutover.checks or ()
    return [(check.name, check.prometheus) for check in checks if check.prometheus]


def due(svc: HardenedService, state: ReleaseState | None, now: datetime) -> tuple[Query, ...]:
    """The queries to ask now: those never asked for this release, and those whose interval has passed."""
    if state is None or state.step.row.is_growing:
        return ()
    known = {outcome.name: outcome for outcome in state.outcomes}
    found = []
    for name, check in measured_checks(svc, state):
        asked_at = known[name].asked_at if name in known else None
        if asked_at is None or now >= asked_at + check.interval:
            found.append(Query(name, _filled(check.query, svc, state), f"{state.fencing_token} {state.step}"))
    return tuple(found)


def next_due(svc: HardenedService, state: ReleaseState | None, unanswered: frozenset[str] = frozenset()) -> datetime | None:
    """When the next query is to be asked, as far as each was asked before. unanswered: checks that are being asked: whoever does, tells."""
    if state is None:
        return None
    known = {outcome.name: outcome.asked_at for outcome in state.outcomes}
    waits = [(name, check) for name, check in measured_checks(svc, state) if name not in unanswered]
    times = [asked_at + check.interval for name, check in waits if (asked_at := known.get(name))]
    return min(times, default=None)


def sampled(svc: HardenedService, state: ReleaseState, samples: Mapping[str, Sample], now: datetime) -> ReleaseState:
    """The state with what the queries gave. requests counts the samples that say something, failed those out of bounds."""
    known = {outcome.name: outcome for outcome in state.outcomes}
    for name, check in measured_checks(svc, state):
        if name in samples:
            known[name] = _counted(known.get(name) or CheckOutcome(name, has_passed=False), check, samples[name], now)
    return replace(state, outcomes=tuple(known.values()))


def verdicts(svc: HardenedService, state: ReleaseState | None) -> list[tuple[Verdict, str]]:
    """What the checks by query of the state's step say so far."""
    known = {outcome.name: outcome for outcome in state.outcomes} if state else {}
    return [_verdict(name, check, known.get(name)) for name, check in measured_checks(svc, state)]


def _filled(query: str, svc: HardenedService, state: ReleaseState) -> str:
    words = {"color": state.target.color, "revision": state.target.revision, "service": svc.name, "namespace": svc.namespace}
    for word, value in words.items():
        query = query.replace(f"$({word})", value)
    return query


def _counted(before: CheckOutcome, check: PrometheusCheck, sample: Sample, now: datetime) -> CheckOutcome:
    asked = replace(before, asked_at=now)
    if sample.is_final:
        return replace(asked, has_passed=False, requests=before.requests + 1, failed=check.failure_limit + 1, message=sample.problem)
    if sample.value is None or math.isnan(sample.value):
        problem = sample.problem or "the query returned no number"
        is_failure = check.on_no_data == "Fail"
        return _with(asked, check, problem, is_failure) if is_failure else replace(asked, message=f"no data: {problem}")
    is_low = check.min is not None and sample.value < check.min
    is_high = check.max is not None and sample.value > check.max
    bound = f", below {check.min:g}" if is_low else f", above {check.max:g}" if is_high else ""
    return _with(asked, check, f"{sample.value:g}{bound}", is_low or is_high)


def _with(before: CheckOutcome, check: PrometheusCheck, message: str, is_failure: bool) -> CheckOutcome:
    failed = before.failed + is_failure
    return replace(before, has_passed=failed <= check.failure_limit, requests=before.requests + 1, failed=failed, message=message)


def _verdict(name: str, check: PrometheusCheck, outcome: CheckOutcome | None) -> tuple[Verdict, str]:
    if outcome is None or outcome.requests == 0:
        return Verdict.UNKNOWN, f"check {name}: {outcome.message if outcome else 'not asked yet'}"
    if outcome.failed > check.failure_limit:
        return Verdict.FAILED, f"check {name} failed: {outcome.message}; {outcome.failed} of {outcome.requests} times"
    if outcome.failed == outcome.requests:
        # Borne so far; but nothing passes before one number was within its bounds.
        return Verdict.UNKNOWN, f"check {name}: {outcome.message}"
    return Verdict.PASSED, ""
