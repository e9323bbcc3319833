"""Who checks a new revision: the verifier pods that should be there."""

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from hardened.api import names, verify
from hardened.api.parse import HardenedService
from hardened.core.checks.asked import TASK
from hardened.core.checks.proof import REMOVAL_LEAD, Removal, duration
from hardened.core.checks.tasks import (
    ZERO_LOSS,
    GrpcTask,
    HttpTask,
    Purpose,
    RequestTask,
    TcpTask,
    checks_task,
    load_arguments,
    pod_name,
    probe_task,
    task_seconds,
    tcp_port,
    told,
)
from hardened.core.checks.verdicts import Results, job_result, load_result, probe_result, results_of
from hardened.core.desired.check_pod import START_SECONDS, job_pod, load_pod, verifier_pod
from hardened.core.model.kit import Kit
from hardened.core.model.manifest import ChildKey, Manifest
from hardened.core.model.release_policy import ReleasePolicy
from hardened.core.model.revision import Revision
from hardened.core.model.state import ReleaseState
from hardened.core.model.target import Target, other
from hardened.core.observe.facts import Facts
from hardened.core.observe.task_pods import own_container, own_state

#: What a probe that began late gets to ask.
_LEAST_PROBE = timedelta(seconds=3)
#: What nodes may take to hear of a Service's endpoints, and a verifier to know it.
_HEARD = timedelta(seconds=35)
_FINE = tuple(range(200, 300))
#: Kubernetes' own, where a template does not say how long its pods may take to end.
DEFAULT_GRACE_SECONDS = 30
#: What it takes until the kubelet knows that a pod is to end.
_TO_BE_TOLD = timedelta(seconds=2)


ReportReader = Callable[[HardenedService, Manifest], Results]


@dataclass(frozen=True)
class CheckPod:
    """A verifier pod that belongs to a step."""

    manifest: Manifest
    names: tuple[str, ...]
    """What it is to report on."""
    reads: ReportReader
    """What it says, from the live pod."""
    has_enough: bool = False
    """It is to end now, and to report what it has."""
    stale_at: datetime | None = None
    """When it is to be made anew if it has not ended by then, None for never."""
    is_optional: bool = False
    """Where it cannot be made, nothing else suffers."""
    is_once: bool = False
    """It is never made again, whatever it says."""
    is_early: bool = False
    """It is not to be made yet, since nobody could answer it."""
    is_teams: bool = False
    """It runs a command of the team's, in an image that may be theirs."""

    @property
    def key(self) -> ChildKey:
        return ChildKey("Pod", self.manifest["metadata"]["name"])

    @property
    def is_probe(self) -> bool:
        """Whether this is the zero-loss probe."""
        return self.names == (ZERO_LOSS,)


def check_pods(facts: Facts, state: ReleaseState | None, policy: ReleasePolicy, kit: Kit, now: datetime) -> list[CheckPod]:
    """The verifier pods of the state's step."""
    revision = facts.revision(state.target.revision, state.target.color) if state else None
    # What is gone back to has passed before: nothing waits for a check of it.
    if state is None or state.is_rollback or revision is None or not revision.fields or not kit.image:
        return []
    maker = _Maker(facts.svc, revision, state.target, state.started_at, kit)
    # Where its pods are available, it is there: what refuses a connection from then on fails.
    row = state.step.row
    is_there = row.is_judged and bool(row.checks)
    spec, wait = facts.svc.spec.verify, timedelta() if is_there else policy.progress_deadline
    found: list[CheckPod] = []
    if row.checks == "before":
        checks = maker.checks(_concerning(facts, revision, spec.before_cutover), Purpose.BEFORE, wait)
        is_preview = row.is_growing
        for each in checks:
            is_early = is_preview and _is_early(facts, each, state.target)
            found.append(replace(each, is_early=is_early, stale_at=None if is_preview else _stale_at(facts, each, state)))
    if row.checks == "after":
        found += maker.checks(_concerning(facts, revision, spec.after_cutover.checks), Purpose.AFTER, wait)
    is_next = row.checks == "before" and row.is_growing and not policy.has_checks_before and not policy.is_manual
    # Before the first release there is nothing to lose. In place, pods come and go until the cutover is over, and what is lost by then may
    # be the old revision's: it is asked after that. So it is of a Service that is taken over: who served before may know no such path.
    is_away = (state.strategy != "BlueGreen" or facts.stable is None) and row.checks != "after"
    if (facts.stable or facts.adoption.origin or facts.adoption.may_begin) and not is_away and (row.is_probed or is_next):
        purpose = Purpose.WINDOW if state.is_probed_anew else Purpose.CUTOVER
        # Made after the window it ends by itself: nobody else knows when it has begun to ask, on a node that is slow to run it.
        is_late = state.window_ends_at is not None and now >= state.window_ends_at
        probe = maker.probe(purpose, _again(policy) if is_late else policy.window + 2 * policy.progress_deadline, wait)
        found += [replace(each, has_enough=_has_enough(facts, each, state, policy, now)) for each in probe]
    return found


