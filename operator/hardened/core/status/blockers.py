"""What stands in the way of a service, or is not as it should be, in words for its status."""

from collections.abc import Iterable
from dataclasses import replace
from datetime import datetime, timedelta

from hardened.api.steps import Step
from hardened.core.model.finding import Diagnosis
from hardened.core.model.hold import HoldPhase
from hardened.core.model.manifest import Manifest
from hardened.core.model.reasons import Reason
from hardened.core.model.revision import object_name
from hardened.core.model.state import Migration
from hardened.core.needs import services
from hardened.core.observe import diagnosis
from hardened.core.observe.adoption import workloads
from hardened.core.observe.endpoints import SLICE_OF, endpoint_slices
from hardened.core.observe.facts import Facts
from hardened.core.observe.observed import is_deleting
from hardened.core.release.decision import Decision
from hardened.core.revisions.history import revision_label
from hardened.core.status.holds import failed_hold

#: Pods get this long to come up before anybody asks why they do not.
PATIENCE = timedelta(seconds=5)
#: Of what is foreign, in one message.
_MOST_NAMED = 3
#: Workloads that have a size.
_SCALED = ("Deployment", "ReplicaSet", "ReplicationController", "StatefulSet")


def beside(finding: Diagnosis | None, trouble: Diagnosis | None) -> Diagnosis | None:
    """What stays until a person acts, with what else is the matter for now. Told in its place, that would be news twice: as it comes, and
    as it goes."""
    return replace(finding, message=f"{finding.message}; but {trouble.message}") if finding and trouble else finding


