"""Where clients are led, by whom they are served, and what the two stacks are like."""

from collections.abc import Iterable, Mapping
from typing import Any

from hardened.core.desired.service import active_target, is_strange
from hardened.core.model.manifest import Manifest
from hardened.core.model.target import Stack, Target, Traffic
from hardened.core.observe.endpoints import endpoint_slices
from hardened.core.observe.facts import Facts
from hardened.core.observe.rollout import Rollout


def stacks(facts: Facts) -> dict[str, Stack]:
    """The stacks that are there, by their colours."""
    return {color: _stack(facts, color, rollout) for color in facts.deployments if (rollout := facts.rollout(color))}


def _stack(facts: Facts, color: str, rollout: Rollout) -> Stack:
    """What is available is counted of the last template alone: before the Deployment's controller has seen it that is the one before."""
    available = rollout.available if rollout.is_settled else 0
    pods = max(rollout.wanted, rollout.total if rollout.is_current else 1)
    is_known = pods > 0 and facts.revision(rollout.revision, color) is not None
    counted, come = rollout.available, rollout.come
    return Stack(rollout.revision, rollout.wanted, available, rollout.is_settled, counted, come, pods if is_known else 0)


def traffic(facts: Facts) -> Traffic:
    """The active Service as it is."""
    if facts.active_service is None:
        return Traffic()
    target = active_target(facts.active_service, facts.svc)
    origin = facts.adoption.origin
    is_led_back = origin is not None and facts.active_service["spec"].get("selector") == origin.selector
    ready, has_followed = _left(facts) if is_led_back else followed(facts, target)
    is_other = is_strange(facts.active_service, facts.svc) and not is_led_back
    return Traffic(
        target,
        is_other,
        ready,
        has_followed,
        has_endpoints=_has_ready_endpoints(facts),
        is_told=bool(_slices(facts)),
        fencing_token=facts.active_fencing_token,
    )


def followed(facts: Facts, target: Target | None) -> tuple[int, bool]:
    """How many ready endpoints of clients are pods of a place, and whether each endpoint is one."""
    slices = _slices(facts)
    endpoints = list(_endpoints(slices))
    mine = {pod["metadata"]["uid"] for pod in facts.pods_at(target)} if target else set()
    # A pod with addresses of two families has an endpoint in a slice of each.
    ready = {uid for uid, is_ready in endpoints if is_ready}
    if not facts.observed.sees_pods:
        return len(ready), False  # whose they are, nobody can say
    ready &= mine
    # Who only carries the labels is led to as well, whichever revision serves: nobody waits for him.
    strangers = {pod["metadata"]["uid"] for pod in facts.foreign_pods}
    return len(ready), bool(slices) and all(uid in mine for uid, _ in endpoints if uid not in strangers)


def _left(facts: Facts) -> tuple[int, bool]:
    """How many ready endpoints clients have where they are led to what served before us, and whether none of them is a pod of ours."""
    slices, pods = _slices(facts), facts.pods
    endpoints = list(_endpoints(slices))
    mine = {pod["metadata"]["uid"] for pod in pods or ()}
    has_left = bool(slices) and pods is not None and facts.observed.sees_pods and all(uid not in mine for uid, _ in endpoints)
    return len({uid for uid, is_ready in endpoints if is_ready}), has_left


def _has_ready_endpoints(facts: Facts) -> bool:
    return any(is_ready for _, is_ready in _endpoints(_slices(facts)))


def _slices(facts: Facts) -> list[Manifest]:
    return endpoint_slices(facts.observed, facts.svc.name).own


def serves_nobody(facts: Facts, target: Target | None) -> bool:
    """Whether this is a worker, to which no Service leads. Until a revision with ports has passed, its clients are led to nobody."""
    revision = facts.revision(target.revision, target.color) if target else None
    return revision is not None and bool(revision.fields) and not revision.fields.get("ports")


def _endpoints(slices: Iterable[Manifest]) -> Iterable[tuple[str, bool]]:
    """(uid of the pod, whether it takes new connections) of every endpoint."""
    for live in slices:
        for endpoint in live.get("endpoints") or ():
            target: Mapping[str, Any] = endpoint.get("targetRef") or {}
            yield str(target.get("uid", "")), (endpoint.get("conditions") or {}).get("ready") is not False
