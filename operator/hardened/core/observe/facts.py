"""What the observed objects mean for one service: its revisions, its two stacks, and where its active Service leads."""

from collections.abc import Mapping
from dataclasses import replace
from functools import cached_property
from typing import Any

from hardened.api import names
from hardened.api.parse import HardenedService
from hardened.core.desired.service import active_target, preview_name, selector
from hardened.core.model.annotations import RevisionAnnotations, annotations_of
from hardened.core.model.hold import Hold, hold_of
from hardened.core.model.manifest import ChildKey, Manifest
from hardened.core.model.revision import Revision, object_name
from hardened.core.model.run import Run
from hardened.core.model.state import Rejection, ReleaseState
from hardened.core.model.target import COLORS, Target
from hardened.core.model.written import Stable, rejection_of, stable_of, state_of
from hardened.core.observe.adoption import Adoption, adoption_of
from hardened.core.observe.fixed import as_it_can_be
from hardened.core.observe.lost_hold import held_by, lost_hold
from hardened.core.observe.observed import Observed, Ownership, is_deleting, owner_of
from hardened.core.observe.ownership import applied_fields, is_edited
from hardened.core.observe.rollout import Rollout, rollout_of
from hardened.core.observe.run_results import runs_of
from hardened.core.revisions.history import History
from hardened.core.revisions.revision import key_of, render, revision_name, revision_of, stored
from hardened.core.revisions.usable import problem, template_problem