class Blockers:
    """Each None where nothing is the matter."""

    def __init__(self, facts: Facts, decision: Decision, now: datetime) -> None:
        self.decision, self.now = decision, now
        self.observed, self.ours = facts.observed, facts.ours
        self.facts = facts
        #: Of the stack whose pods are waited for.
        self.deployment, self.rollout = facts.deployments.get(decision.focus), facts.rollout(decision.focus)

    def trouble(self) -> Diagnosis | None:
        """What failed at the last try."""
        write_errors = self.observed.write_errors
        return diagnosis.of_failure(write_errors[0].doing, write_errors[0].failure, self.facts.svc.namespace) if write_errors else None

    def standing(self) -> Diagnosis | None:
        """What failed at the last try; else another service that wants a Service of the same name."""
        return self.trouble() or services.taken(self.facts)

    def held(self) -> Diagnosis | None:
        """That a restore keeps the service without pods; with what failed beside it."""
        hold, svc = self.decision.hold, self.facts.svc
        if hold is None:
            return None
        trouble = self.trouble()
        beside = f"; but {trouble.message}" if trouble else ""
        if hold.service:
            return Diagnosis(Reason.RESTORING, f"{hold.message}{beside}")
        if hold.has_failed:
            before = next((entry.before for entry in self.decision.actions if entry.uid == hold.uid), "")
            has_backup = hold.backup in {each.name for each in svc.spec.backups or ()}
            return failed_hold(hold, svc.namespace, svc.name, before, has_backup=has_backup)
        if hold.phase is HoldPhase.STARTING and (late := self.pods()):
            beside = f"; {late.message}{beside}"
        what = f"snapshot {hold.snapshot} of backup {hold.backup}"
        doing = f"rolling back to revision {hold.revision} with {what}" if hold.revision else f"{what} is being restored"
        return Diagnosis(Reason.RESTORING, f"{doing}: {hold.phase}: {hold.message}{beside}")

    def forged(self) -> Diagnosis | None:
        """That what the revision is stored under was not stored by the operator."""
        why = self.facts.forged
        svc = self.facts.svc
        return diagnosis.forged_revision(svc.namespace, object_name(svc, self.facts.wanted.name), why) if why else None

    def fixed(self) -> Diagnosis | None:
        """What the spec asks for of the Service, and never comes."""
        return services.fixed(self.facts)

    def not_undone(self) -> Diagnosis | None:
        """A migration that somebody has to undo by hand."""
        state = self.decision.state
        if state is None or state.migration is not Migration.NOT_UNDONE:
            return None
        text = f"the migration of revision {state.target.revision} was not undone, and the undo is not retried: {state.undo_problem}"
        return Diagnosis(Reason.MIGRATION_NOT_UNDONE, f"{text}; repair the data by hand, then change the spec or retry", is_final=True)

    def pinned(self) -> Diagnosis | None:
        """Why what the spec asks for is not released."""
        rejection = self.decision.rejection
        if rejection is None:
            return None
        reason = Reason.ROLLED_BACK if rejection.after_cutover else Reason.REJECTED
        what = "was rolled back" if rejection.after_cutover else "was rejected"
        # By hand the message says who did it, and why; no cause stands before it.
        why = f" by {rejection.message}" if rejection.reason == Reason.ROLLED_BACK else f": {rejection.reason}: {rejection.message}"
        svc, adoption = self.facts.svc, self.facts.adoption
        text = f"revision {rejection.revision} {what}{why}; change the spec, or run: hardenctl retry {svc.name} -n {svc.namespace}"
        is_spared = adoption.origin is not None or adoption.may_begin
        return Diagnosis(reason, f"{text}{f'; Service {svc.name} leads to what served before' if is_spared else ''}", is_final=True)

    def pods(self) -> Diagnosis | None:
        """Why pods do not come up, as far as the Deployment and the pods that were listed tell."""
        if not self.deployment or not self.rollout or self.rollout.is_complete or self.decision.room or not self._is_counted():
            return None
        finding = diagnosis.of_deployment(self.deployment) or diagnosis.of_pods(self._new_pods())
        if finding and not self._has_stood_still(finding.believed_after, finding.since):
            finding = None
        if diagnosis.has_passed_its_deadline(self.deployment):
            text = finding.message if finding else "the rollout has made no progress for ten minutes; check its pods"
            # A release has a deadline of its own, which may be longer, and runs anew once there is room: it is rejected then, or goes on.
            is_final = self.decision.state is None or self.decision.state.step is Step.KEEP or bool(finding and finding.is_final)
            return Diagnosis(finding.reason if finding else Reason.PROGRESS_DEADLINE_EXCEEDED, text, is_final)
        return finding

    def wants_pods(self, finding: Diagnosis | None) -> bool:
        """Whether pods that are late are to be listed. finding: what is known so far."""
        # That a deadline has passed is no cause: the pods know it.
        is_starting = self.decision.hold is not None and self.decision.hold.phase is HoldPhase.STARTING
        is_unexplained = finding is None or finding.reason is Reason.PROGRESS_DEADLINE_EXCEEDED or is_starting
        return self.observed.pods is None and self.observed.sees_pods and is_unexplained and self.is_late()

    def drift(self, entries: Iterable[Manifest]) -> Diagnosis | None:
        """What is not as it should be, and stops nothing. entries: see history.entries."""
        if self.decision.intruders:
            text = f"while a restore replaces the data, it may be read or written half-way: {self.decision.intruders}"
            return Diagnosis(Reason.DATA_IN_USE, text)
        for child in self.ours:
            if child["kind"] == "PersistentVolumeClaim" and is_deleting(child):
                name = child["metadata"]["name"]
                text = f"claim {name} is being deleted while pods mount it; its data is lost when the last of them ends: copy it now"
                return Diagnosis(Reason.CLAIM_DELETING, text)
        if fixed := self.fixed():
            return fixed
        if self.observed.contested:
            key, path = next(iter(self.observed.contested.items()))
            text = f"{key}: something else changes {path} as it is written; check the admission webhooks and policies of the cluster"
            return Diagnosis(Reason.CONTESTED, text)
        if forged := next(iter(self.facts.kept.unusable.items()), None):
            return diagnosis.forged_revision(self.facts.svc.namespace, *forged)
        lost = [e["revision"] for e in entries if e.get("missing")]
        if lost:
            return Diagnosis(
                Reason.REVISION_MISSING, f"stored revisions were deleted: {', '.join(lost)}; a rollback to them is no longer possible"
            )
        return self._foreign_endpoints() or self._foreign_pods() or self._former_pods()

    def _former_pods(self) -> Diagnosis | None:
        """Those that the Service led to before it was taken over. They are somebody else's: nobody but a person takes them down."""
        if self.facts.adoption.former is None or not self.facts.adoption.pods:
            return None
        name, namespace, found = self.facts.svc.name, self.facts.svc.namespace, workloads(self.facts.adoption.pods)
        said = ", ".join(f"{count} of {kind} {each}" for (kind, each), count in sorted(found.items())[:_MOST_NAMED])
        scaled = [f"{kind.lower()}/{each}" for kind, each in sorted(found) if kind in _SCALED][:_MOST_NAMED]
        selector = ",".join(f"{key}={value}" for key, value in sorted(self.facts.adoption.former.selector.items()))
        seen = f"kubectl get pods -n {namespace} -l {selector}"
        command = f"kubectl scale {' '.join(scaled)} -n {namespace} --replicas=0" if scaled else seen
        text = f"Service {name} was taken over, and pods that it led to before still run: {said}"
        return Diagnosis(Reason.FORMER_PODS, f"{text}; once nothing else uses them: {command}")

    def _foreign_pods(self) -> Diagnosis | None:
        """As far as pods were listed in this look."""
        if not self.facts.foreign_pods:
            return None
        named = _named(str(pod["metadata"]["name"]) for pod in self.facts.foreign_pods)
        text = f"pods with this service's labels that none of its Deployments created: {named}"
        harm = "clients may reach them, and the operator ignores them"
        remedy = f"see where they come from: kubectl describe pod -n {self.facts.svc.namespace}; then delete them or remove their labels"
        return Diagnosis(Reason.FOREIGN_PODS, f"{text}; {harm}; {remedy}")

    def _foreign_endpoints(self) -> Diagnosis | None:
        name, foreign = self.facts.svc.name, endpoint_slices(self.observed, self.facts.svc.name).foreign
        if not foreign:
            return None
        named = _named(f"{each} ({by})" if by else each for each, by in foreign.items())
        text = f"Service {name} has endpoints that do not come from its selector: EndpointSlice {named}; clients may reach them"
        remedy = f"delete those that do not belong there: kubectl get endpointslices -n {self.facts.svc.namespace} -l {SLICE_OF}={name}"
        return Diagnosis(Reason.FOREIGN_ENDPOINTS, f"{text} whichever revision serves; {remedy}")

    def is_late(self) -> bool:
        """Whether its pods have not come further for PATIENCE."""
        rollout = self.rollout
        return rollout is not None and rollout.is_current and not rollout.is_complete and self._has_stood_still(PATIENCE)

    def _has_stood_still(self, time: timedelta, since: datetime | None = None) -> bool:
        """since: when the pod in question was made. A Deployment that is scaled up anew does not say that it got further."""
        moments = [at for at in (self.rollout and self.rollout.progressed_at, since) if at]
        return not self.rollout or not moments or self.now - max(moments) >= time

    def _is_counted(self) -> bool:
        """Whether the Deployment runs what is waited for, and its controller has seen that: else all that it says is of another version."""
        state, serving = self.decision.state, self.decision.serving
        target = state.target if state and state.target.color == self.decision.focus else serving
        return self.rollout is not None and self.rollout.is_current and (target is None or self.rollout.revision == target.revision)

    def _new_pods(self) -> list[Manifest]:
        return [p for p in self.facts.pods or () if self.rollout and revision_label(p) == self.rollout.revision]


def _named(names: Iterable[str]) -> str:
    found = sorted(names)
    more = f" and {len(found) - _MOST_NAMED} more" if len(found) > _MOST_NAMED else ""
    return f"{', '.join(found[:_MOST_NAMED])}{more}"