def _concerning(facts: Facts, revision: Revision, checks: Sequence[verify.Check] | None) -> list[verify.Check]:
    """The checks that a revision can be asked for. Where the spec asks for another one by now, they are that one's, which may have other
    ports: what this one has no port for says nothing of it."""
    if facts.wanted.name == revision.name:
        return list(checks or ())
    return [check for check in checks or () if check.target is None or tcp_port(revision, check.target.port)]


def _is_early(facts: Facts, verifier: CheckPod, target: Target) -> bool:
    """Those that ask wait for their first connection as long as it takes, and it must not be another revision's; the others do not."""
    if verifier.key in facts.observed.children:
        return False
    return verifier.reads is not results_of or _has_others(facts, target)


def _stale_at(facts: Facts, verifier: CheckPod, state: ReleaseState) -> datetime | None:
    """When a verifier that was made before its pods were there has waited in vain: nobody listens anywhere, and it would wait on."""
    live = facts.observed.children.get(verifier.key)
    if live is None or verifier.reads is not results_of or state.entered_at is None or _task(live) == _task(verifier.manifest):
        return None
    return state.entered_at + timedelta(seconds=verifier.manifest["spec"]["activeDeadlineSeconds"] - START_SECONDS) + _HEARD


def _task(pod: Manifest) -> str:
    """What a verifier is told, whatever was injected beside it."""
    return next((str(each.get("value", "")) for each in own_container(pod).get("env") or () if each["name"] == TASK), "")


def _has_others(facts: Facts, target: Target) -> bool:
    """Whether a place may still have pods of the revision before."""
    rollout = facts.rollout(target.color)
    # A template is written where no pod is left: one that its controller has not seen yet gets none of another revision.
    if rollout is None or (rollout.total == 0 and (rollout.is_current or rollout.revision == target.revision)):
        return False
    return rollout.revision != target.revision or not rollout.is_settled


def _has_enough(facts: Facts, probe: CheckPod, state: ReleaseState, policy: ReleasePolicy, now: datetime) -> bool:
    """Whether the window has passed; for a probe that began in it, or after it, as long again: nobody else has looked."""
    live = facts.observed.children.get(probe.key)
    if live is None or state.window_ends_at is None or state.cutover_at is None:
        return False
    ends, began_at = state.window_ends_at, _began_at(live)
    # Made as one would be made now: after the window, whatever the clocks of others say. That one ends by itself.
    ends_by_itself = live["spec"].get("activeDeadlineSeconds") == probe.manifest["spec"]["activeDeadlineSeconds"]
    if began_at is None or ends_by_itself:
        return False
    return now >= (ends if began_at <= state.cutover_at else max(ends, began_at + _again(policy)))


def _again(policy: ReleasePolicy) -> timedelta:
    """How long a probe asks that the window was no help to."""
    return max(policy.window, _LEAST_PROBE)


def _began_at(live: Manifest) -> datetime | None:
    """When the pod's own container began to run; None where it does not run."""
    running = own_state(live).get("running")
    return datetime.fromisoformat(running["startedAt"]) if running else None


def removal_pods(facts: Facts, removal: Removal | None, kit: Kit) -> list[CheckPod]:
    """The probe of a removal: at most one, and none where it could not ask."""
    revision = facts.revision(removal.target.revision, removal.target.color) if removal else None
    if removal is None or revision is None or not revision.fields or not kit.image:
        return []
    maker = _Maker(facts.svc, revision, removal.target, removal.started_at, kit)
    lasts = duration(grace_of(facts, other(removal.target.color)))
    return [replace(v, is_optional=True, has_enough=removal.is_over) for v in maker.probe(Purpose.REMOVAL, lasts, REMOVAL_LEAD)]


