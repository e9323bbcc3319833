"""The status of a service, from what was seen. The only place that decides Ready."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from hardened.api import names
from hardened.api.autoscale import Autoscale
from hardened.api.parse import HardenedService
from hardened.api.steps import Step
from hardened.api.text import plain
from hardened.core.actions.log import LogEntry, entries_written
from hardened.core.hardening.catalog import gaps
from hardened.core.model.conditions import Condition, merge
from hardened.core.model.finding import Diagnosis
from hardened.core.model.hold import Hold, hold_written
from hardened.core.model.manifest import Manifest, without_none
from hardened.core.model.proof import Proof
from hardened.core.model.reasons import Reason
from hardened.core.model.state import Rejection, ReleaseState
from hardened.core.model.target import Target
from hardened.core.model.written import Stable, proof_written, rejection_written, stable_written, written
from hardened.core.observe.autoscaling import Scaling
from hardened.core.observe.rollout import Rollout
from hardened.core.runs import record
from hardened.core.runs.backups import Backups
from hardened.core.status.pending import Pending, pending_written


@dataclass(frozen=True)
class Situation:
    """Everything that status is made from."""

    revision: str
    """What the spec asks for."""
    image: str
    serving: Target | None
    """Where clients' traffic goes, None for nowhere."""
    shown: Target | None
    """The revision that clients reach: another one than `serving` while pods are replaced one by one."""
    shown_image: str
    """"" if unknown."""
    selector: Mapping[str, str]
    """Of the pods there."""
    replicas: int
    rollout: Rollout | None
    """The Deployment of the serving colour in numbers, None while there is none."""
    finding: Diagnosis | None
    """The cause that stands in the way, if any."""
    drift: Diagnosis | None
    """What is not as it should be and cannot be repaired."""
    history: Sequence[Manifest]
    """As status has it."""
    is_gated: bool = False
    """Nothing serves before it was released."""
    state: ReleaseState | None = None
    """The release at work."""
    released_image: str = ""
    """What that one brings, "" if unknown."""
    pending: Pending | None = None
    """What the spec asks for, where something else comes first."""
    waits_for: str = ""
    """What it depends on and is not there."""
    dependencies: Sequence[Manifest] = ()
    """How each thing is that it depends on, as status has it."""
    room: Diagnosis | None = None
    """What its pods, or those of its checks, wait for."""
    stable: Stable | None = None
    rejection: Rejection | None = None
    """Why the revision is not released."""
    crd_schema: str = ""
    """The schema revision of the CRD on the cluster, "" if unknown."""
    actions: Sequence[LogEntry] = ()
    """What is remembered of them."""
    proof: Proof | None = None
    """What was counted of lost requests."""
    is_back: bool = False
    """See Decision."""
    backups: Backups = field(default_factory=Backups)
    """What is known of them."""
    scaling: Scaling | None = None
    """How the autoscaler does, None without one."""
    hold: Hold | None = None
    """What keeps the service without pods."""
    is_taking_over: bool = False
    """Somebody else's Service is taken over once the revision has passed its gate."""


