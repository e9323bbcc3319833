"""What status is made from, out of what is seen and what was decided."""

from collections.abc import Sequence

from hardened.core.model.finding import Diagnosis
from hardened.core.model.manifest import Manifest
from hardened.core.observe.autoscaling import Scaling
from hardened.core.observe.facts import Facts
from hardened.core.release.decision import Decision
from hardened.core.revisions.revision import stored
from hardened.core.runs.backups import Backups
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
    return Situation(
        revision=facts.wanted.name,
        image=facts.wanted.image,
        serving=decision.serving,
        serving_image=_image(facts, decision.serving.revision if decision.serving else None, facts.wanted.image),
        selector=decision.active_route.selector,
        replicas=decision.replicas,
        rollout=facts.rollout(decision.serving.color) if decision.serving else None,
        is_gated=True,
        state=decision.state,
        released_image=_image(facts, decision.state.target.revision if decision.state else None, ""),
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
    )


def _image(facts: Facts, revision: str | None, otherwise: str) -> str:
    """The image of a revision, as far as it is stored."""
    live = facts.kept.named(revision) if revision is not None else None
    found = stored(live) if live else None
    return found.image if found else otherwise
