"""From what is to what should be done: the whole decision, and nothing else."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

from hardened.api import names
from hardened.api.parse import HardenedService, parse
from hardened.core import diagnosis, history
from hardened.core.children import desired_children
from hardened.core.compare import difference
from hardened.core.desired.deployment import deployment_name
from hardened.core.diagnosis import Finding
from hardened.core.history import Kept, revision_label
from hardened.core.manifest import ChildKey, Manifest, key_of
from hardened.core.observed import Observed, Owner, is_deleting, owner_of
from hardened.core.ownership import applied_fields
from hardened.core.policy import Policy
from hardened.core.reasons import Reason
from hardened.core.revision import Revision, render, revision_fields, revision_name, stored
from hardened.core.rollout import Rollout, rollout_of
from hardened.core.status import Situation, status_of, unparsed_status
from hardened.errors import InvalidSpec

#: Where nothing says how many replicas are wanted.
DEFAULT_REPLICAS = 2
#: Pods get this long to come up before anybody asks why they do not, and then they are looked at this often.
PATIENCE = timedelta(seconds=5)
LOOK_AGAIN = timedelta(seconds=15)
GARBAGE_WAIT = timedelta(seconds=2)
#: Nobody tells when a foreign object goes that has the name of a child.
OBSTACLE_WAIT = timedelta(seconds=20)


@dataclass(frozen=True)
class Apply:
    """Apply this manifest. is_new: it is not there, so nothing may be taken over; repairs: the field that somebody else changed, or ""."""

    manifest: Manifest
    is_new: bool = False
    repairs: str = ""


@dataclass(frozen=True)
class Delete:
    """Delete this object, if it is still this one, in this state."""

    key: ChildKey
    uid: str
    resource_version: str


@dataclass(frozen=True)
class Plan:
    """What to do next. `look` comes first: when it is not empty, or `look_at_pods` is true, nothing else is decided yet.

    look: children to read by name; seed_replicas: what to set spec.replicas to, through /scale; apply, delete: in this
    order, stopping at the first failure; status: the whole status as it should be once nothing is left to write, None to
    leave it; requeue_after: when to look again if nothing happens before.
    """

    look: frozenset[ChildKey] = frozenset()
    look_at_pods: bool = False
    seed_replicas: int | None = None
    apply: tuple[Apply, ...] = ()
    delete: tuple[Delete, ...] = ()
    status: Manifest | None = None
    requeue_after: timedelta | None = None

    @property
    def has_writes(self) -> bool:
        """Something other than status is to be written."""
        return bool(self.apply or self.delete or self.seed_replicas is not None)


def plan(body: Mapping[str, Any], observed: Observed, policy: Policy, now: datetime) -> Plan:
    """The next step for one service. body: the HardenedService as the API server has it; now: timezone-aware.

    Depends on nothing else: the same arguments give the same plan, and planning on the applied world gives no writes.
    """
    if body["metadata"].get("deletionTimestamp"):
        return Plan()
    try:
        svc = parse(body)
        violations = policy.violations(svc.spec)
        if violations:
            raise InvalidSpec(violations)
    except InvalidSpec as error:
        finding = Finding(Reason.INVALID_SPEC, str(error), is_final=True)
        return Plan(status=unparsed_status(body, finding, _running(body["metadata"], observed), now))
    return _Planner(svc, body.get("status") or {}, observed, now).plan()


def _running(meta: Mapping[str, Any], observed: Observed) -> Rollout | None:
    """The Deployment of a service whose spec says nothing that can be used."""
    key = ChildKey("Deployment", names.child_name(meta["name"], names.BLUE))
    live = observed.children.get(key)
    return rollout_of(live) if live and owner_of(live, meta["name"], meta["uid"]) is Owner.OURS else None


class _Planner:
    """One decision. Holds what every part of it reads, and changes nothing."""

    def __init__(self, svc: HardenedService, before: Mapping[str, Any], observed: Observed, now: datetime) -> None:
        self.svc, self.before, self.observed, self.now = svc, before, observed, now
        self.ours = [c for c in observed.children.values() if owner_of(c, svc.name, svc.uid) is Owner.OURS]
        self.kept = Kept.of(self.ours)
        self.revision = self._revision()
        self.deployment_key = ChildKey("Deployment", deployment_name(svc, names.BLUE))
        self.deployment = next((c for c in self.ours if key_of(c) == self.deployment_key), None)
        self.replicas = self._replicas()

    def plan(self) -> Plan:
        if self.svc.spec.suspend:
            finding = Finding(Reason.SUSPENDED, "spec.suspend is true: nothing is changed until it is false")
            return Plan(status=self._status(finding))
        number = self.kept.number_for(self.revision.name)
        wanted = desired_children(self.svc, self._rebuilt(), number, self.replicas)
        look = frozenset(key_of(m) for m in wanted) - self.observed.children.keys() - self.observed.absent
        if self._must_be_rebuilt() and self.deployment and "managedFields" not in self.deployment["metadata"]:
            look |= {self.deployment_key}  # the caches leave out what tells the applied fields from the defaulted ones
        if look:
            return Plan(look=look)
        apply, blocker = self._applies(wanted)
        obstacle = self._trouble() or blocker or self._pods_finding()
        if self._wants_pods(obstacle):
            return Plan(look_at_pods=True)
        return Plan(
            seed_replicas=self.replicas if self.svc.spec.replicas is None else None,
            apply=tuple(apply),
            delete=() if blocker else tuple(self._deletes(wanted)),
            status=self._status(obstacle),
            requeue_after=self._requeue(obstacle),
        )

    def _revision(self) -> Revision:
        """The stored revision that the spec asks for, else a new one."""
        live = self.kept.named(revision_name(self.svc.spec))
        return (live and stored(live)) or render(self.svc)

    def _must_be_rebuilt(self) -> bool:
        """True where the Deployment runs the wanted revision, and what stored that revision is gone."""
        rollout = self._rollout()
        return rollout is not None and rollout.revision == self.revision.name and not self.kept.named(self.revision.name)

    def _rebuilt(self) -> Revision:
        """The revision, with the template that its Deployment runs where the stored one was deleted.

        A template from a newer renderer would restart pods that nobody asked to restart.
        """
        if not self._must_be_rebuilt() or not self.deployment:
            return self.revision
        applied = applied_fields(self.deployment, names.MANAGER)
        template = ((applied or {}).get("spec") or {}).get("template")
        if not template:
            return self.revision
        labels = {k: v for k, v in template["metadata"]["labels"].items() if k != names.COLOR_LABEL}
        template = {**template, "metadata": {**template["metadata"], "labels": labels}}
        return replace(self.revision, fields=revision_fields(self.svc.spec), template=template)

    def _replicas(self) -> int:
        if self.svc.spec.replicas is not None:
            return self.svc.spec.replicas
        return int(self.deployment["spec"].get("replicas", DEFAULT_REPLICAS)) if self.deployment else DEFAULT_REPLICAS

    def _applies(self, wanted: Iterable[Manifest]) -> tuple[list[Apply], Finding | None]:
        """What differs, in order, up to the first child that must not be touched."""
        found: list[Apply] = []
        for manifest in wanted:
            key = key_of(manifest)
            live = self.observed.children.get(key)
            if live is None:
                found.append(Apply(manifest, is_new=True))
                continue
            blocker = self._blocker(key, live)
            if blocker:
                return found, blocker
            if is_deleting(live):
                continue  # it is made anew once it is gone
            change = difference(manifest, live)
            if change and key not in self.observed.contested:
                pinned = {**manifest, "metadata": {**manifest["metadata"], "uid": live["metadata"]["uid"]}}
                found.append(Apply(pinned, repairs=change if _digest(live) == _digest(manifest) else ""))
        return found, None

    def _blocker(self, key: ChildKey, live: Manifest) -> Finding | None:
        match owner_of(live, self.svc.name, self.svc.uid):
            case Owner.OURS:
                return None
            case Owner.PREVIOUS:
                text = f"{key} still belongs to a deleted service of the same name; the garbage collector removes it"
                return Finding(Reason.WAITING_FOR_GARBAGE_COLLECTION, text)
            case Owner.FOREIGN:
                text = f"{key} is there already and is not this service's; delete or rename it, or rename the service"
                return Finding(Reason.NOT_OWNED, text, is_final=True)

    def _deletes(self, wanted: Iterable[Manifest]) -> Iterable[Delete]:
        """What is ours and no longer wanted: never a claim, never a revision within the history."""
        in_use = frozenset({self.revision.name, *([rollout_of(self.deployment).revision] if self.deployment else [])})
        surplus = self.kept.surplus(in_use)
        unwanted = {key_of(r) for r in surplus} | {history.files_key(r) for r in surplus}
        if not any(m["kind"] == "Service" for m in wanted):
            unwanted.add(ChildKey("Service", self.svc.name))
        for child in self.ours:
            if key_of(child) in unwanted and not is_deleting(child):
                meta = child["metadata"]
                yield Delete(key_of(child), meta["uid"], meta["resourceVersion"])

    def _trouble(self) -> Finding | None:
        troubles = self.observed.troubles
        return diagnosis.of_failure(troubles[0].doing, troubles[0].failure) if troubles else None

    def _rollout(self) -> Rollout | None:
        return rollout_of(self.deployment) if self.deployment else None

    def _is_late(self) -> bool:
        rollout = self._rollout()
        return rollout is not None and rollout.is_current and not rollout.is_complete and self._has_stood_still(PATIENCE)

    def _has_stood_still(self, time: timedelta) -> bool:
        rollout = self._rollout()
        return rollout is None or rollout.progressed_at is None or self.now - rollout.progressed_at >= time

    def _pods_finding(self) -> Finding | None:
        rollout = self._rollout()
        if not self.deployment or not rollout or rollout.is_complete:
            return None
        finding = diagnosis.of_deployment(self.deployment) or diagnosis.of_pods(self._new_pods())
        if finding and not self._has_stood_still(finding.believed_after):
            finding = None
        if diagnosis.has_passed_its_deadline(self.deployment):
            text = finding.message if finding else "the rollout has made no progress for ten minutes; see its pods"
            return Finding(finding.reason if finding else Reason.PROGRESS_DEADLINE_EXCEEDED, text, is_final=True)
        return finding

    def _new_pods(self) -> list[Manifest]:
        pods = [p for p in self.observed.pods or () if revision_label(p) == self.revision.name]
        return pods or list(self.observed.pods or ())

    def _wants_pods(self, finding: Finding | None) -> bool:
        # That a deadline has passed is no cause: the pods know it.
        is_unexplained = finding is None or finding.reason is Reason.PROGRESS_DEADLINE_EXCEEDED
        return self.observed.pods is None and is_unexplained and self._is_late()

    def _requeue(self, finding: Finding | None) -> timedelta | None:
        if finding and finding.reason is Reason.WAITING_FOR_GARBAGE_COLLECTION:
            return GARBAGE_WAIT
        if finding and finding.reason is Reason.NOT_OWNED:
            return OBSTACLE_WAIT
        rollout = self._rollout()
        if not rollout or rollout.is_complete:
            return None
        return LOOK_AGAIN if self._is_late() else PATIENCE

    def _drift(self, entries: Iterable[Manifest]) -> Finding | None:
        for child in self.ours:
            if child["kind"] == "PersistentVolumeClaim" and is_deleting(child):
                name = child["metadata"]["name"]
                text = f"claim {name} is being deleted while pods mount it; its data goes when the last of them ends: copy it now"
                return Finding(Reason.CLAIM_DELETING, text)
        if self.observed.contested:
            key, path = next(iter(self.observed.contested.items()))
            text = f"{key}: {path} is changed by something else as it is written; see the admission webhooks and policies of the cluster"
            return Finding(Reason.CONTESTED, text)
        lost = [e["revision"] for e in entries if e.get("missing")]
        if lost:
            return Finding(
                Reason.REVISION_MISSING, f"stored revisions were deleted: {', '.join(lost)}; a rollback to them is no longer possible"
            )
        return None

    def _status(self, finding: Finding | None) -> Manifest:
        entries = history.entries(self.kept, self.before.get("history") or ())
        rollout = self._rollout()
        serving = self.kept.named(rollout.revision) if rollout else None
        running = serving and stored(serving)
        situation = Situation(
            revision=self.revision.name,
            image=self.revision.image,
            serving_image=running.image if running else self.revision.image,
            replicas=self.replicas,
            rollout=rollout,
            finding=finding,
            drift=self._drift(entries),
            history=entries,
            crd_schema=self.observed.crd_schema,
        )
        return status_of(self.svc, situation, self.before, self.now)


def _digest(manifest: Mapping[str, Any]) -> str:
    return str((manifest["metadata"].get("annotations") or {}).get(names.APPLIED_ANNOTATION, ""))
