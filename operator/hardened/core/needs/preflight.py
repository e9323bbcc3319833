"""What the pods of a release need of their namespace, looked at once before the first of them: room in its quotas, and ConfigMaps.

The pods of its checks are pods of the release: where one of them has no room, nobody could say how the revision does.

Whether nodes have room is not looked at: a cluster autoscaler adds nodes only for pods that wait, and who looks after one namespace may not
read nodes. Pods that no node takes are waited for once they are there: see `room`.
"""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from hardened.core.checks.pods import CheckPod, verifiers
from hardened.core.desired.deployment import deployment
from hardened.core.desired.template import files_name
from hardened.core.model.finding import Diagnosis
from hardened.core.model.kit import Kit
from hardened.core.model.manifest import Manifest
from hardened.core.model.reasons import Reason
from hardened.core.model.release import COLORS, Input, ReleasePolicy, ReleaseState, Step, Target, other
from hardened.core.needs.config_maps import Reference, missing, references
from hardened.core.needs.dependencies import dependency_pods
from hardened.core.needs.limits import fitted
from hardened.core.needs.quota import Growth, rolled, shortages, surge_of
from hardened.core.observe.facts import Facts
from hardened.core.observe.observed import may_run
from hardened.core.release.in_place import InPlace
from hardened.core.release.machine import preview_size

#: Nobody tells when a quota is raised, or a ConfigMap made: they are not watched.
WAIT = timedelta(seconds=5)


@dataclass(frozen=True)
class Shortfall:
    """Why no pod may be made yet. room: what quotas lack, which is waited for; config: what somebody has to make."""

    room: Diagnosis | None = None
    config: Diagnosis | None = None


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
    return (before.place, before.key, before.started_at) != (after.place, after.key, after.started_at)


def config_maps(facts: Facts) -> frozenset[str]:
    """The names of those that the revision's pods cannot start without, but for the one that is made with the revision."""
    return frozenset(each.name for each in _references(facts))


def _references(facts: Facts) -> list[Reference]:
    own = files_name(facts.svc, facts.wanted.name)
    return [each for each in references(facts.wanted.template) if each.name != own]


def shortfall(facts: Facts, view: Input, terms: ReleasePolicy, kit: Kit, leaving: Iterable[CheckPod], now: datetime) -> Shortfall:
    """What the revision that the spec asks for lacks. Nothing, where nobody has looked, or where it is taken for there.

    leaving: verifiers of the release that makes way for this one.
    """
    seen = facts.observed.surroundings
    if seen is None or facts.observed.is_granted:
        return NOTHING
    living = [live for each in leaving if (live := facts.observed.children.get(each.key)) and may_run(live)]
    growth = replace(
        _growth(facts, view),
        checked=_checked(facts, view, terms, kit, now),
        leaving=tuple(live["spec"] for live in living),
    )
    short = shortages(seen.quotas, growth)
    absent = missing(_references(facts), seen.config_maps) if seen.config_maps is not None else []
    remedy = "raise the ResourceQuota or free some of it"
    return Shortfall(
        Diagnosis(Reason.QUOTA_EXCEEDED, f"{'; '.join(short)}; {remedy}") if short else None,
        Diagnosis(Reason.CONFIG_MISSING, "; ".join(absent), is_final=True) if absent else None,
    )


def _growth(facts: Facts, view: Input) -> Growth:
    """What is to come on top of what runs. The pods of the revision that serves stay, but for strategies that replace them."""
    size, after = view.replicas, facts.wanted.template["spec"]
    if isinstance(view, InPlace) and view.strategy == "Recreate":
        running = [color for color in COLORS if (rollout := facts.rollout(color)) and rollout.total]
        return _change(facts, running, after, ((0, size),))
    color = view.color if isinstance(view, InPlace) else other(view.stable.color) if view.stable else COLORS[0]
    rollout = facts.rollout(color)
    if not isinstance(view, InPlace) or rollout is None or rollout.revision == facts.wanted.name:
        return _change(facts, [color], after, ((0, size),))  # what the idle colour still has is gone by then
    rendered = deployment(facts.svc, facts.wanted, color, size)
    return _change(facts, [color], after, (*rolled(rollout.total, size, surge_of(rendered, size)), (0, size)))


def _checked(facts: Facts, view: Input, terms: ReleasePolicy, kit: Kit, now: datetime) -> tuple[tuple[int, tuple[Manifest, ...]], ...]:
    """The pods of checks that run at the same time, beside how many pods of the revision."""
    place, seen = Target(COLORS[0], facts.wanted.name), facts.observed.surroundings
    limit_ranges = seen.limit_ranges if seen else ()
    if isinstance(view, InPlace):
        begun, steps = ReleaseState(place, "", Step.CUTOVER, now, strategy=view.strategy), {Step.VERIFY_AFTER: view.replicas}
    else:
        sizes = {Step.VERIFY_BEFORE: preview_size(view, terms), Step.SCALE_UP: view.replicas, Step.VERIFY_AFTER: view.replicas}
        begun, steps = ReleaseState(place, "", Step.PREVIEW, now), sizes

    def pods(step: Step) -> tuple[Manifest, ...]:
        record = replace(begun, step=step)
        found = [*verifiers(facts, record, terms, kit, now), *dependency_pods(facts, record, kit)]
        return tuple(fitted(each.manifest, limit_ranges)["spec"] for each in found)

    return tuple((size, pods(step)) for step, size in steps.items())


def _change(facts: Facts, colors: list[str], after: dict[str, object], stages: tuple[tuple[int, int], ...]) -> Growth:
    live = [facts.deployments[color] for color in colors if color in facts.deployments]
    held = sum(rollout.total for color in colors if (rollout := facts.rollout(color)))
    return Growth(after, stages, live[0]["spec"]["template"]["spec"] if live else None, held)
