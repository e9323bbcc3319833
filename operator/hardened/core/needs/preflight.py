"""What the pods of a release need of their namespace, looked at once before the first of them: room in its quotas, and ConfigMaps.

The pods of its checks are pods of the release: where one of them has no room, nobody could say how the revision does.

Whether nodes have room is not looked at: a cluster autoscaler adds nodes only for pods that wait, and who looks after one namespace may not
read nodes. Pods that no node takes are waited for once they are there: see `room`.
"""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from hardened.api.steps import Step
from hardened.core.checks.pods import CheckPod, check_pods
from hardened.core.desired.deployment import deployment
from hardened.core.desired.template import files_name
from hardened.core.model.finding import Diagnosis
from hardened.core.model.input import Input
from hardened.core.model.kit import Kit
from hardened.core.model.manifest import Manifest
from hardened.core.model.reasons import Reason
from hardened.core.model.state import ReleaseState
from hardened.core.model.target import COLORS, Target, other
from hardened.core.needs.config_maps import Reference, missing, references
from hardened.core.needs.dependencies import dependency_pods
from hardened.core.needs.limits import fitted
from hardened.core.needs.quota import Growth, rolled, shortages, surge_of
from hardened.core.observe.facts import Facts
from hardened.core.observe.observed import may_run

#: Nobody tells when a quota is raised, or a ConfigMap made: they are not watched.
WAIT = timedelta(seconds=5)
#: What somebody has to make may be on its way: External Secrets, Reloader and a chart's own later objects need a moment.
GRACE = timedelta(seconds=60)


@dataclass(frozen=True)
class Shortfall:
    """Why no pod may be made yet."""

    room: Diagnosis | None = None
    """What is waited for: what quotas lack, or what is about to be made."""
    config: Diagnosis | None = None
    """What somebody has to make."""


NOTHING = Shortfall()


def is_due(before: ReleaseState | None, after: ReleaseState | None) -> bool:
    """Whether a release begins with this move, or is still held in Preflight. By hand nothing is held up."""
    if after is None or after.is_rollback or after.paused_at or after.step in (Step.SWITCH_BACK, Step.KEEP):
        return False
    return is_new(before, after) or (before is not None and before.step is Step.PREFLIGHT)


def is_new(before: ReleaseState | None, after: ReleaseState | None) -> bool:
    """Whether another release begins with this move."""
    if before is None or after is None:
        return after is not None
    return (before.target, before.key, before.started_at) != (after.target, after.key, after.started_at)


def config_maps(facts: Facts) -> frozenset[str]:
    """The names of those that the revision's pods cannot start without, but for the one that is made with the revision."""
    return frozenset(each.name for each in _references(facts))


def _references(facts: Facts) -> list[Reference]:
    own = files_name(facts.svc, facts.wanted.name)
    return [each for each in references(facts.wanted.template) if each.name != own]


def shortfall(facts: Facts, seen: Input, kit: Kit, leaving: Iterable[CheckPod]) -> Shortfall:
    """What the revision that the spec asks for lacks. Nothing, where nobody has looked, or where it is taken for there.

    leaving: verifiers of the release that makes way for this one.
    """
    namespace = facts.observed.namespace_snapshot
    if namespace is None or facts.observed.is_granted:
        return NOTHING
    living = [live for each in leaving if (live := facts.observed.children.get(each.key)) and may_run(live)]
    growth = replace(
        _growth(facts, seen),
        checked=_checked(facts, seen, kit),
        leaving=tuple(live["spec"] for live in living),
    )
    short = shortages(namespace.quotas, growth)
    absent = missing(_references(facts), namespace.config_maps) if namespace.config_maps is not None else []
    remedy = "raise the ResourceQuota or free some of it"
    return Shortfall(
        Diagnosis(Reason.QUOTA_EXCEEDED, f"{'; '.join(short)}; {remedy}") if short else None,
        Diagnosis(Reason.CONFIG_MISSING, "; ".join(absent), is_final=True) if absent else None,
    )


def with_grace(short: Shortfall, state: ReleaseState | None, now: datetime) -> Shortfall:
    """The same while what somebody has to make may still come by itself: then it is waited for. state: of the release that lacks it."""
    if short.config is None:
        return short
    held_since = (state.entered_at or state.started_at) if state is not None and state.step is Step.PREFLIGHT else now
    return short if now - held_since >= GRACE else Shortfall(replace(short.config, is_final=False))


def _growth(facts: Facts, seen: Input) -> Growth:
    """What is to come on top of what runs. The pods of the revision that serves stay, but for strategies that replace them."""
    size, after, here = seen.replicas, facts.wanted.template["spec"], seen.in_place
    if here and seen.strategy == "Recreate":
        running = [color for color in COLORS if (rollout := facts.rollout(color)) and rollout.total]
        return _change(facts, running, after, ((0, size),))
    color = here.color if here else other(seen.stable.color) if seen.stable else COLORS[0]
    rollout = facts.rollout(color)
    if here is None or rollout is None or rollout.revision == facts.wanted.name:
        return _change(facts, [color], after, ((0, size),))  # what the idle colour still has is gone by then
    rendered = deployment(facts.svc, facts.wanted, color, size)
    return _change(facts, [color], after, (*rolled(rollout.total, size, surge_of(rendered, size)), (0, size)))


def _checked(facts: Facts, seen: Input, kit: Kit) -> tuple[tuple[int, tuple[Manifest, ...]], ...]:
    """The pods of checks that run at the same time, beside how many pods of the revision."""
    target, namespace = Target(COLORS[0], facts.wanted.name), facts.observed.namespace_snapshot
    limit_ranges = namespace.limit_ranges if namespace else ()
    if seen.in_place:
        begun, sizes = ReleaseState(target, "", Step.CUTOVER, seen.now, strategy=seen.strategy), {Step.VERIFY_AFTER: seen.replicas}
    else:
        begun, preview = ReleaseState(target, "", Step.PREVIEW, seen.now), seen.policy.preview_size(seen.replicas)
        sizes = {Step.VERIFY_BEFORE: preview, Step.SCALE_UP: seen.replicas, Step.VERIFY_AFTER: seen.replicas}

    def pods(step: Step) -> tuple[Manifest, ...]:
        state = replace(begun, step=step)
        found = [*check_pods(facts, state, seen.policy, kit, seen.now), *dependency_pods(facts, state, kit)]
        return tuple(fitted(each.manifest, limit_ranges)["spec"] for each in found)

    return tuple((size, pods(step)) for step, size in sizes.items())


def _change(facts: Facts, colors: list[str], after: dict[str, object], stages: tuple[tuple[int, int], ...]) -> Growth:
    live = [facts.deployments[color] for color in colors if color in facts.deployments]
    held = sum(rollout.total for color in colors if (rollout := facts.rollout(color)))
    return Growth(after, stages, live[0]["spec"]["template"]["spec"] if live else None, held)