def status_of(svc: HardenedService, situation: Situation, before: Mapping[str, Any], now: datetime) -> Manifest:
    """The whole status.

    before: the status as it is, from which only transition times are taken, and the bounds of an autoscaler that is to go.
    """
    rollout = situation.rollout
    is_served = rollout is not None and situation.serving is not None and rollout.revision == situation.serving.revision
    available = rollout.available if rollout and is_served else 0
    ready = _ready(situation)
    conditions = [
        ready,
        _available(available, situation.replicas),
        _progressing(situation, ready),
        _reconciling(situation, ready),
        _stalled(situation.finding),
        _hardened(svc, situation.crd_schema),
        _drifted(situation.drift),
        *([situation.backups.condition] if situation.backups.condition else ()),
    ]
    status: Manifest = {
        "observedGeneration": svc.generation,
        "phase": _phase(situation, ready, available),
        "replicas": rollout.total if rollout else 0,
        "availableReplicas": available,
        "selector": ",".join(f"{key}={value}" for key, value in situation.selector.items()),
        "conditions": merge(before.get("conditions") or (), conditions, svc.generation, now),
        "history": list(situation.history),
    }
    if situation.shown and situation.shown.revision:
        status["serving"] = {"color": situation.shown.color, "revision": situation.shown.revision, "image": situation.shown_image}
    status |= without_none(
        stable=stable_written(situation.stable) if situation.stable else None,
        release=written(situation.state) | _image(situation.released_image) if situation.state else None,
        pending=pending_written(situation.pending) if situation.pending else None,
        hold=hold_written(situation.hold) if situation.hold else None,
        proof=proof_written(situation.proof) if situation.proof else None,
        pin=rejection_written(situation.rejection) if situation.rejection else None,
    )
    if situation.dependencies:
        status["dependencies"] = list(situation.dependencies)
    if situation.scaling:
        status["autoscale"] = _autoscale(svc.spec.autoscale, before.get("autoscale") or {}, situation.replicas, situation.scaling)
    if situation.actions:
        status["actions"] = entries_written(situation.actions)
    if situation.backups.records:
        status["backups"] = record.written(situation.backups.records)
    # Much of it was said by others: containers, webhooks, who asked for something.
    said: Manifest = plain(status)
    return said


def _image(image: str) -> Manifest:
    return {"image": image} if image else {}


def _autoscale(bounds: Autoscale | None, told: Mapping[str, Any], replicas: int, scaling: Scaling) -> Manifest:
    """told: what was said before, whose bounds stay for one that is to go."""
    least, most = (bounds.min_replicas, bounds.max_replicas) if bounds else (told.get("minReplicas", 0), told.get("maxReplicas", 0))
    found: Manifest = {"minReplicas": least, "maxReplicas": most, "replicas": replicas}
    words = {"message": scaling.message, "quota": scaling.quota, "kind": "ScaledObject" if scaling.is_by_keda else ""}
    return found | {"reason": scaling.reason} | {name: text for name, text in words.items() if text}


#: What a person, or another controller, goes by at once. The numbers of pods, and what is said in words, may come a little later.
_NEWS = ("observedGeneration", "release", "pending", "hold", "stable", "pin", "proof", "actions", "dependencies", "backups")


def has_news(before: Mapping[str, Any], status: Mapping[str, Any]) -> bool:
    """Whether a status says more than the one before it, but for other numbers of pods and other words.

    That the first pods serve where nobody did is said by what follows from it: the end of the rollout, or of the release.
    """
    if before.get("serving") and before["serving"] != status.get("serving"):
        return True
    known, said = _said(before), _said(status)
    if said.get("Available", ("", ""))[0] == "True":
        known["Available"] = said["Available"]
    return known != said or any(before.get(name) != status.get(name) for name in _NEWS)


def _said(status: Mapping[str, Any]) -> dict[str, tuple[str, str]]:
    return {c["type"]: (c["status"], c["reason"]) for c in status.get("conditions") or ()}


