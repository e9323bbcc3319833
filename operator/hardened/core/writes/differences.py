"""What of the cluster is to be changed, and what has to be read before that is certain."""

from collections.abc import Collection, Iterable, Mapping
from typing import Any

from hardened.api import names
from hardened.api.steps import Step
from hardened.core.checks.pods import is_verifier
from hardened.core.desired.children import desired_children, signed
from hardened.core.desired.disruption_budget import migration_budget, migration_budget_name
from hardened.core.desired.service import active_target, is_strange, selector
from hardened.core.desired.template import needed_by
from hardened.core.hold.children import as_held
from hardened.core.model.finding import Diagnosis
from hardened.core.model.manifest import ChildKey, Manifest, key_of
from hardened.core.model.reasons import Reason
from hardened.core.model.revision import object_name
from hardened.core.model.state import ReleaseState
from hardened.core.model.target import COLORS
from hardened.core.observe.adoptable import consents
from hardened.core.observe.compare import difference
from hardened.core.observe.diagnosis import forged_revision
from hardened.core.observe.facts import Facts
from hardened.core.observe.fixed import loses_nothing
from hardened.core.observe.observed import Ownership, is_deleting, owner_of
from hardened.core.observe.rollout import rollout_of
from hardened.core.observe.scalers import Scalers
from hardened.core.observe.task_pods import is_over
from hardened.core.release.decision import Decision
from hardened.core.release.migration_pods import is_at_work, unseen_pods
from hardened.core.revisions import history
from hardened.core.revisions.revision import stored
from hardened.core.runs.backups import Backups
from hardened.core.writes.adopted import as_adopted
from hardened.core.writes.fitted_work import fitted_work, lack_constraints
from hardened.core.writes.task_pods import TaskPods
from hardened.core.writes.write import Apply, Delete, pinned_to

#: A pod with this deadline ends at once, and stays with what it reported.
ENDED_SECONDS = 1
#: What may still change of these is their end.
_MADE_ONCE = ("Pod", "Job")