def grace_of(facts: Facts, color: str) -> timedelta:
    """How long a colour's pods may take until they are gone, from the moment when they are not wanted any more."""
    live = facts.deployments.get(color)
    seconds = live["spec"]["template"]["spec"].get("terminationGracePeriodSeconds") if live else None
    return timedelta(seconds=DEFAULT_GRACE_SECONDS if seconds is None else seconds) + _TO_BE_TOLD


def is_verifier(live: Manifest) -> bool:
    """Whether a pod of ours is a verifier."""
    return live["kind"] == "Pod" and (live["metadata"].get("labels") or {}).get(names.COMPONENT_LABEL) == names.VERIFIER


class _Maker:
    """Makes the verifiers of one release."""

    def __init__(self, svc: HardenedService, revision: Revision, target: Target, started_at: datetime, kit: Kit) -> None:
        self._svc, self._revision, self._place, self._started_at, self._kit = svc, revision, target, started_at, kit
        #: For the pods: with what is said of those of this revision.
        self._as_checked = replace(svc, spec=revision.spec)

    def checks(self, checks: Sequence[verify.Check], purpose: Purpose, wait: timedelta) -> Iterator[CheckPod]:
        """One pod for all checks by requests; one for each that sends load or runs a command."""
        asked = [_request(check) for check in checks if check.http or check.grpc or check.tcp]
        if asked:
            task = checks_task(self._svc, self._revision, asked, purpose, wait)
            yield self._asking(task, purpose, tuple(check.name for check in asked))
        for check in checks:
            if check.load:
                yield from self._loading(check.name, check.load, purpose)
            if check.job:
                yield self._running(check.name, check.job, purpose)

    def probe(self, purpose: Purpose, duration: timedelta, wait: timedelta) -> Iterator[CheckPod]:
        """The zero-loss probe; none for a service without a TCP port of clients."""
        task = probe_task(self._svc, self._revision, duration, wait)
        if task:
            yield replace(self._asking(task, purpose, (ZERO_LOSS,)), reads=probe_result)

    def _asking(self, task: Manifest, purpose: Purpose, names: tuple[str, ...]) -> CheckPod:
        pod = verifier_pod(self._as_checked, self._name(purpose), task, kit=self._kit, seconds=task_seconds(task))
        return CheckPod(pod, names, results_of)

    def _loading(self, name: str, check: verify.LoadCheck, purpose: Purpose) -> Iterator[CheckPod]:
        arguments = load_arguments(self._svc, self._revision, check, purpose)
        if arguments:
            seconds = math.ceil(check.duration.total_seconds())
            pod = load_pod(self._as_checked, self._name(purpose, name), arguments, kit=self._kit, seconds=seconds)
            yield CheckPod(pod, (name,), lambda svc, live: load_result(svc, live, name))

    def _running(self, name: str, check: verify.JobCheck, purpose: Purpose) -> CheckPod:
        image, seconds = check.image or self._revision.image, math.ceil(check.deadline.total_seconds())
        svc, own, env = self._as_checked, self._name(purpose, name), told(self._svc, self._place, purpose)
        pod = job_pod(svc, own, check.command, env, image=image, seconds=seconds, revision=self._revision.name)
        return CheckPod(pod, (name,), lambda svc, live: job_result(svc, live, name), is_teams=True)

    def _name(self, purpose: Purpose, check: str = "") -> str:
        return pod_name(self._svc, self._place, self._started_at, purpose, check)


def _request(check: verify.Check) -> RequestTask:
    target = check.http or check.grpc or check.tcp
    assert target, "only checks by requests come here"
    name, port, most = check.name, target.port, target.max_latency
    count, interval, limit = target.count, target.interval, target.failure_limit
    if check.http:
        path, status, body = check.http.path, tuple(check.http.expect_status or _FINE), check.http.expect_body
        return HttpTask(
            name=name, port=port, max_latency=most, count=count, interval=interval, failure_limit=limit,
            path=path, expect_status=status, expect_body=body,
        )  # fmt: skip
    if check.grpc:
        service = check.grpc.service or ""
        return GrpcTask(name=name, port=port, max_latency=most, count=count, interval=interval, failure_limit=limit, service=service)
    return TcpTask(name=name, port=port, max_latency=most, count=count, interval=interval, failure_limit=limit)