class Facts:
    """One reading of the world, which every decision shares. before: the status as it is.

    asked: the service as its spec has it; svc: as far as its Service can be like that, see as_it_can_be.
    """

    def __init__(self, svc: HardenedService, before: Mapping[str, Any], observed: Observed) -> None:
        self.asked, self.before, self.observed = svc, before, observed
        self.ours = tuple(c for c in observed.children.values() if owner_of(c, svc.name, svc.uid) is Ownership.OURS)
        self.active_service = self.mine("Service", svc.name)
        # One that leads to nobody is made anew as the spec says.
        is_free = self.active_service is not None and self.active_service["spec"].get("selector") == selector(svc, None)
        self.svc = svc if is_free else as_it_can_be(svc, self.active_service)
        self.kept = History.of(self.ours, lambda live: problem(svc.name, live))
        self.wanted = self._wanted()
        self._revisions: dict[tuple[str, str], Revision | None] = {}  # reading a stored one takes a third of a millisecond
        self._marks: dict[str, RevisionAnnotations] = {}
        self.deployments = {color: live for color in COLORS if (live := self.mine("Deployment", self.stack_name(color)))}
        self.preview = self.mine("Service", preview_name(svc))
        self.stable = self._stable()

    @cached_property
    def state(self) -> ReleaseState | None:
        """The release at work, as status has it."""
        return state_of(self.before)

    @cached_property
    def hold(self) -> Hold | None:
        """What keeps the service without pods: as status has it, or, where somebody wiped that, as the Job tells that restores."""
        return hold_of(self.before) or lost_hold(self.before, self.ours, self.runs, self._stopped)

    @cached_property
    def adoption(self) -> Adoption:
        """How far a Service that was there before is taken over."""
        replicas, has_stable = self.replicas(COLORS[0]), self.stable is not None
        return adoption_of(self.svc, self.wanted, self.active_service, self.observed, replicas=replicas, has_stable=has_stable)

    @property
    def _stopped(self) -> set[str]:
        """The uids of the actions for which pods are stopped: its own, and those of services that depend on it."""
        led = (hold_of(live.get("status") or {}) for live in self.observed.dependents)
        return {held_by(live) for live in self.deployments.values()} | {hold.uid for hold in led if hold and hold.service == self.svc.name}

    def stack_name(self, color: str) -> str:
        """The name of a colour's Deployment, budget and policy."""
        return names.child_name(self.svc.name, color)

    def deployment_key(self, color: str) -> ChildKey:
        return ChildKey("Deployment", self.stack_name(color))

    def rollout(self, color: str) -> Rollout | None:
        live = self.deployments.get(color)
        return rollout_of(live) if live else None

    def mine(self, kind: str, name: str) -> Manifest | None:
        """The service's own child of this kind and name."""
        return next((c for c in self.ours if c["kind"] == kind and c["metadata"]["name"] == name), None)

    def annotations(self, revision: str) -> RevisionAnnotations:
        """The annotations of a stored revision; those that status remembers, where what stored it was deleted."""
        if revision not in self._marks:
            self._marks[revision] = self._marks_of(revision)
        return self._marks[revision]

    def _marks_of(self, revision: str) -> RevisionAnnotations:
        live = self.kept.named(revision)
        if live:
            return annotations_of(live, revision)
        known, pin = stable_of(self.before), rejection_of(self.before.get("pin"))
        promotion = known.promotion if known and known.target.revision == revision else 0
        # What it was promoted under is what it has to pass now, as far as anybody knows.
        key = key_of(revision, self.svc.spec) if promotion and revision == self.wanted.name else ""
        return RevisionAnnotations(promotion, (pin,) if pin and pin.revision == revision else (), promoted_key=key)

    def rejections(self) -> list[Rejection]:
        """Every rejection that is remembered: on what is stored, and in status, where somebody deleted what was stored."""
        known = [r for live in self.kept.usable for r in annotations_of(live, revision_of(live)).rejections]
        pin = rejection_of(self.before.get("pin"))
        return known + ([pin] if pin and pin.key not in {r.key for r in known} and not self.kept.named(pin.revision) else [])

    def rejected_keys(self) -> frozenset[str]:
        """The keys that annotations reject. A pin in status goes with the status that is written without it."""
        return frozenset(r.key for live in self.kept.usable for r in annotations_of(live, revision_of(live)).rejections)

    def fencing_token(self, color: str) -> str:
        """The mark of the release that last led traffic to this colour."""
        live = self.deployments.get(color)
        return _epoch(live) if live else ""

    @property
    def active_fencing_token(self) -> str | None:
        """What the active Service is marked with, see ReleaseState.recall; None where no Service is there."""
        return _epoch(self.active_service) if self.active_service else None

    def revision(self, name: str, color: str) -> Revision | None:
        """A revision by its name: as it is stored, as the spec asks for it, or as the Deployment of this colour runs it."""
        if (name, color) not in self._revisions:
            self._revisions[name, color] = self._revision(name, color)
        return self._revisions[name, color]

    def _revision(self, name: str, color: str) -> Revision | None:
        live = self.kept.named(name)
        if live and name == self.wanted.name and self.wanted.data:
            return self.wanted
        found = live and stored(live)
        if found:
            return found
        template = self._running_template(name, color)
        if name == self.wanted.name:
            return replace(self.wanted, template=template) if template else self.wanted
        return Revision(name, {}, template) if template else None

    @property
    def forged(self) -> str:
        """Why what the name of the spec's revision is stored under is not to be used; "" where it may be, or nothing is stored."""
        return self.kept.unusable.get(object_name(self.svc, self.wanted.name), "")

    def unread_template(self, color: str) -> ChildKey | None:
        """The Deployment to read, where its revision is rebuilt from it: the caches leave out what tells applied fields from defaults."""
        live = self.deployments.get(color)
        if live is None or self.kept.named(rollout_of(live).revision) or "managedFields" in live["metadata"]:
            return None
        return self.deployment_key(color)

    def replicas(self, color: str) -> int:
        """What the spec wants; else what this colour runs, as far as `autoscale` allows it; else what a service has at first."""
        spec, live = self.svc.spec, self.deployments.get(color)
        if spec.replicas is not None:
            return spec.replicas
        if self.hold:
            return self.hold.replicas
        runs = live["spec"].get("replicas") if live and not held_by(live) else None
        if runs is None:
            return spec.first_replicas
        # What serves stays as it is while the spec cannot be used.
        return int(runs) if spec.autoscale is None or self.svc.is_stand_in else spec.autoscale.bounded(int(runs))

    @cached_property
    def pods(self) -> tuple[Manifest, ...] | None:
        """The application's pods, None where nobody has listed them: those of the ReplicaSets of its Deployments. Labels are anybody's.

        Where ReplicaSets may not be listed, as under the rights of an older chart, nobody can tell them from others.
        """
        owners, pods = self._replica_sets, self.observed.pods
        return pods if pods is None or owners is None else tuple(pod for pod in pods if _controller(pod) in owners)

    @cached_property
    def foreign_pods(self) -> tuple[Manifest, ...]:
        """Pods that carry the labels of the application's, and are none of them."""
        owners = self._replica_sets
        return () if owners is None else tuple(pod for pod in self.observed.pods or () if _controller(pod) not in owners)

    @cached_property
    def runs(self) -> tuple[Run, ...]:
        """The runs of backups, and of their verifications, that are known, oldest first."""
        return runs_of(self.ours, self.observed.children.values(), self.observed.tried_runs or {})

    @property
    def _replica_sets(self) -> frozenset[str] | None:
        """By their uids."""
        if self.observed.replica_sets is None:
            return None
        mine = {live["metadata"]["uid"] for live in self.deployments.values()}
        return frozenset(live["metadata"]["uid"] for live in self.observed.replica_sets if _controller(live) in mine)

    @cached_property
    def orphans(self) -> tuple[Manifest, ...]:
        """Pods that may be of a Deployment of ours that somebody deleted: the garbage collector takes them, and they may run until then.

        Whose they were nobody can tell any more. Where no pod of a version may be left, they count until they have gone.
        """
        stacks, replica_sets = {self.stack_name(color) for color in COLORS}, self.observed.replica_sets or ()
        by_uid = {live["metadata"]["uid"]: _controller_of(live) for live in replica_sets}

        def may_be(pod: Manifest) -> bool:
            owner = _controller_of(pod)
            if owner.get("kind") != "ReplicaSet":
                return False
            above = by_uid.get(owner.get("uid"))
            return is_deleting(pod) if above is None else bool(above.get("kind") == "Deployment" and above.get("name") in stacks)

        return tuple(filter(may_be, self.foreign_pods))

    def pods_at(self, target: Target) -> list[Manifest]:
        """The application's pods of a place, as far as they were listed."""
        return [pod for pod in self.pods or () if is_at(pod, target)]

    # ---- inside

    def _wanted(self) -> Revision:
        live = self.kept.named(revision_name(self.svc.spec))
        return (live and stored(live)) or render(self.svc)

    def _running_template(self, name: str, color: str) -> Manifest | None:
        """The template that a Deployment runs. One from a newer renderer would restart pods that nobody asked to restart.

        None where somebody edited it: nothing tells what it was.
        """
        live = self.deployments.get(color)
        if live is None or rollout_of(live).revision != name or is_edited(live, names.MANAGER, "spec", "template", "spec"):
            return None
        template = ((applied_fields(live, names.MANAGER) or {}).get("spec") or {}).get("template")
        if not template:
            return None
        labels = {k: v for k, v in template["metadata"]["labels"].items() if k != names.COLOR_LABEL}
        spec = {k: v for k, v in template["spec"].items() if k != "schedulingGates"}  # of a hold, and of no revision
        found = {**template, "metadata": {**template["metadata"], "labels": labels}, "spec": spec}
        # Whoever may write Deployments can write them in our name.
        return None if template_problem(self.svc.name, name, self.svc.spec if name == self.wanted.name else None, found) else found

    def _stable(self) -> Stable | None:
        """The last promoted revision, by the annotations on what is stored; by status, where somebody deleted what was stored."""
        remembered = stable_of(self.before)
        promotion, revision = max(((annotations_of(r, "").promotion, revision_of(r)) for r in self.kept.usable), default=(0, ""))
        # In place its pods may serve on beside what is being rolled out, and nobody asked for the one before it.
        is_in_place = self.svc.spec.effective_strategy == "RollingUpdate"
        if remembered and remembered.promotion > promotion and (is_in_place or self._is_known(remembered.target)):
            return remembered
        if not promotion:
            return None
        # In which colour: where traffic goes, where status says, where it runs; in none of them it is to be brought up again.
        told = [active_target(self.active_service, self.svc) if self.active_service else None, remembered.target if remembered else None]
        named = [target for target in told if target and target.revision == revision]
        running = [target for target in (*named, *(Target(color, revision) for color in COLORS)) if self._runs(target)]
        return Stable((*running, *named, Target(COLORS[0], revision))[0], promotion)

    def _is_known(self, target: Target) -> bool:
        """Whether anything tells what a place runs, where somebody deleted what was stored of it."""
        return self._runs(target) or target.revision == self.wanted.name

    def _runs(self, target: Target) -> bool:
        rollout = self.rollout(target.color)
        return rollout is not None and rollout.revision == target.revision


def is_at(pod: Manifest, target: Target) -> bool:
    """Whether a pod has the labels of a place."""
    labels = pod["metadata"].get("labels") or {}
    return (labels.get(names.COLOR_LABEL), labels.get(names.REVISION_LABEL)) == (target.color, target.revision)


def _controller(live: Manifest) -> str:
    """The uid of an object's controller, "" for none."""
    return str(_controller_of(live).get("uid", ""))


def _controller_of(live: Manifest) -> Manifest:
    """The reference to an object's controller, empty for none."""
    return next((owner for owner in live["metadata"].get("ownerReferences") or () if owner.get("controller")), {})


def _epoch(live: Manifest) -> str:
    return str((live["metadata"].get("annotations") or {}).get(names.EPOCH_ANNOTATION, ""))
