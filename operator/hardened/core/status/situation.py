"""What status is made from, out of what is seen and what was decided."""

from collections.abc import Mapping, Sequence
from typing import Any

from hardened.api.steps import Step
from hardened.core.desired.container import APP
from hardened.core.model.finding import Diagnosis
from hardened.core.model.manifest import Manifest
from hardened.core.model.target import Target
from hardened.core.observe.autoscaling import Scaling
from hardened.core.observe.facts import Facts
from hardened.core.release.decision import Decision
from hardened.core.revisions.revision import stored
from hardened.core.runs.backups import Backups
from hardened.core.status.pending import pending_of
from hardened.core.status.status import Situation


def situation_of(
    facts: Facts,
    decision: Decision,
    finding: Diagnosis | None,
    drift: Diagnosis | None,
    history: Sequence[Manifest],
    backups: Backups,
    scaling: Scaling | None,
) -> Situation:
    """finding, drift, history, backups, scaling: see Situation."""
    shown = _shown(facts, decision)
    return Situation(
        revision=facts.wanted.name,
        image=facts.wanted.image,
        serving=decision.serving,
        shown=shown,
        shown_image=image_of(facts, shown),
        selector=decision.active_route.selector,
        replicas=decision.replicas,
        rollout=facts.rollout(decision.serving.color) if decision.serving else None,
        is_gated=True,
        state=decision.state,
        released_image=image_of(facts, decision.state.target if decision.state else None),
        pending=pending_of(facts, decision, finding),
        waits_for=decision.waits_for,
        dependencies=decision.dependencies,
        room=decision.room,
        stable=facts.stable,
        rejection=decision.rejection,
        finding=finding,
        drift=drift,
        history=history,
        crd_schema=facts.observed.crd_schema,
        actions=decision.actions,
        proof=decision.proof,
        is_back=decision.is_back,
        backups=backups,
        scaling=scaling,
        hold=decision.hold,
        is_taking_over=facts.adoption.may_begin,
    )


def _shown(facts: Facts, decision: Decision) -> Target | None:
    """The revision that clients reach: while RollingUpdate replaces pods one by one, still the one before, whose last pods serve."""
    state, serving, stable = decision.state, decision.serving, facts.stable
    if state is None or stable is None or serving != state.target or (state.strategy, state.step) != ("RollingUpdate", Step.CUTOVER):
        return serving
    rollout = facts.rollout(serving.color)
    return serving if rollout is None or rollout.is_settled else Target(serving.color, stable.target.revision)


def image_of(facts: Facts, target: Target | None) -> str:
    """The image of a revision, and of no other: as the spec has it, as it is stored, as its Deployment runs it, or as status told it.

    "" if unknown.
    """
    if target is None:
        return ""
    if target.revision == facts.wanted.name:
        return facts.wanted.image
    live = facts.kept.named(target.revision)
    found = stored(live) if live else None
    return found.image if found else _running_image(facts, target) or _told_image(facts.before, target.revision)


def _running_image(facts: Facts, target: Target) -> str:
    rollout = facts.rollout(target.color)
    if rollout is None or rollout.revision != target.revision:
        return ""
    containers = facts.deployments[target.color]["spec"]["template"]["spec"].get("containers") or ()
    return next((str(each.get("image", "")) for each in containers if each.get("name") == APP), "")


def _told_image(before: Mapping[str, Any], revision: str) -> str:
    told = [before.get("serving"), before.get("release"), before.get("pending"), *(before.get("history") or ())]
    known = (each for each in told if isinstance(each, Mapping) and each.get("revision") == revision)
    return next((str(each["image"]) for each in known if each.get("image")), "")
