"""From what is to what should be done: the whole decision, and nothing else."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

from hardened.api import names
from hardened.api.parse import HardenedService, parse
from hardened.api.steps import Step
from hardened.core.actions.log import entries_of
from hardened.core.actions.replies import ActionReply, answers
from hardened.core.checks.reports import unheard
from hardened.core.desired.children import signed, stored_revision
from hardened.core.desired.metadata import action_owner
from hardened.core.model.finding import Diagnosis
from hardened.core.model.manifest import ChildKey, Manifest
from hardened.core.model.measurement import Query
from hardened.core.model.policy import Policy
from hardened.core.model.reasons import Reason
from hardened.core.model.state import Migration
from hardened.core.model.target import COLORS
from hardened.core.needs.dependencies import cycle_of, in_circles
from hardened.core.observe.facts import Facts
from hardened.core.observe.last_usable import last_usable
from hardened.core.observe.observed import Observed, Ownership, owner_of
from hardened.core.observe.rollout import Rollout, rollout_of
from hardened.core.release.decide import decide
from hardened.core.release.suspension import is_suspended
from hardened.core.revisions import history
from hardened.core.revisions.revision import stored
from hardened.core.status.blockers import PATIENCE, Blockers
from hardened.core.status.status import Situation, status_of, unparsed_status
from hardened.core.writes.writes import Apply, Delete, Writes
from hardened.errors import InvalidSpec

#: Pods that are late are looked at this often.
LOOK_AGAIN = timedelta(seconds=15)
GARBAGE_WAIT = timedelta(seconds=2)
#: Nobody tells when a foreign object goes that has the name of a child.
OBSTACLE_WAIT = timedelta(seconds=20)


@dataclass(frozen=True)
class Plan:
    """What to do next. `look` comes first: when it is not empty, or `look_at_pods` is true, or `ask` or `try_out` is not empty, or
    `look_at_constraints` is true, or `look_around` is not None, nothing else is decided.

    look: children to read by name, one after the other; look_around: ConfigMaps to read by name, beside the quotas; look_at_constraints: at
    what the namespace demands of pods that are to be made; try_out: pods of which it is to be tried whether they could be made; ask:
    Prometheus; seed_replicas: what to set spec.replicas to, by /scale, before anything is made of that size; apply, delete, end: in this
    order; what one of them needs that failed is left out, and nothing else; apply: what keeps clients served comes first, what takes pods
    away last; end: pods that are to end now, and to stay; status: the whole status as it should be once nothing is left to write, None to
    leave it; is_status_first: the rest depends on that status, and is planned once it is written; answers: to actions, after all else;
    requeue_after: when to look again if nothing happens before.
    """

    look: frozenset[ChildKey] = frozenset()
    look_at_pods: bool = False
    look_around: frozenset[str] | None = None
    look_at_constraints: bool = False
    try_out: tuple[Manifest, ...] = ()
    ask: tuple[Query, ...] = ()
    seed_replicas: int | None = None
    apply: tuple[Apply, ...] = ()
    delete: tuple[Delete, ...] = ()
    end: tuple[ChildKey, ...] = ()
    status: Manifest | None = None
    is_status_first: bool = False
    answers: tuple[ActionReply, ...] = ()
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
        violations = [*policy.violations(svc.spec), *in_circles(body, observed.needs)]
        if violations:
            raise InvalidSpec(violations)
    except InvalidSpec as error:
        finding = Diagnosis(Reason.INVALID_SPEC, str(error), is_final=True)
        # A cycle may be broken elsewhere, but for one of this service alone.
        wait = PATIENCE if len(cycle_of(body, observed.needs)) > 2 else None
        stand_in = last_usable(body, observed, policy)
        if stand_in is None:
            return Plan(status=unparsed_status(body, finding, _running(body, observed), now), requeue_after=wait)
        return _Planner(stand_in, body.get("status") or {}, observed, policy, now, _Invalid(finding, wait)).plan()
    return _Planner(svc, body.get("status") or {}, observed, policy, now).plan()


def _running(body: Mapping[str, Any], observed: Observed) -> Rollout | None:
    """The Deployment that serves, of a service whose spec says nothing that can be used."""
    meta, serving = body["metadata"], (body.get("status") or {}).get("serving") or {}
    color = str(serving.get("color")) if serving.get("color") in COLORS else COLORS[0]
    live = observed.children.get(ChildKey("Deployment", names.child_name(meta["name"], color)))
    return rollout_of(live) if live and owner_of(live, meta["name"], meta["uid"]) is Ownership.OURS else None


@dataclass(frozen=True)
class _Invalid:
    """Why the spec as it stands cannot be used. wait: until it may have become better by itself, None for never."""

    finding: Diagnosis
    wait: timedelta | None


class _Planner:
    """One decision. Holds what every part of it reads, and changes nothing."""

    def __init__(
        self,
        svc: HardenedService,
        before: Mapping[str, Any],
        observed: Observed,
        policy: Policy,
        now: datetime,
        invalid: _Invalid | None = None,
    ) -> None:
        """invalid: of the spec as it stands, where `svc` stands in for it."""
        self.svc, self.before, self.observed, self.now, self.invalid = svc, before, observed, now, invalid
        self.facts = Facts(svc, before, observed)
        self.state = self.facts.state
        self.decision = decide(self.facts, policy.kit, now)
        self.unheard = unheard(self.facts, self.decision.check_pods)
        lost = frozenset(key for key, at in self.unheard.items() if at <= now)
        self.writes, self.obstacles = Writes(self.facts, self.state, self.decision, lost), Blockers(self.facts, self.decision, now)
        self.answers, self.answer_at = answers(observed.actions, entries_of(before), action_owner(svc), now)

    def plan(self) -> Plan:
        decision = self.decision
        if is_suspended(self.svc, self.state):
            finding = Diagnosis(Reason.SUSPENDED, "spec.suspend is true: nothing is changed until it is false")
            is_told = decision.actions == entries_of(self.before)
            is_first = not is_told and self.observed.keeps_status
            return Plan(status=self._status(finding), is_status_first=is_first, answers=self.answers, requeue_after=self._answer_wait())
        if self.writes.doubts_the_switch():
            return Plan(look=frozenset({ChildKey("Service", self.svc.name)}))
        unseen = self.writes.unseen()
        if unseen:
            return Plan(look=unseen | self.writes.unread(self.writes.wanted()))
        if decision.needs_pods:
            return Plan(look_at_pods=True)
        if decision.queries and not self._goes_back():
            return Plan(ask=decision.queries)
        if decision.config_maps is not None:
            return Plan(look_around=decision.config_maps)
        if decision.tries:
            if self.observed.constraints is None:
                return Plan(look_at_constraints=True)
            return Plan(try_out=tuple(signed(self.writes.task_pods.fitted(pod)) for pod in decision.tries))
        if decision.has_moved and not decision.marked and self.observed.keeps_status:
            # With why the revision is pinned: told as if it were over, and anew after the next look, it would be told twice.
            return Plan(
                status=self._status(self.obstacles.forged() or self.obstacles.standing() or self.obstacles.pinned() or decision.config),
                is_status_first=True,
            )
        wanted = [stored_revision(self.svc, each) for each in decision.marked] if decision.marked else self.writes.wanted()
        look = self.writes.unread(wanted)
        if look:
            return Plan(look=look)
        apply, blocker = self.writes.applies(wanted)
        if decision.marked and apply:
            return Plan(apply=tuple(apply))
        look = self.writes.unsure(apply)
        if look - self.observed.hidden:
            return Plan(look=look)
        if look:
            apply = [step for step in apply if not self.writes.takes_pods_away(step)]
        if not decision.marked and self.writes.task_pods.lack_constraints():
            # What clients need waits for no list.
            first = tuple(step for step in apply if self.writes.is_first(step))
            return Plan(seed_replicas=self._seed(), apply=first) if first else Plan(look_at_constraints=True)
        found = self.obstacles
        obstacle = (
            found.forged()
            or found.standing()
            or blocker
            or found.not_undone()
            or found.pinned()
            or found.fixed()
            or decision.config
            or found.pods()
        )
        if self.obstacles.wants_pods(obstacle):
            return Plan(look_at_pods=True)
        return Plan(
            seed_replicas=self._seed(),
            apply=tuple(apply),
            delete=() if blocker or decision.marked else tuple(self.writes.deletes(wanted)),
            end=tuple(self.writes.ends()),
            status=self._status(obstacle),
            answers=self.answers,
            requeue_after=self._requeue(obstacle),
        )

    def _requeue(self, finding: Diagnosis | None) -> timedelta | None:
        if finding and finding.reason is Reason.WAITING_FOR_GARBAGE_COLLECTION:
            return GARBAGE_WAIT
        if finding and finding.reason is Reason.NOT_OWNED:
            return OBSTACLE_WAIT
        rollout = self.obstacles.rollout
        waits = [PATIENCE] if finding and finding.reason is Reason.NAME_TAKEN else []
        waits += [LOOK_AGAIN if self.obstacles.is_late() else PATIENCE] if rollout and not rollout.is_complete else []
        state = self.decision.state
        if state and (self.decision.waits_for or (state.step.row.is_polled and state.migration is not Migration.NOT_UNDONE)):
            waits.append(PATIENCE)
        if self.decision.look_at:
            waits.append(max(self.decision.look_at - self.now, timedelta()))
        waits += [at - self.now for at in self.unheard.values() if at > self.now]
        waits += [PATIENCE] if self._is_unserved() else []
        waits += [wait for wait in (self._answer_wait(), self.invalid.wait if self.invalid else None) if wait is not None]
        return min(waits, default=None)

    def _is_unserved(self) -> bool:
        """Whether clients who were served have no pod, and something is refused that may be why: that waits for no back-off."""
        rollout = self.facts.rollout(self.decision.serving.color) if self.decision.serving else None
        is_down = self.decision.replicas > 0 and (rollout is None or rollout.available == 0)
        return is_down and self.facts.stable is not None and bool(self.observed.refused)

    def _seed(self) -> int | None:
        is_refused = ChildKey(names.KIND, self.svc.name) in self.observed.refused
        is_unsized = self.svc.spec.replicas is None and not self.svc.is_stand_in and not is_refused
        return self.decision.replicas if is_unsized else None

    def _answer_wait(self) -> timedelta | None:
        return max(self.answer_at - self.now, timedelta()) if self.answer_at else None

    def _goes_back(self) -> bool:
        """Whether the revision is rejected, or traffic led back, whatever Prometheus says: that waits for nobody's answer."""
        state = self.decision.state
        if state is None:
            return False
        is_rejected = any(found.key == state.key for stack in self.decision.marked for found in stack.marks.rejections)
        # One that is there already was written before the spec came back to this revision.
        is_left = any(
            each.marks.left_by == state.fencing_token != self.facts.marks(each.revision.name).left_by for each in self.decision.marked
        )
        return is_rejected or is_left or state.step is Step.SWITCH_BACK or state.is_rollback

    def _with_what_is_invalid(self, finding: Diagnosis | None) -> Diagnosis | None:
        """That the spec cannot be used, and beside it what failed: clients may be without pods for that."""
        if self.invalid is None:
            return finding
        invalid, trouble = self.invalid.finding, self.obstacles.trouble()
        return replace(invalid, message=f"{invalid.message}; and {trouble.message}") if trouble else invalid

    def _status(self, finding: Diagnosis | None) -> Manifest:
        entries = history.entries(self.facts.kept, self.before.get("history") or (), self.svc.spec.release.history_limit)
        decision = self.decision
        serving = decision.serving and self.facts.kept.named(decision.serving.revision)
        running = serving and stored(serving)
        released = decision.state and self.facts.kept.named(decision.state.target.revision)
        brought = released and stored(released)
        situation = Situation(
            revision=self.facts.wanted.name,
            image=self.facts.wanted.image,
            serving=decision.serving,
            serving_image=running.image if running else self.facts.wanted.image,
            selector=decision.active_route.selector,
            replicas=decision.replicas,
            rollout=self.facts.rollout(decision.serving.color) if decision.serving else None,
            is_gated=True,
            state=decision.state,
            released_image=brought.image if brought else "",
            waits_for=decision.waits_for,
            room=decision.room,
            stable=self.facts.stable,
            rejection=decision.rejection,
            finding=self._with_what_is_invalid(finding),
            drift=self.obstacles.drift(entries),
            history=entries,
            crd_schema=self.observed.crd_schema,
            actions=decision.actions,
            proof=decision.proof,
            is_back=decision.is_back,
        )
        return status_of(self.svc, situation, self.before, self.now)
