"""What RollingUpdate and Recreate depend on, read from the facts."""

from dataclasses import fields, replace
from datetime import datetime

from hardened.api import names
from hardened.core.checks.reports import CheckResults
from hardened.core.desired.metadata import stack_selector
from hardened.core.desired.service import NOBODY
from hardened.core.model.release import COLORS, WITHOUT_PODS, Input, ReleaseState, Step, Target, Traffic, other
from hardened.core.model.timing import has_passed
from hardened.core.observe.facts import Facts, is_at
from hardened.core.observe.observed import may_run
from hardened.core.observe.rollout import Rollout
from hardened.core.release.in_place import InPlace, target
from hardened.core.release.migration_pods import needs_pods as needs_emptiness
from hardened.core.release.view import followed, serves_nobody, view_of


def in_place_view_of(facts: Facts, record: ReleaseState | None, heard: CheckResults, replicas: int) -> InPlace:
    """The view of a release in which revisions replace each other. replicas: where nothing says how many are wanted."""
    known = view_of(facts, heard, replicas)
    strategy, color = facts.svc.spec.effective_strategy, _color_in_use(facts)
    view = InPlace(**{each.name: getattr(known, each.name) for each in fields(Input)}, strategy=strategy, color=color)
    if (record.strategy if record else strategy) == "RollingUpdate":
        stable = Target(color, view.stable.revision) if view.stable else None
        is_clear = not epoch_of(record) or facts.epoch(color) == epoch_of(record)
        is_lost = stable is not None and facts.revision(stable.revision, color) is None
        view = replace(view, stable=stable, is_clear=is_clear, is_lost=is_lost, has_followed=_has_followed(facts, color))
        return replace(view, replicas=facts.replicas(color, replicas), traffic=_rolling_traffic(facts, color))
    place = target(record, view.stable)
    if place is None:
        return view
    is_clear, is_free = _is_clear(facts, place, epoch_of(record)), _is_free(facts, place)
    return replace(view, has_clients=not serves_nobody(facts, place), is_clear=is_clear, is_free=is_free)


def needs_pods(facts: Facts, record: ReleaseState | None, view: InPlace, now: datetime) -> bool:
    """Whether nothing can be said before the pods were listed."""
    if record is not None and needs_emptiness(record):
        return True
    if (record.strategy if record else view.strategy) == "RollingUpdate":
        is_late = record is not None and record.step is Step.CUTOVER and has_passed(record.deadline, now)  # then for the cause alone
        return is_late or (record is not None and record.step is Step.VERIFY_AFTER)
    place = target(record, view.stable)
    if place is None or (record is not None and record.step not in WITHOUT_PODS):
        return record is not None
    rollout = facts.rollout(place.color)
    return rollout is None or rollout.revision != place.revision or rollout.wanted < view.replicas


def epoch_of(record: ReleaseState | None) -> str:
    """What says on the Deployments which revision is to run, before it does; "" where that is not in question.

    Whoever still means to let another one run, as was decided before, is told that they have changed.
    """
    if record is None or record.strategy == "BlueGreen" or record.step not in (Step.CUTOVER, Step.SWITCH_BACK):
        return ""
    if record.strategy == "RollingUpdate" and record.step is Step.CUTOVER:
        return ""  # its template is another one anyway
    return f"{record.epoch} {record.step}"


def _color_in_use(facts: Facts) -> str:
    """Where traffic goes, whatever the selector says beside the colour; else what runs; else where stable is, or was."""
    found = ((facts.switch or {}).get("spec", {}).get("selector") or {}).get(names.COLOR_LABEL)
    if found in COLORS:
        return str(found)
    running = [color for color in facts.deployments if (rollout := facts.rollout(color)) and rollout.wanted]
    if len(running) == 1:
        return running[0]
    return facts.stable.place.color if facts.stable else next(iter(facts.deployments), COLORS[0])


def _rolling_traffic(facts: Facts, color: str) -> Traffic:
    """Strange is a selector that the pods of the next revision do not match."""
    found = (facts.switch or {}).get("spec", {}).get("selector") or {}
    rollout = facts.rollout(color)
    if rollout and found == stack_selector(facts.svc, color):
        return Traffic(Target(color, rollout.revision))
    return Traffic(is_strange=facts.switch is not None and found.get(names.REVISION_LABEL) != NOBODY)


def _has_followed(facts: Facts, color: str) -> bool:
    rollout = facts.rollout(color)
    if rollout is None or facts.switch is None:
        return rollout is not None and serves_nobody(facts, Target(color, rollout.revision))
    is_led = facts.switch["spec"].get("selector") == stack_selector(facts.svc, color)
    ready, has_followed = followed(facts, Target(color, rollout.revision))
    return is_led and has_followed and ready > 0


def _is_clear(facts: Facts, place: Target, epoch: str) -> bool:
    rollout, beside = facts.rollout(place.color), facts.rollout(other(place.color))
    if rollout is None or rollout.revision != place.revision or (beside is not None and not _is_empty(beside)):
        return False
    is_marked = not epoch or all(facts.epoch(color) == epoch for color in facts.deployments)
    return is_marked and _are_all_at(facts, place)


def _is_free(facts: Facts, place: Target) -> bool:
    rollout = facts.rollout(place.color)
    if rollout is None or rollout.revision == place.revision:
        return True
    return _is_empty(rollout) and _are_all_at(facts, place, within=place.color)


def _is_empty(rollout: Rollout) -> bool:
    return rollout.is_current and rollout.wanted == rollout.total == 0


def _are_all_at(facts: Facts, place: Target, within: str = "") -> bool:
    """Whether every pod that may still run is of this place. within: as far as it is of this colour; "" for of any."""
    if facts.pods is None:
        return False
    living = [pod for pod in (*facts.pods, *facts.orphans) if may_run(pod)]
    concerned = [pod for pod in living if not within or (pod["metadata"].get("labels") or {}).get(names.COLOR_LABEL) == within]
    return all(is_at(pod, place) for pod in concerned)
