"""Who checks a new revision, and what was said of it: verifier pods that should be there, and the reports of those that are."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from hardened.api import names, verify
from hardened.core.desired.verifier_pod import verifier_pod
from hardened.core.facts import Facts
from hardened.core.manifest import ChildKey, Manifest
from hardened.core.release import Outcome, Record, Step, Terms, Verdict
from hardened.core.revision import Revision
from hardened.core.verdicts import NoData, Pending, Reported, Results, health, results_of, verdict
from hardened.core.verification import (
    ZERO_LOSS,
    Check,
    GrpcCheck,
    HttpCheck,
    Purpose,
    TcpCheck,
    checks_task,
    pod_name,
    probe_task,
    task_names,
    task_seconds,
)

#: The steps in which the probe runs. It starts before the flip, and ends when the window has passed.
_PROBED = frozenset({Step.SCALE_UP, Step.CUTOVER, Step.VERIFY_AFTER})
_FINE = tuple(range(200, 300))


@dataclass(frozen=True)
class Verifier:
    """A verifier pod that belongs to a step. names: what it is to report on; has_enough: it is to end now, and to report what it has."""

    manifest: Manifest
    names: tuple[str, ...]
    has_enough: bool = False

    @property
    def key(self) -> ChildKey:
        return ChildKey("Pod", self.manifest["metadata"]["name"])


@dataclass(frozen=True)
class Heard:
    """What is known of a record's revision. before, after: see View; outcomes: of its checks and its probe, as far as they have ended."""

    before: tuple[Verdict, str]
    after: tuple[Verdict, str]
    outcomes: tuple[Outcome, ...]


def verifiers(facts: Facts, record: Record | None, terms: Terms, image: str, now: datetime) -> list[Verifier]:
    """The verifier pods of the record's step. image: what they run; "" for none: then nobody checks."""
    revision = facts.revision(record.place.revision, record.place.color) if record else None
    if record is None or revision is None or not revision.fields or not image:
        return []
    made = [_verifier(facts, record, purpose, task, image) for purpose, task in _tasks(facts, record, revision, terms)]
    is_over = record.window_ends_at is not None and now >= record.window_ends_at
    return [Verifier(v.manifest, v.names, is_over and v.names == (ZERO_LOSS,)) for v in made]


def heard(facts: Facts, record: Record | None, wanted: Sequence[Verifier], has_image: bool) -> Heard:
    """What the verifiers of the record's step, and the pods of its revision themselves, say."""
    if record is None:
        return Heard((Verdict.UNKNOWN, ""), (Verdict.UNKNOWN, ""), ())
    reports = [(verifier, _report(facts, verifier)) for verifier in wanted]
    verdicts = [verdict(report, verifier.names) for verifier, report in reports]
    spec = facts.svc.spec.verify
    needs_image = not has_image and bool(spec.before_cutover or spec.after_cutover.checks)
    nobody = (Verdict.UNKNOWN, "the operator's settings name no image for verifiers: set verifier.image") if needs_image else None
    before = [said for (verifier, _), said in zip(reports, verdicts, strict=True) if verifier.names != (ZERO_LOSS,)]
    after = [_health(facts, record), *verdicts]
    return Heard(nobody or _all(before), nobody or _all(after), _outcomes(record, [report for _, report in reports]))


def watched(facts: Facts, record: Record, wanted: Sequence[Verifier]) -> Record:
    """The record as it enters VerifyAfter. A probe that has ended by then tells of the revision before, whose failures do not count."""
    ended = any(v.names == (ZERO_LOSS,) and isinstance(_report(facts, v), Reported) for v in wanted)
    outcomes = tuple(outcome for outcome in record.outcomes if outcome.name != ZERO_LOSS)
    return replace(record, is_probed_anew=ended, outcomes=outcomes)


def unheard(facts: Facts, wanted: Sequence[Verifier]) -> frozenset[ChildKey]:
    """Verifiers that will never say anything: to be removed, so that they are made anew."""
    return frozenset(v.key for v in wanted if v.key in facts.observed.children and isinstance(_report(facts, v), NoData))


