"""What RollingUpdate and Recreate go by beside all others, read from the facts."""

from dataclasses import replace

from hardened.api import names
from hardened.core.desired.metadata import stack_selector
from hardened.core.desired.service import NOBODY
from hardened.core.model.input import InPlace, Input
from hardened.core.model.state import ReleaseState
from hardened.core.model.target import COLORS, Target, Traffic, other
from hardened.core.observe.facts import Facts, is_at
from hardened.core.observe.observed import may_run
from hardened.core.observe.rollout import Rollout
from hardened.core.observe.traffic import followed, serves_nobody
from hardened.core.release.in_place.pods import running_target
from hardened.core.release.in_place.tokens import in_place_token


def in_place_input(facts: Facts, state: ReleaseState | None, seen: Input) -> Input:
    """The input of a release in which revisions replace each other."""
    color = _color_in_use(facts)
    here, token = InPlace(color), in_place_token(state)
    if (state.strategy if state else seen.strategy) == "RollingUpdate":
        stable = Target(color, seen.stable.revision) if seen.stable else None
        is_clear = not token or facts.fencing_token(color) == token
        is_lost = stable is not None and facts.revision(stable.revision, color) is None
        here = replace(here, is_clear=is_clear, is_lost=is_lost, has_followed=_has_followed(facts, color))
        size, traffic = facts.replicas(color), _rolling_traffic(facts, color)
        return replace(seen, in_place=here, stable=stable, replicas=size, traffic=traffic)
    target = running_target(state, seen.stable)
    if target is not None:
        has_clients = not serves_nobody(facts, target)
        here = replace(here, has_clients=has_clients, is_clear=_is_clear(facts, target, token), is_free=_is_free(facts, target))
    return replace(seen, in_place=here)


def _color_in_use(facts: Facts) -> str:
    """Where traffic goes, whatever the selector says beside the colour; else what runs; else where stable is, or was."""
    found = ((facts.active_service or {}).get("spec", {}).get("selector") or {}).get(names.COLOR_LABEL)
    if found in COLORS:
        return str(found)
    running = [color for color in facts.deployments if (rollout := facts.rollout(color)) and rollout.wanted]
    if len(running) == 1:
        return running[0]
    return facts.stable.target.color if facts.stable else next(iter(facts.deployments), COLORS[0])


def _rolling_traffic(facts: Facts, color: str) -> Traffic:
    """Strange is a selector that the pods of the next revision do not match."""
    found = (facts.active_service or {}).get("spec", {}).get("selector") or {}
    rollout = facts.rollout(color)
    if rollout and found == stack_selector(facts.svc, color):
        return Traffic(Target(color, rollout.revision))
    return Traffic(is_strange=facts.active_service is not None and found.get(names.REVISION_LABEL) != NOBODY)


def _has_followed(facts: Facts, color: str) -> bool:
    rollout = facts.rollout(color)
    if rollout is None or facts.active_service is None:
        return rollout is not None and serves_nobody(facts, Target(color, rollout.revision))
    is_led = facts.active_service["spec"].get("selector") == stack_selector(facts.svc, color)
    ready, has_followed = followed(facts, Target(color, rollout.revision))
    return is_led and has_followed and ready > 0


def _is_clear(facts: Facts, target: Target, fencing_token: str) -> bool:
    rollout, beside = facts.rollout(target.color), facts.rollout(other(target.color))
    if rollout is None or rollout.revision != target.revision or (beside is not None and not _is_empty(beside)):
        return False
    is_marked = not fencing_token or all(facts.fencing_token(color) == fencing_token for color in facts.deployments)
    return is_marked and _are_all_at(facts, target)


def _is_free(facts: Facts, target: Target) -> bool:
    rollout = facts.rollout(target.color)
    if rollout is None or rollout.revision == target.revision:
        return True
    return _is_empty(rollout) and _are_all_at(facts, target, within=target.color)


def _is_empty(rollout: Rollout) -> bool:
    return rollout.is_current and rollout.wanted == rollout.total == 0


def _are_all_at(facts: Facts, target: Target, within: str = "") -> bool:
    """Whether every pod that may still run is of this place. within: as far as it is of this colour; "" for of any."""
    if facts.pods is None:
        return False
    living = [pod for pod in (*facts.pods, *facts.orphans) if may_run(pod)]
    concerned = [pod for pod in living if not within or (pod["metadata"].get("labels") or {}).get(names.COLOR_LABEL) == within]
    return all(is_at(pod, target) for pod in concerned)