class Writes:
    """What differs between a course and the world.

    state: as it is, and not as the course has it; lost: verifiers that were not heard of in time, and are removed.
    """

    def __init__(
        self, facts: Facts, state: ReleaseState | None, decision: Decision, lost: frozenset[ChildKey], backups: Backups, scalers: Scalers
    ) -> None:
        self.facts, self.state, self.decision, self.backups, self.scalers = facts, state, decision, backups, scalers
        self.svc, self.observed = facts.svc, facts.observed
        self.task_pods = TaskPods(facts, state, [v for v in decision.check_pods if v.key not in lost and not v.is_early])

    # ---- what has to be read first

    def doubts_active_service(self) -> bool:
        """Whether the active Service, as far as is known, leads where nobody led it. A list can be older than the state of the flip."""
        state, key = self.state, self._active_service
        if state is None or state.strategy != "BlueGreen" or state.step not in (Step.CUTOVER, Step.VERIFY_AFTER):
            return False
        live, stable = self.facts.active_service, self.facts.stable
        known = {state.target, stable.target if stable else None} if state.step is Step.CUTOVER else {state.target}
        is_as_recorded = live is not None and active_target(live, self.svc) in known and not is_strange(live, self.svc)
        return not is_as_recorded and key not in self.observed.fresh | self.observed.absent | self.observed.hidden

    def unseen(self) -> frozenset[ChildKey]:
        """What the release goes by, as far as the caches lack it: somebody may have taken its labels, and no more."""
        state, stable = self.state, self.facts.stable
        if state is None or not state.step.row.has_pods or self._is_new():
            return unseen_pods(self.facts, state)
        # Somebody else's has none of our labels: whether the first release may take it over says nobody else.
        first = {self._active_service} if stable is None and state.strategy == "BlueGreen" else set()
        colors = {state.target.color, *((stable.target.color,) if stable else ()), *(COLORS if state.step is Step.KEEP else ())}
        return self.observed.unknown({*(self.facts.deployment_key(color) for color in colors), *first})

    def unlisted(self) -> Mapping[str, str] | None:
        """What selects the pods that the Service led to, or leads to, before it is taken over, where somebody has to know them.

        While a first release is on its way to its cutover: how many they are. Once ours serve, and nothing is at work: whether any is left.
        """
        adoption, state = self.facts.adoption, self.state
        if self.observed.former is not None or not self.observed.sees_former:
            return None
        is_coming = self.facts.stable is None and state is not None and state.is_before_cutover and state.step.row.has_pods
        return adoption.selector if is_coming or (state is None and adoption.former) else None

    def unread(self, wanted: Iterable[Manifest]) -> frozenset[ChildKey]:
        """What has to be read by name before anything is written: wanted children that the caches lack, and what is to be rebuilt.

        Nothing of a service that never had a child: each is made on the condition that it is not there, and read if it is.
        """
        if self._is_new():
            return frozenset()
        missing = frozenset(key_of(m) for m in wanted) - self.observed.children.keys() - self.observed.absent
        # Also of a colour that has no stack yet: before it was read, nobody could say which.
        rebuilt = (self.facts.unread_template(color) for color in COLORS)
        return (missing | {key for key in rebuilt if key}) - self.observed.hidden

    def unsure(self, apply: Iterable[Apply]) -> frozenset[ChildKey]:
        """What takes pods away is decided on a fresh Deployment, and after it a fresh active Service: traffic may lead there by now."""
        shrinking = frozenset(key_of(step.manifest) for step in apply if self.takes_pods_away(step))
        if shrinking - self.observed.fresh:
            return shrinking - self.observed.fresh
        active_service = frozenset({self._active_service}) & self.observed.children.keys()
        return active_service - self.observed.fresh if shrinking else frozenset()

    def _is_new(self) -> bool:
        return not (self.facts.ours or self.facts.stable or self.facts.before.get("history") or self.observed.absent)

    # ---- what is to be written

    def wanted(self) -> list[Manifest]:
        """All that should be there, in the order in which it is written."""
        decision = self.decision
        made = desired_children(self.svc, decision.stacks, decision.active_route, decision.preview_route)
        children = [each for child in made if (each := as_adopted(self.facts, self.state, child))]
        scaler = [signed(self.scalers.wanted)] if self.scalers.wanted else []
        children = as_held(self.svc, [*children, *scaler], self.facts.hold)
        guard = [signed(migration_budget(self.svc))] if self._has_migration() else []
        known = {key_of(child) for child in children}
        ground = [signed(each) for each in self.task_pods.ground() if key_of(each) not in known]
        work = fitted_work(self._work, self.observed)
        return [*children, *guard, *ground, *map(signed, self.task_pods.pods()), *work]

    def suspends(self) -> tuple[Apply, ...]:
        """What is written for the schedules of a service that is suspended: those that are there are, too."""
        known = [each for each in self.backups.schedules if key_of(each) in self.observed.children]
        return tuple(self.applies(fitted_work(known, self.observed))[0])

    def lack_constraints(self) -> bool:
        """Whether something is to be made, and nobody has looked what the namespace demands of it."""
        return self.task_pods.lack_constraints() or lack_constraints(self._work, self.observed)

    @property
    def _work(self) -> tuple[Manifest, ...]:
        """What makes backups, verifies and restores them."""
        return *self.backups.schedules, *self.backups.jobs

    def surplus_schedules(self) -> Iterable[Delete]:
        """The schedules of backups that the spec has no more."""
        return self._deleted(self.backups.surplus)

    def _has_migration(self) -> bool:
        """Whether a pod that is made once is to be made, or may be at work."""
        once = [self.observed.children.get(verifier.key) for verifier in self.decision.check_pods if verifier.is_once]
        return any(live is None or not is_over(live) for live in once) or any(map(is_at_work, self.facts.ours))

    def applies(self, wanted: Iterable[Manifest]) -> tuple[list[Apply], Diagnosis | None]:
        """What differs, and may be written: what keeps clients served first, and what takes pods away last.

        What is not ours, and what was refused, is left out together with what needs it, and nothing else is. With the first of what is not
        ours.
        """
        found: list[Apply] = []
        blockers: list[Diagnosis] = []
        left_out = {*self.observed.refused, *(self.observed.hidden - self.observed.children.keys())}
        for manifest in wanted:
            key = key_of(manifest)
            live = self.observed.children.get(key)
            blocker = self._blocker(key, live) if live else None
            if blocker:
                blockers.append(blocker)
                left_out.add(key)
                continue
            needs = self._needs(manifest, live)
            if needs & left_out:
                left_out.add(key)
            elif key not in left_out:
                found += self.step(manifest, live, needs)
        return sorted(found, key=self._rank), next(iter(blockers), None)

    def step(self, manifest: Manifest, live: Manifest | None, needs: frozenset[ChildKey]) -> Iterable[Apply]:
        """What brings one child in line, where anything does. needs: see Apply."""
        key = key_of(manifest)
        if live is None:
            yield Apply(manifest, is_optional=key in self._optional, needs=needs)
            return
        if self._is_remade(manifest, live):
            return  # once it is gone
        # What is being deleted is made anew once it is gone.
        change = _difference(manifest, live) if key.kind not in _MADE_ONCE and not is_deleting(live) else None
        if change and key not in self.observed.contested:
            yield Apply(pinned_to(manifest, live), live, repairs=change if _digest(live) == _digest(manifest) else "", needs=needs)

    def _is_remade(self, manifest: Manifest, live: Manifest) -> bool:
        """Whether what is there never becomes what is wanted, and is deleted, to be made anew: nothing is lost with it."""
        return loses_nothing(manifest, live, selector(self.svc, None))

    def _needs(self, manifest: Manifest, live: Manifest | None) -> frozenset[ChildKey]:
        """What has to be as it is wanted before this is written. Clients are led on to a stack once that is marked."""
        if manifest["kind"] == "Deployment":
            needed = self._needed_by_pods(manifest)
            return needed | {self._active_service} if live and self._takes_away(manifest, live) else needed
        if manifest["kind"] == "Pod":
            return self.task_pods.needs(manifest)
        state = self.state
        leads_on = state is not None and state.strategy == "BlueGreen" and state.step is Step.CUTOVER and not state.is_rollback
        if state and leads_on and key_of(manifest) == self._active_service:
            return frozenset({self.facts.deployment_key(state.target.color)})
        return frozenset()

    def _needed_by_pods(self, deployment: Manifest) -> frozenset[ChildKey]:
        """What new pods need. Those of a revision that was promoted do without what cannot be changed, as long as it is there."""
        spec, color = deployment["spec"], deployment["metadata"]["labels"][names.COLOR_LABEL]
        revision = spec["template"]["metadata"]["labels"][names.REVISION_LABEL]
        rollout = self.facts.rollout(color)
        if spec["replicas"] <= (rollout.wanted if rollout and rollout.revision == revision else 0):
            return frozenset()
        stored_as = ChildKey("ControllerRevision", object_name(self.svc, revision))
        needed = {*needed_by(spec["template"]["spec"]), stored_as, ChildKey("NetworkPolicy", self.facts.stack_name(color))}
        return frozenset(needed - self.observed.children.keys() if self.facts.annotations(revision).promotion else needed)

    @property
    def _active_service(self) -> ChildKey:
        return ChildKey("Service", self.svc.name)

    @property
    def _optional(self) -> frozenset[ChildKey]:
        """A check or a backup that cannot be made holds nothing else up, nor does a budget; what was to be run once is waited for."""
        pods = frozenset(verifier.key for verifier in self.decision.check_pods if not verifier.is_once)
        work = frozenset(map(key_of, self._work))
        return pods | work | {self._guard}

    @property
    def _guard(self) -> ChildKey:
        return ChildKey("PodDisruptionBudget", migration_budget_name(self.svc))

    def is_first(self, step: Apply) -> bool:
        """Whether it keeps clients served, and is written before all else."""
        return self._rank(step) == 0

    def _rank(self, step: Apply) -> int:
        """When it is written. Somebody may have led the Service to pods that no release keeps: it is led away from them first."""
        if self.takes_pods_away(step):
            return 2
        if step.manifest["kind"] == "PodDisruptionBudget":
            return 1  # a flip does not wait for it
        return 0 if self._serves(step.manifest) else 1

    def _serves(self, manifest: Manifest) -> bool:
        """Whether it is the Service that clients use, or belongs to the stack that it is to lead to."""
        color, labels = self.decision.active_route.selector.get(names.COLOR_LABEL), manifest["metadata"]["labels"]
        return color is not None and (key_of(manifest) == self._active_service or labels.get(names.COLOR_LABEL) == color)

    def deletes(self, wanted: Iterable[Manifest]) -> Iterable[Delete]:
        """What is ours and no longer wanted: never a claim, never a revision within the history."""
        unwanted: set[ChildKey] = set()
        for live in self.facts.kept.surplus(self._in_use(), self.svc.spec.release.history_limit):
            unwanted |= {key_of(live), history.files_key(live)}
        kinds = ("Service", *self.scalers.goes)
        unwanted |= {key_of(child) for child in self.facts.ours if child["kind"] in kinds} - {key_of(m) for m in wanted}
        known = [(manifest, self.observed.children.get(key_of(manifest))) for manifest in wanted]
        unwanted |= {key_of(manifest) for manifest, there in known if there and self._is_remade(manifest, there)}
        pods = {key_of(m) for m in wanted if m["kind"] == "Pod"}
        verifiers = [child for child in self.facts.ours if is_verifier(child)]
        if self.decision.rejection and not self.decision.state:
            # What has failed is kept to be looked at, until the next release.
            verifiers = [live for live in verifiers if not is_over(live)]
        unwanted |= {key_of(child) for child in verifiers if not is_at_work(child)} - pods
        unwanted |= {self._guard} - {key_of(m) for m in wanted}
        yield from self._deleted(unwanted | self.backups.surplus | self.decision.unwanted_jobs)

    def _deleted(self, unwanted: Collection[ChildKey]) -> Iterable[Delete]:
        for child in self.facts.ours:
            if key_of(child) in unwanted and key_of(child) not in self.observed.refused and not is_deleting(child):
                meta = child["metadata"]
                yield Delete(key_of(child), meta["uid"], meta["resourceVersion"])

    def ends(self) -> Iterable[ChildKey]:
        """Verifiers that have asked for long enough."""
        for verifier in self.decision.check_pods:
            live = self.observed.children.get(verifier.key)
            is_running = live is not None and (live.get("status") or {}).get("phase") in ("Pending", "Running") and not is_over(live)
            is_to_end = verifier.has_enough and is_running and verifier.key not in self.observed.refused
            if live and is_to_end and live["spec"].get("activeDeadlineSeconds") != ENDED_SECONDS:
                yield verifier.key

    def takes_pods_away(self, step: Apply) -> bool:
        """Whether a Deployment has fewer pods after it, or other ones."""
        live = self.observed.children.get(key_of(step.manifest))
        return live is not None and live["kind"] == "Deployment" and self._takes_away(step.manifest, live)

    def _takes_away(self, manifest: Manifest, live: Manifest) -> bool:
        before, after = rollout_of(live), manifest["spec"]
        revision = after["template"]["metadata"]["labels"][names.REVISION_LABEL]
        return before.wanted > after["replicas"] or (before.wanted > 0 and before.revision != revision)

    def _blocker(self, key: ChildKey, live: Manifest) -> Diagnosis | None:
        match owner_of(live, self.svc.name, self.svc.uid):
            case Ownership.OURS:
                # What stores a revision never changes: to write over it would be refused.
                why = self.facts.kept.unusable.get(key.name, "") if key.kind == "ControllerRevision" and stored(live) else ""
                return forged_revision(self.svc.namespace, key.name, why) if why else None
            case Ownership.PREVIOUS:
                text = f"{key} still belongs to a deleted service of the same name; the garbage collector removes it"
                return Diagnosis(Reason.WAITING_FOR_GARBAGE_COLLECTION, text)
            case Ownership.FOREIGN:
                owners = [ref for ref in live["metadata"].get("ownerReferences") or () if ref.get("controller")]
                if owners and owners[0].get("kind") == names.KIND:
                    text = (
                        f"{key} belongs to HardenedService {owners[0].get('name')}; delete one of the two and create it under another name"
                    )
                    return Diagnosis(Reason.NAME_TAKEN, text, is_final=True)
                if key == self._active_service:
                    why = self.facts.adoption.refusal
                    return Diagnosis(Reason.NOT_OWNED, why, is_final=True) if why else None
                only = f"; only a Service is taken over by {names.ADOPT_ANNOTATION}" if consents(live, self.svc.name) else ""
                text = f"{key} already exists and does not belong to this service; delete or rename it, or rename the service{only}"
                return Diagnosis(Reason.NOT_OWNED, text, is_final=True)

    def _in_use(self) -> frozenset[str]:
        running = {rollout_of(live).revision for live in self.facts.deployments.values()}
        named = {self.facts.stable.target.revision} if self.facts.stable else set()
        if self.decision.state:
            named.add(self.decision.state.target.revision)
        named |= {entry.revision for entry in self.decision.actions if entry.phase == "Running"}
        named |= {self.decision.hold.revision} if self.decision.hold else set()
        return frozenset({self.facts.wanted.name, *running, *named, *(s.revision.name for s in self.decision.stacks)})


def _difference(manifest: Mapping[str, Any], live: Mapping[str, Any]) -> str | None:
    """What is not as it should be. What is given back is without our signature, and differs as long as it has one."""
    signature = f"metadata.annotations.{names.APPLIED_ANNOTATION}"
    return difference(manifest, live) or (signature if _digest(live) and not _digest(manifest) else None)


def _digest(manifest: Mapping[str, Any]) -> str:
    return str((manifest["metadata"].get("annotations") or {}).get(names.APPLIED_ANNOTATION, ""))