def is_verifier(live: Manifest) -> bool:
    """Whether a pod of ours is a verifier."""
    return live["kind"] == "Pod" and (live["metadata"].get("labels") or {}).get(names.COMPONENT_LABEL) == names.VERIFIER


def _tasks(facts: Facts, record: Record, revision: Revision, terms: Terms) -> list[tuple[Purpose, Manifest]]:
    spec, wait = facts.svc.spec.verify, terms.progress_deadline
    found: list[tuple[Purpose, Manifest | None]] = []
    if record.step in (Step.PREVIEW, Step.VERIFY_BEFORE) and spec.before_cutover:
        checks = _requests(spec.before_cutover)
        found.append((Purpose.BEFORE, checks_task(facts.svc, revision, checks, Purpose.BEFORE, wait, path="spec.verify.beforeCutover")))
    if record.step is Step.VERIFY_AFTER and spec.after_cutover.checks:
        checks = _requests(spec.after_cutover.checks)
        path = "spec.verify.afterCutover.checks"
        found.append((Purpose.AFTER, checks_task(facts.svc, revision, checks, Purpose.AFTER, wait, path=path)))
    is_next = record.step is Step.PREVIEW and not terms.has_checks_before and not terms.is_manual
    if record.step in _PROBED or is_next:
        purpose = Purpose.WINDOW if record.is_probed_anew else Purpose.CUTOVER
        found.append((purpose, probe_task(facts.svc, revision, terms.window + 2 * terms.progress_deadline, wait)))
    return [(purpose, task) for purpose, task in found if task]


def _verifier(facts: Facts, record: Record, purpose: Purpose, task: Manifest, image: str) -> Verifier:
    name = pod_name(facts.svc, record.place, record.started_at, purpose)
    return Verifier(verifier_pod(facts.svc, name, task, image=image, seconds=task_seconds(task)), task_names(task))


def _requests(checks: Sequence[verify.Check]) -> list[Check]:
    return [_request(check) for check in checks]


def _request(check: verify.Check) -> Check:
    target = check.http or check.grpc or check.tcp
    assert target, "the schema has no other kinds"
    name, port, most = check.name, target.port, target.max_latency
    count, interval, limit = target.count, target.interval, target.failure_limit
    if check.http:
        path, status, body = check.http.path, tuple(check.http.expect_status or _FINE), check.http.expect_body
        return HttpCheck(
            name=name, port=port, max_latency=most, count=count, interval=interval, failure_limit=limit,
            path=path, expect_status=status, expect_body=body,
        )  # fmt: skip
    if check.grpc:
        service = check.grpc.service or ""
        return GrpcCheck(name=name, port=port, max_latency=most, count=count, interval=interval, failure_limit=limit, service=service)
    return TcpCheck(name=name, port=port, max_latency=most, count=count, interval=interval, failure_limit=limit)


def _report(facts: Facts, verifier: Verifier) -> Results:
    live = facts.observed.children.get(verifier.key)
    return results_of(facts.svc, live) if live else Pending("the verifier pod is not there yet")


def _health(facts: Facts, record: Record) -> tuple[Verdict, str]:
    if record.cutover_at is None or facts.observed.pods is None:
        return Verdict.UNKNOWN, "the pods of the new revision were not seen"
    # The kubelet's times are whole seconds.
    since = record.cutover_at.replace(microsecond=0)
    return health(facts.pods_at(record.place), 0, facts.svc.spec.verify.after_cutover.max_restarts, since)


def _all(said: Sequence[tuple[Verdict, str]]) -> tuple[Verdict, str]:
    """The first failure; else what is not known yet; else that all is well."""
    for kind in (Verdict.FAILED, Verdict.UNKNOWN):
        for one in said:
            if one[0] is kind:
                return one
    return Verdict.PASSED, ""


def _outcomes(record: Record, reports: Sequence[Results]) -> tuple[Outcome, ...]:
    """Those of earlier steps stay; the same check again replaces its own."""
    new = [
        Outcome(r.name, r.has_passed, r.message, r.requests, r.failed)
        for report in reports
        if isinstance(report, Reported)
        for r in report.results
    ]
    names = {outcome.name for outcome in new}
    return (*(old for old in record.outcomes if old.name not in names), *new)
