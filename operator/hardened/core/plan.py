"""From what is to what should be done: the whole decision, and nothing else."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from hardened.api import names
from hardened.api.parse import HardenedService, parse
from hardened.core.actions.answers import Answer, answers
from hardened.core.actions.entries import entries_of
from hardened.core.checks.queries import Query
from hardened.core.checks.verifiers import is_verifier, unheard
from hardened.core.children import desired_children, signed, stored_revision
from hardened.core.desired.metadata import action_owner
from hardened.core.desired.service import is_strange, leads_to
from hardened.core.facts import Facts
from hardened.core.live import diagnosis
from hardened.core.live.compare import difference
from hardened.core.live.diagnosis import Finding
from hardened.core.live.observed import Observed, Owner, is_deleting, owner_of
from hardened.core.live.rollout import Rollout, rollout_of
from hardened.core.manifest import ChildKey, Manifest, key_of
from hardened.core.policy import Policy
from hardened.core.reasons import Reason
from hardened.core.release.course import course_of, is_suspended
from hardened.core.release.migration_pods import is_at_work
from hardened.core.release.model import COLORS, POLLED_STEPS, WITHOUT_PODS, Migration, Step
from hardened.core.release.record import record_of
from hardened.core.revisions import history
from hardened.core.revisions.history import revision_label
from hardened.core.revisions.revision import stored
from hardened.core.status import Situation, status_of, unparsed_status
from hardened.errors import InvalidSpec

#: Pods get this long to come up before anybody asks why they do not, and then they are looked at this often.
PATIENCE = timedelta(seconds=5)
LOOK_AGAIN = timedelta(seconds=15)
#: A pod with this deadline ends at once, and stays with what it reported.
ENDED_SECONDS = 1
GARBAGE_WAIT = timedelta(seconds=2)
#: Nobody tells when a foreign object goes that has the name of a child.
OBSTACLE_WAIT = timedelta(seconds=20)
#: What a process that was paused must not bring back to what it was, once others have gone on: which stack serves, what runs in it, and
#: which revision is stable or rejected.
_DECISIVE = ("Service", "Deployment", "ControllerRevision")


@dataclass(frozen=True)
class Apply:
    """Apply this manifest. is_new: it is not there, so nothing may be taken over; repairs: the field that somebody else changed, or "".

    is_optional: where that fails, the rest goes on without it.
    """

    manifest: Manifest
    is_new: bool = False
    repairs: str = ""
    is_optional: bool = False

    @property
    def wish(self) -> Manifest:
        """The manifest without the version that it was decided on, which is a condition of the write, and moves on with it."""
        meta = {key: value for key, value in self.manifest["metadata"].items() if key != "resourceVersion"}
        return {**self.manifest, "metadata": meta}


@dataclass(frozen=True)
class Delete:
    """Delete this object, if it is still this one, in this state."""

    key: ChildKey
    uid: str
    resource_version: str


@dataclass(frozen=True)
class Plan:
    """What to do next. `look` comes first: when it is not empty, or `look_at_pods` is true, or `ask` is not empty, or `look_around` is not
    None, nothing else is decided.

    look: children to read by name, one after the other; look_around: ConfigMaps to read by name, beside the quotas; ask: Prometheus;
    seed_replicas: what to set spec.replicas to, by /scale; apply, delete, end: in this order, stopping at the first failure; apply: what
    takes pods away comes last; end: pods that are to end now, and to stay; status: the whole status as it should be once nothing is left
    to write, None to leave it; is_status_first: the rest depends on that status, and is planned once it is written; answers: to actions,
    after all else; requeue_after: when to look again if nothing happens before.
    """

    look: frozenset[ChildKey] = frozenset()
    look_at_pods: bool = False
    look_around: frozenset[str] | None = None
    ask: tuple[Query, ...] = ()
    seed_replicas: int | None = None
    apply: tuple[Apply, ...] = ()
    delete: tuple[Delete, ...] = ()
    end: tuple[ChildKey, ...] = ()
    status: Manifest | None = None
    is_status_first: bool = False
    answers: tuple[Answer, ...] = ()
    requeue_after: timedelta | None = None

    @property
    def has_writes(self) -> bool:
        """Something other than status is to be written."""
        return bool(self.apply or self.delete or self.end or self.seed_replicas is not None)


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
        return Plan(status=unparsed_status(body, finding, _running(body, observed), now))
    return _Planner(svc, body.get("status") or {}, observed, policy, now).plan()


def _running(body: Mapping[str, Any], observed: Observed) -> Rollout | None:
    """The Deployment that serves, of a service whose spec says nothing that can be used."""
    meta, serving = body["metadata"], (body.get("status") or {}).get("serving") or {}
    color = str(serving.get("color")) if serving.get("color") in COLORS else COLORS[0]
    live = observed.children.get(ChildKey("Deployment", names.child_name(meta["name"], color)))
    return rollout_of(live) if live and owner_of(live, meta["name"], meta["uid"]) is Owner.OURS else None


class _Planner:
    """One decision. Holds what every part of it reads, and changes nothing."""

    def __init__(self, svc: HardenedService, before: Mapping[str, Any], observed: Observed, policy: Policy, now: datetime) -> None:
        self.svc, self.before, self.observed, self.now = svc, before, observed, now
        self.facts = Facts(svc, before, observed)
        self.record = record_of(before)
        self.course = course_of(self.facts, policy.verifier_image, now)
        self.unheard = unheard(self.facts, self.course.verifiers)
        self.deployment = self.facts.deployments.get(self.course.focus)
        self.answers, self.answer_at = answers(observed.actions, entries_of(before), action_owner(svc), now)

    def plan(self) -> Plan:
        course = self.course
        if is_suspended(self.svc, self.record):
            finding = Finding(Reason.SUSPENDED, "spec.suspend is true: nothing is changed until it is false")
            is_told = course.actions == entries_of(self.before)
            return Plan(status=self._status(finding), is_status_first=not is_told, answers=self.answers, requeue_after=self._answer_wait())
        if self._doubts_the_switch():
            return Plan(look=frozenset({ChildKey("Service", self.svc.name)}))
        unseen = self._unseen_stacks()
        if unseen:
            return Plan(look=unseen | self._unread(self._wanted()))
        if course.needs_pods:
            return Plan(look_at_pods=True)
        if course.asks:
            return Plan(ask=course.asks)
        if course.surroundings is not None:
            return Plan(look_around=course.surroundings)
        if course.has_moved and not course.marked:
            # With why the revision is pinned: told as if it were over, and anew after the next look, it would be told twice.
            return Plan(status=self._status(self._trouble() or self._pinned() or course.config), is_status_first=True)
        wanted = [stored_revision(self.svc, each) for each in course.marked] if course.marked else self._wanted()
        look = self._unread(wanted)
        if look:
            return Plan(look=look)
        apply, blocker = self._applies(wanted)
        if course.marked and apply:
            return Plan(apply=tuple(apply))
        look = self._unsure(apply)
        if look:
            return Plan(look=look)
        # Somebody may have led the Service to pods that no release keeps: it is led away from them first.
        apply.sort(key=self._takes_pods_away)
        obstacle = self._trouble() or blocker or self._not_undone() or self._pinned() or course.config or self._pods_finding()
        if self._wants_pods(obstacle):
            return Plan(look_at_pods=True)
        return Plan(
            seed_replicas=course.replicas if self.svc.spec.replicas is None else None,
            apply=tuple(apply),
            delete=() if blocker or course.marked else tuple(self._deletes(wanted)),
            end=tuple(self._ends()),
            status=self._status(obstacle),
            answers=self.answers,
            requeue_after=self._requeue(obstacle),
        )

    def _doubts_the_switch(self) -> bool:
        """Whether the switch Service, as far as is known, leads where nobody led it. A list can be older than the record of the flip."""
        record, key = self.record, ChildKey("Service", self.svc.name)
        if record is None or record.strategy != "BlueGreen" or record.step not in (Step.CUTOVER, Step.VERIFY_AFTER):
            return False
        live, stable = self.facts.switch, self.facts.stable
        known = {record.place, stable.place if stable else None} if record.step is Step.CUTOVER else {record.place}
        is_as_recorded = live is not None and leads_to(live, self.svc) in known and not is_strange(live, self.svc)
        return not is_as_recorded and key not in self.observed.fresh | self.observed.absent

    def _unseen_stacks(self) -> frozenset[ChildKey]:
        """The Deployments that the release goes by, as far as the caches lack them: somebody may have taken their labels, and no more."""
        record, stable = self.record, self.facts.stable
        if record is None or record.step in WITHOUT_PODS:
            return frozenset()
        colors = {record.place.color, *((stable.place.color,) if stable else ()), *(COLORS if record.step is Step.KEEP else ())}
        keys = frozenset(ChildKey("Deployment", names.child_name(self.svc.name, color)) for color in colors)
        return keys - self.observed.children.keys() - self.observed.absent

    def _wanted(self) -> list[Manifest]:
        children = desired_children(self.svc, self.course.stacks, self.course.switch, self.course.preview)
        lost = {key for key, at in self.unheard.items() if at <= self.now}
        return [*children, *(signed(v.manifest) for v in self.course.verifiers if v.key not in lost and not v.is_early)]

    def _unread(self, wanted: Iterable[Manifest]) -> frozenset[ChildKey]:
        """What has to be read by name before anything is written: wanted children that the caches lack, and what is to be rebuilt."""
        missing = frozenset(key_of(m) for m in wanted) - self.observed.children.keys() - self.observed.absent
        rebuilt = (self.facts.unread_template(s.revision.name, s.color) for s in self.course.stacks)
        return missing | {key for key in rebuilt if key}

    def _unsure(self, apply: Iterable["Apply"]) -> frozenset[ChildKey]:
        """What takes pods away is decided on a fresh Deployment, and after it a fresh switch Service: traffic may lead there by now."""
        shrinking = frozenset(key_of(step.manifest) for step in apply if self._takes_pods_away(step))
        if shrinking - self.observed.fresh:
            return shrinking - self.observed.fresh
        switch = frozenset({ChildKey("Service", self.svc.name)}) & self.observed.children.keys()
        return switch - self.observed.fresh if shrinking else frozenset()

    def _takes_pods_away(self, step: "Apply") -> bool:
        live = self.observed.children.get(key_of(step.manifest))
        if live is None or live["kind"] != "Deployment":
            return False
        before, after = rollout_of(live), step.manifest["spec"]
        revision = after["template"]["metadata"]["labels"][names.REVISION_LABEL]
        return before.wanted > after["replicas"] or (before.wanted > 0 and before.revision != revision)

    def _applies(self, wanted: Iterable[Manifest]) -> tuple[list[Apply], Finding | None]:
        """What differs, in order, up to the first child that must not be touched."""
        found: list[Apply] = []
        optional = {verifier.key for verifier in self.course.verifiers if verifier.is_optional}
        for manifest in wanted:
            key = key_of(manifest)
            live = self.observed.children.get(key)
            if live is None:
                if key not in self.observed.refused:
                    found.append(Apply(manifest, is_new=True, is_optional=key in optional))
                continue
            blocker = self._blocker(key, live)
            if blocker:
                return found, blocker
            if is_deleting(live):
                continue  # it is made anew once it is gone
            # A pod is made once; what may still change of it is its end.
            change = difference(manifest, live) if key.kind != "Pod" else None
            if change and key not in self.observed.contested:
                step = Apply(self._pinned_to(manifest, live), repairs=change if _digest(live) == _digest(manifest) else "")
                found.append(step)
        return found, None

    def _pinned_to(self, manifest: Manifest, live: Manifest) -> Manifest:
        """The manifest for this very object; where traffic or pods depend on it, for the state that it was decided on.

        Each apply of a Deployment is one of its template and size, whatever it is about, and each one of a revision one of all its marks.
        """
        seen = {"uid": live["metadata"]["uid"]}
        if manifest["kind"] in _DECISIVE:
            seen["resourceVersion"] = live["metadata"]["resourceVersion"]
        return {**manifest, "metadata": {**manifest["metadata"], **seen}}

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
        unwanted: set[ChildKey] = set()
        for live in self.facts.kept.surplus(self._in_use(), self.svc.spec.release.history_limit):
            unwanted |= {key_of(live), history.files_key(live)}
        services = {key_of(m) for m in wanted if m["kind"] == "Service"}
        unwanted |= {key_of(child) for child in self.facts.ours if child["kind"] == "Service"} - services
        pods = {key_of(m) for m in wanted if m["kind"] == "Pod"}
        verifiers = [child for child in self.facts.ours if is_verifier(child)]
        if self.course.rejection and not self.course.record:
            # What has failed is kept to be looked at, until the next release.
            verifiers = [live for live in verifiers if (live.get("status") or {}).get("phase") not in ("Succeeded", "Failed")]
        unwanted |= {key_of(child) for child in verifiers if not is_at_work(child)} - pods
        for child in self.facts.ours:
            if key_of(child) in unwanted and not is_deleting(child):
                meta = child["metadata"]
                yield Delete(key_of(child), meta["uid"], meta["resourceVersion"])

    def _ends(self) -> Iterable[ChildKey]:
        """Verifiers that have asked for long enough."""
        for verifier in self.course.verifiers:
            live = self.observed.children.get(verifier.key)
            is_running = live is not None and (live.get("status") or {}).get("phase") in ("Pending", "Running")
            if live and verifier.has_enough and is_running and live["spec"].get("activeDeadlineSeconds") != ENDED_SECONDS:
                yield verifier.key

    def _in_use(self) -> frozenset[str]:
        running = {rollout_of(live).revision for live in self.facts.deployments.values()}
        named = {self.facts.stable.place.revision} if self.facts.stable else set()
        if self.course.record:
            named.add(self.course.record.place.revision)
        named |= {entry.revision for entry in self.course.actions if entry.phase == "Running"}
        return frozenset({self.facts.wanted.name, *running, *named, *(s.revision.name for s in self.course.stacks)})

    def _not_undone(self) -> Finding | None:
        record = self.course.record
        if record is None or record.migration is not Migration.NOT_UNDONE:
            return None
        text = f"the migration of revision {record.place.revision} was not undone, and is not tried again: {record.undo_problem}"
        return Finding(Reason.MIGRATION_NOT_UNDONE, f"{text}; put the data right by hand, then change the spec, or retry", is_final=True)

    def _pinned(self) -> Finding | None:
        rejection = self.course.rejection
        if rejection is None:
            return None
        reason = Reason.ROLLED_BACK if rejection.after_cutover else Reason.REJECTED
        what = "was taken back" if rejection.after_cutover else "was rejected"
        text = f"revision {rejection.revision} {what}: {rejection.reason}: {rejection.message}; change the spec, or retry it"
        return Finding(reason, text, is_final=True)

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
        if not self.deployment or not rollout or rollout.is_complete or self.course.room:
            return None
        finding = diagnosis.of_deployment(self.deployment) or diagnosis.of_pods(self._new_pods())
        if finding and not self._has_stood_still(finding.believed_after):
            finding = None
        if diagnosis.has_passed_its_deadline(self.deployment):
            text = finding.message if finding else "the rollout has made no progress for ten minutes; see its pods"
            return Finding(finding.reason if finding else Reason.PROGRESS_DEADLINE_EXCEEDED, text, is_final=True)
        return finding

    def _new_pods(self) -> list[Manifest]:
        pods = [p for p in self.observed.pods or () if self.deployment and revision_label(p) == rollout_of(self.deployment).revision]
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
        waits = [LOOK_AGAIN if self._is_late() else PATIENCE] if rollout and not rollout.is_complete else []
        record = self.course.record
        if record and (self.course.waits_for or (record.step in POLLED_STEPS and record.migration is not Migration.NOT_UNDONE)):
            waits.append(PATIENCE)
        if self.course.look_at:
            waits.append(max(self.course.look_at - self.now, timedelta()))
        waits += [at - self.now for at in self.unheard.values() if at > self.now]
        waits += [wait for wait in [self._answer_wait()] if wait is not None]
        return min(waits, default=None)

    def _answer_wait(self) -> timedelta | None:
        return max(self.answer_at - self.now, timedelta()) if self.answer_at else None

    def _drift(self, entries: Iterable[Manifest]) -> Finding | None:
        for child in self.facts.ours:
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
        entries = history.entries(self.facts.kept, self.before.get("history") or (), self.svc.spec.release.history_limit)
        course = self.course
        serving = course.serving and self.facts.kept.named(course.serving.revision)
        running = serving and stored(serving)
        situation = Situation(
            revision=self.facts.wanted.name,
            image=self.facts.wanted.image,
            serving=course.serving,
            serving_image=running.image if running else self.facts.wanted.image,
            selector=course.switch.selector,
            replicas=course.replicas,
            rollout=self.facts.rollout(course.serving.color) if course.serving else None,
            is_gated=True,
            record=course.record,
            waits_for=course.waits_for,
            room=course.room,
            stable=self.facts.stable,
            rejection=course.rejection,
            finding=finding,
            drift=self._drift(entries),
            history=entries,
            crd_schema=self.observed.crd_schema,
            actions=course.actions,
            proof=course.proof,
        )
        return status_of(self.svc, situation, self.before, self.now)


def _digest(manifest: Mapping[str, Any]) -> str:
    return str((manifest["metadata"].get("annotations") or {}).get(names.APPLIED_ANNOTATION, ""))