def _ready(s: Situation) -> Condition:
    if s.finding:
        return Condition("Ready", False, s.finding.reason, s.finding.message)
    if s.state and s.state.paused_at:
        text = f"the release of revision {s.state.target.revision} is paused in {s.state.step}: resume or abort it"
        return Condition("Ready", False, Reason.PAUSED, text)
    if s.state and s.waits_for:
        text = f"{s.state.step}: revision {s.state.target.revision} waits for its dependencies: {s.waits_for}"
        return Condition("Ready", False, Reason.WAITING_FOR_DEPENDENCIES, text)
    if s.state and s.room:
        for_room = " for room" if s.room.reason in (Reason.QUOTA_EXCEEDED, Reason.UNSCHEDULABLE) else ""
        text = f"{s.state.step}: revision {s.state.target.revision} waits{for_room}: {s.room.message}"
        return Condition("Ready", False, s.room.reason, text)
    if s.state and s.state.step is not Step.KEEP and not s.is_back:
        return Condition("Ready", False, Reason.ROLLING_OUT, _released(s.state, s))
    if s.is_gated and s.replicas == 0 and (not s.rollout or s.rollout.total == 0):
        was_released = s.stable is not None and s.stable.target.revision == s.revision
        text = f"the spec asks for 0 replicas; scale up to {'start' if was_released else 'release'} revision {s.revision}"
        return Condition("Ready", True, Reason.SCALED_TO_ZERO, text)
    if not s.rollout or s.rollout.revision != s.revision or s.rollout.wanted != s.replicas or not s.rollout.is_complete:
        return Condition("Ready", False, Reason.ROLLING_OUT, _progress(s))
    if s.replicas == 0:
        return Condition("Ready", True, Reason.SCALED_TO_ZERO, f"revision {s.revision} is in place; the spec asks for 0 replicas")
    return Condition("Ready", True, Reason.HEALTHY, f"revision {s.revision} serves with {s.rollout.available} of {s.replicas} pods")


def _released(state: ReleaseState, s: Situation) -> str:
    if state.step is Step.SWITCH_BACK:
        return f"rolling back revision {state.target.revision}"
    if state.step is Step.UNDO:
        return f"Undo: undoing the migration of revision {state.target.revision}, once it has ended"
    if state.is_rollback:
        return f"{state.step}: rolling back to revision {state.target.revision} ({state.target.color})"
    is_promoted = state.step is Step.APPROVAL and state.is_approved
    is_in_line = state.has_released_slot and state.deadline is None and state.is_before_cutover
    step = Step.QUEUED if is_in_line or is_promoted else state.step
    where = "" if step is Step.QUEUED else f" in {state.target.color}"
    image = f" ({s.released_image})" if s.released_image else ""
    beside = "; the Service leads to what served before until then" if s.is_taking_over and state.is_before_cutover else ""
    return f"{state.step}: revision {state.target.revision}{image} {step.row.doing}{where}{beside}"


def _progress(s: Situation) -> str:
    if not s.rollout or not s.rollout.is_current or s.rollout.revision != s.revision:
        is_next = s.state is not None and s.state.step is Step.KEEP and s.state.target.revision != s.revision
        is_same = s.rollout is not None and s.rollout.revision == s.revision
        doing = "is changed: the Deployment controller has yet to see it" if is_same else "is about to be rolled out"
        doing = "waits: the previous pods must stay up first" if is_next else doing
        return f"revision {s.revision} ({s.image}) {doing}"
    done = min(s.rollout.updated, s.rollout.available)
    old = max(0, s.rollout.total - s.rollout.updated)
    leaving = f"; {old} of another revision still to be removed" if old else ""
    return f"revision {s.revision}: {done} of {s.replicas} pods available{leaving}"


def _available(available: int, replicas: int) -> Condition:
    if available:
        return Condition("Available", True, Reason.PODS_AVAILABLE, f"{available} of {replicas} pods can take requests")
    if replicas == 0:
        return Condition("Available", False, Reason.SCALED_TO_ZERO, "the spec asks for 0 replicas; scale up to serve")
    return Condition("Available", False, Reason.NO_PODS_AVAILABLE, f"0 of {replicas} pods can take requests")


def _available_of_unparsed(body: Mapping[str, Any], available: int, rollout: Rollout | None) -> Condition:
    wanted = rollout.wanted if rollout else 0
    if available or wanted or (body.get("spec") or {}).get("replicas") == 0:
        return _available(available, wanted)
    # None is made while the spec is invalid: that says nothing of how many are wanted.
    return Condition("Available", False, Reason.NO_PODS_AVAILABLE, "no pod can take requests")


