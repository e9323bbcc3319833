"""From what is to what should be done: the whole decision, and nothing else."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from functools import cached_property
from typing import Any

from hardened.api import names
from hardened.api.parse import HardenedService, parse
from hardened.core.actions.log import entries_of
from hardened.core.actions.replies import ActionReply, answers
from hardened.core.checks.reports import unheard
from hardened.core.desired.children import stored_revision
from hardened.core.desired.metadata import action_owner
from hardened.core.hold.door import LetGo
from hardened.core.model.finding import Diagnosis
from hardened.core.model.manifest import ChildKey, Manifest, key_of
from hardened.core.model.policy import Policy
from hardened.core.model.question import ListConstraints, ListFormer, ListPods, Question, ReadChildren, ReadNamespace, TryRuns
from hardened.core.model.reasons import Reason
from hardened.core.model.target import COLORS
from hardened.core.needs import headroom
from hardened.core.needs.dependencies import cycle_of, in_circles
from hardened.core.needs.preflight import config_maps
from hardened.core.observe.autoscaling import Scaling
from hardened.core.observe.facts import Facts
from hardened.core.observe.last_usable import last_usable
from hardened.core.observe.observed import Observed, Ownership, owner_of
from hardened.core.observe.rollout import Rollout, rollout_of
from hardened.core.observe.run_results import pods_to_try
from hardened.core.observe.scalers import scalers_of
from hardened.core.release.decide import decide
from hardened.core.release.first_backup import taken
from hardened.core.release.suspension import is_suspended
from hardened.core.requeue import FORMER_WAIT, MADE_AGAIN, requeue_after
from hardened.core.revisions import history
from hardened.core.runs.backups import backups_of
from hardened.core.status.blockers import PATIENCE, Blockers, beside
from hardened.core.status.scaling import told_of_scaling
from hardened.core.status.situation import situation_of
from hardened.core.status.status import status_of, unparsed_status
from hardened.core.writes.differences import Writes
from hardened.core.writes.standstill import freezes
from hardened.core.writes.write import Apply, Delete, in_turn
from hardened.errors import InvalidSpec


@dataclass(frozen=True)
class Plan:
    """What to do next: the first of the four below that it has. Once that is done it is planned anew, and the rest may be another.

    1. a question: nothing else is decided before it is answered;
    2. writes: seed_replicas, apply, delete, end and let_go, in this order. Where one fails, what needs it is left out, and nothing else;
    3. a status that is to be written first, since the rest depends on it: is_status_first;
    4. rest: the status and the answers to actions, and when to look again.
    """

    question: Question | None = None
    """What has to be read."""
    seed_replicas: int | None = None
    """What to set spec.replicas to, by /scale, before anything is made of that size."""
    apply: tuple[Apply, ...] = ()
    """What keeps clients served comes first, what takes pods away last."""
    delete: tuple[Delete, ...] = ()
    """What is ours and not wanted any more."""
    end: tuple[ChildKey, ...] = ()
    """Pods that are to end now, and to stay."""
    let_go: LetGo | None = None
    """The Job of a restore that is to begin."""
    status: Manifest | None = None
    """The whole status as it should be once nothing is left to write, None to leave it."""
    is_status_first: bool = False
    """Whether the rest depends on this status, and is planned once it is written."""
    answers: tuple[ActionReply, ...] = ()
    """To actions, after all else."""
    requeue_after: timedelta | None = None
    """When to look again if nothing happens before."""

    @property
    def has_writes(self) -> bool:
        """Something other than status is to be written."""
        return bool(self.apply or self.delete or self.end or self.let_go or self.seed_replicas is not None)


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


def _reading(keys: frozenset[ChildKey]) -> Plan | None:
    return Plan(question=ReadChildren(keys)) if keys else None


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
        svc = svc.as_of(now)
        self.svc, self.before, self.observed, self.now, self.invalid = svc, before, observed, now, invalid
        self.facts = Facts(svc, before, observed)
        self.state = self.facts.state
        self.decision = decide(self.facts, policy.kit, now)
        self.unheard = unheard(self.facts, self.decision.check_pods)
        lost = frozenset(key for key, at in self.unheard.items() if at <= now)
        self.backups = backups_of(self.facts, policy.kit.backup, self.decision.runs, has_pods=self._has_pods, now=now)
        self.scalers = scalers_of(self.facts, policy.prometheus_url, now)
        self.writes = Writes(self.facts, self.state, self.decision, lost, self.backups, self.scalers)
        self.blockers = Blockers(self.facts, self.decision, now)
        self.answers, self.answer_at = answers(observed.actions, entries_of(before), action_owner(svc), now)

    def plan(self) -> Plan:
        """What the first of these has to say. Each may rely on what those before it found in order; the last always has something."""
        parts = (
            self._stand_still,
            self._read_what_it_goes_by,
            self._ask,
            self._record,
            self._read_scalers,
            self._record_scaler,
            self._read_what_is_wanted,
            self._annotate,
            self._read_what_shrinks,
            self._see_constraints,
            self._see_quotas,
            self._see_unmade_runs,
            self._see_late_pods,
            self._go_on,
        )
        return next(found for part in parts if (found := part()))

    def _stand_still(self) -> Plan | None:
        """Nothing but a status, where the service is suspended, once its autoscaler leaves it as it is, and its schedules are suspended."""
        if not is_suspended(self.svc, self.state):
            return None
        if self.scalers.unread:
            return _reading(self.scalers.unread)
        suspends, deletes = (*freezes(self.writes), *self.writes.suspends()), tuple(self.writes.surplus_schedules())
        if suspends or deletes:
            return Plan(apply=suspends, delete=deletes)
        text, trouble = self.svc.spec.suspension_text, self.blockers.trouble()
        finding = beside(Diagnosis(Reason.SUSPENDED, text), trouble)
        is_told = self.decision.actions == entries_of(self.before)
        is_first = not is_told and self.observed.keeps_status
        until = self.svc.spec.suspend_until
        waits = (self._answer_wait(), self._backup_wait(), until - self.now if until else None)
        wait = min((each for each in waits if each is not None), default=None)
        return Plan(status=self._status(finding), is_status_first=is_first, answers=self.answers, requeue_after=wait)

    def _read_what_it_goes_by(self) -> Plan | None:
        """The active Service where it seems to lead where nobody led it, and what a release at work goes by."""
        if self.writes.doubts_active_service():
            return _reading(frozenset({ChildKey("Service", self.svc.name)}))
        unseen = self.writes.unseen()
        if unseen:
            return _reading(unseen | self.writes.unread(self.writes.wanted()))
        former = self.writes.unlisted()
        return Plan(question=ListFormer(tuple(sorted(former.items())))) if former else None

    def _ask(self) -> Plan | None:
        """What the release has to know."""
        return Plan(question=self.decision.question) if self.decision.question else None

    def _record(self) -> Plan | None:
        """That the release has moved: nothing of it is written before status says so, but for annotations of revisions."""
        if not self.decision.has_moved or self.decision.marked or not self.observed.keeps_status:
            return None
        # With why the revision is pinned: told as if it were over, and anew after the next look, it would be told twice.
        found = self.blockers
        standing = found.standing()
        finding = found.held() or found.forged() or beside(found.pinned(), standing) or standing or self.decision.config
        return Plan(status=self._status(finding), is_status_first=True)

    def _read_scalers(self) -> Plan | None:
        """What scales the service, as far as it is not watched."""
        return None if self.decision.marked else _reading(self.scalers.unread)

    def _record_scaler(self) -> Plan | None:
        """That there may be a ScaledObject: nothing else would tell whoever is to delete it."""
        if not self.scalers.is_news or self.decision.marked or not self.observed.keeps_status:
            return None
        return Plan(status=self._status(self.finding), is_status_first=True)

    def _read_what_is_wanted(self) -> Plan | None:
        """What is to be there, and is not known: it may be there all the same."""
        return _reading(self.writes.unread(self.wanted))

    def _annotate(self) -> Plan | None:
        """The annotations of revisions come before all else that is written."""
        return Plan(apply=in_turn(self.applies)) if self.decision.marked and self.applies else None

    def _read_what_shrinks(self) -> Plan | None:
        """What pods are to be taken from, unless it may not be read."""
        return _reading(self.unsure) if self.unsure - self.observed.hidden else None

    def _see_constraints(self) -> Plan | None:
        """What pods of checks have to be like. What clients need waits for no list."""
        if self.decision.marked or not self.writes.lack_constraints():
            return None
        first = tuple(step for step in self.sure_applies if self.writes.is_first(step))
        return Plan(seed_replicas=self._seed(), apply=first) if first else Plan(question=ListConstraints())

    def _see_quotas(self) -> Plan | None:
        """Whether they have room for all pods that the autoscaler may ask for. What is to be written waits for no list."""
        is_due = headroom.is_due(self.facts) and not self.decision.state and not self.sure_applies
        return Plan(question=ReadNamespace(config_maps(self.facts))) if is_due else None

    def _see_unmade_runs(self) -> Plan | None:
        """Why Jobs of backups have no pod."""
        pods = pods_to_try(self.facts.runs, self.observed.children, self.now) if self.observed.tried_runs is None else ()
        return Plan(question=TryRuns(pods)) if pods else None

    def _see_late_pods(self) -> Plan | None:
        """The pods that are late, where nothing else says why."""
        return Plan(question=ListPods()) if self.blockers.wants_pods(self.finding) else None

    def _go_on(self) -> Plan:
        """All that differs, and the status as it is after that."""
        keeps_all = self.not_ours or self.decision.marked
        return Plan(
            seed_replicas=self._seed(),
            apply=self.sure_applies,
            delete=() if keeps_all else tuple(self.writes.deletes(self.wanted)),
            end=tuple(self.writes.ends()),
            let_go=None if keeps_all else self.decision.lets_go,
            status=self._status(self.finding),
            answers=self.answers,
            requeue_after=self._wait(),
        )

    # ---- what several of them go by

    @cached_property
    def wanted(self) -> list[Manifest]:
        """What should be there: the revisions that are to be annotated, where there are any, and all of it else."""
        marked = self.decision.marked
        return [stored_revision(self.svc, each) for each in marked] if marked else self.writes.wanted()

    @cached_property
    def _difference(self) -> tuple[tuple[Apply, ...], Diagnosis | None]:
        applies, blocker = self.writes.applies(self.wanted)
        return tuple(applies), blocker

    @property
    def applies(self) -> tuple[Apply, ...]:
        """What differs from it."""
        return self._difference[0]

    @property
    def _has_pods(self) -> bool:
        """Whether pods of the application are to be there."""
        return self.decision.replicas > 0 and not (self.facts.hold and self.facts.hold.stops_self)

    @property
    def not_ours(self) -> Diagnosis | None:
        """What is not ours, and stands in the way."""
        return self._difference[1]

    @cached_property
    def unsure(self) -> frozenset[ChildKey]:
        """What has to be read before pods are taken away."""
        return self.writes.unsure(self.applies)

    @cached_property
    def sure_applies(self) -> tuple[Apply, ...]:
        """What is written of it: no pods are taken away by what may not be read."""
        return tuple(step for step in self.applies if not self.writes.takes_pods_away(step)) if self.unsure else self.applies

    @cached_property
    def finding(self) -> Diagnosis | None:
        """What status tells of."""
        found = self.blockers
        standing = found.standing() or self.not_ours
        left = found.not_undone() or found.pinned()
        before = found.held() or found.forged() or beside(left, standing) or standing
        return before or found.fixed() or self.decision.config or found.pods()

    @cached_property
    def scaling(self) -> Scaling | None:
        """How the autoscaler does, None without one."""
        return told_of_scaling(self.facts, self.scalers, self.decision, self.now)

    def _seed(self) -> int | None:
        is_refused = ChildKey(names.KIND, self.svc.name) in self.observed.refused
        is_unsized = self.svc.spec.replicas is None and not self.svc.is_stand_in and not is_refused
        return self.decision.replicas if is_unsized else None

    def _wait(self) -> timedelta | None:
        invalid = self.invalid.wait if self.invalid else None
        scaling = self.scaling.look_at - self.now if self.scaling and self.scaling.look_at else None
        former = FORMER_WAIT if self.facts.adoption.former else None
        waits = (self._answer_wait(), invalid, self._backup_wait(), scaling, former)
        return requeue_after(self.blockers, self.finding, self.unheard.values(), waits)

    def _answer_wait(self) -> timedelta | None:
        return max(self.answer_at - self.now, timedelta()) if self.answer_at else None

    def _backup_wait(self) -> timedelta | None:
        """Until something changes of the backups by itself; what could not be made of them is tried again."""
        made = (key_of(each) for each in (*self.backups.schedules, *self.backups.jobs))
        waits = [MADE_AGAIN] if any(key in self.observed.refused for key in made) else []
        waits += [MADE_AGAIN] if any(run.lacks_pod for run in self.facts.runs) else []
        waits += [self.backups.look_at - self.now] if self.backups.look_at else []
        return min(waits, default=None)

    def _with_what_is_invalid(self, finding: Diagnosis | None) -> Diagnosis | None:
        """That the spec cannot be used, and beside it what failed: clients may be without pods for that."""
        if self.invalid is None:
            return finding
        invalid, trouble = self.invalid.finding, self.blockers.trouble()
        return replace(invalid, message=f"{invalid.message}; and {trouble.message}") if trouble else invalid

    def _status(self, finding: Diagnosis | None) -> Manifest:
        before, limit = self.before.get("history") or (), self.svc.spec.release.history_limit
        pinned = self.decision.rejection.key if self.decision.rejection else ""
        entries = history.entries(self.facts.kept, before, limit, taken(self.decision.state), pinned)
        found = self._with_what_is_invalid(finding)
        drift = self.blockers.drift(entries)
        situation = situation_of(self.facts, self.decision, found, drift, entries, self.backups, self.scaling)
        return status_of(self.svc, situation, self.before, self.now)