def _progressing(s: Situation, ready: Condition) -> Condition:
    if ready.is_true:
        return Condition("Progressing", False, ready.reason, "nothing is being rolled out")
    if s.finding:
        return Condition("Progressing", False, s.finding.reason, s.finding.message)
    return Condition("Progressing", True, Reason.ROLLING_OUT, ready.message)


def _reconciling(s: Situation, ready: Condition) -> Condition:
    # kstatus: Reconciling while the operator is still at work towards the spec; not when only a person can help.
    rests = s.finding is not None and (s.finding.is_final or s.finding.reason is Reason.SUSPENDED)
    is_busy = not ready.is_true and not rests
    return Condition("Reconciling", is_busy, ready.reason, ready.message if is_busy else "nothing is left for the operator to do")


def _stalled(finding: Diagnosis | None) -> Condition:
    if finding and finding.is_final:
        return Condition("Stalled", True, finding.reason, finding.message)
    return Condition("Stalled", False, finding.reason if finding else Reason.IN_STEP, "the operator can continue by itself")


def _hardened(svc: HardenedService, crd_schema: str) -> Condition:
    if crd_schema and crd_schema != names.SCHEMA_REVISION:
        text = f"the CRD has schema revision {crd_schema}, this operator {names.SCHEMA_REVISION}: upgrade both together"
        return Condition("Hardened", False, Reason.CRD_MISMATCH, text)
    open_gaps = gaps(svc)
    if open_gaps:
        return Condition("Hardened", False, Reason.GAPS, "; ".join(open_gaps))
    return Condition("Hardened", True, Reason.NO_GAPS, "every hardening check passes")


def _drifted(drift: Diagnosis | None) -> Condition:
    if drift:
        return Condition("Drifted", True, drift.reason, drift.message)
    return Condition("Drifted", False, Reason.IN_STEP, "everything is as the operator wrote it")


def _phase(s: Situation, ready: Condition, available: int) -> str:
    if s.finding and s.finding.reason is Reason.SUSPENDED:
        return "Suspended"
    if s.state and s.state.paused_at:
        return "Paused"
    if ready.is_true:
        return "Healthy"
    if s.finding and s.finding.reason is Reason.ROLLED_BACK:
        return "RolledBack"
    if s.finding and s.finding.reason is Reason.REJECTED:
        return "Rejected"
    if s.finding and s.finding.reason is Reason.RESTORING:
        return "Progressing"
    if s.finding:
        return "Degraded"
    if s.state and s.state.step is Step.QUEUED:
        return "Queued"
    return "Progressing" if available or s.rollout else "Pending"


def unparsed_status(body: Mapping[str, Any], finding: Diagnosis, rollout: Rollout | None, now: datetime) -> Manifest:
    """The status of a service whose spec cannot be used: what ran keeps running, and the rest of what was known stays as it is."""
    before = body.get("status") or {}
    available, total = (rollout.available, rollout.total) if rollout else (0, 0)
    wanted = [
        Condition("Ready", False, finding.reason, finding.message),
        _available_of_unparsed(body, available, rollout),
        Condition("Progressing", False, finding.reason, finding.message),
        Condition("Reconciling", False, finding.reason, "nothing is left for the operator to do"),
        _stalled(finding),
        Condition("Hardened", False, finding.reason, "unknown while the spec is invalid"),
        _drifted(None),
    ]
    generation = int(body["metadata"].get("generation", 0))
    release = ("selector", "serving", "history", "stable", "release", "proof", "pin")
    kept = (*release, "hold", "autoscale", "actions", "dependencies", "backups")
    status: Manifest = {
        **{name: before[name] for name in kept if name in before},
        "observedGeneration": generation,
        "phase": "Degraded",
        "replicas": total,
        "availableReplicas": available,
        "conditions": merge(before.get("conditions") or (), wanted, generation, now),
    }
    said: Manifest = plain(status)
    return said
