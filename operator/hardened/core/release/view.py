"""What a release depends on, read from the facts."""

from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Any

from hardened.api.service import HardenedServiceSpec
from hardened.api.verify import Verify
from hardened.core.checks.reports import CheckResults
from hardened.core.desired.service import is_strange, leads_to
from hardened.core.model.manifest import Manifest
from hardened.core.model.release import COLORS, Input, ReleasePolicy, Stack, Target, Traffic
from hardened.core.observe.endpoints import endpoint_slices
from hardened.core.observe.facts import Facts
from hardened.core.observe.rollout import Rollout
from hardened.core.release.migration_pods import START
from hardened.core.revisions.revision import key_of

#: The schema revision that has status.release.available.
_COUNTS_SINCE = 7


def terms_of(spec: HardenedServiceSpec) -> ReleasePolicy:
    """What the spec says about releases."""
    release, after = spec.release, spec.verify.after_cutover
    return ReleasePolicy(
        preview_replicas=release.preview_replicas,
        is_manual=release.promotion == "Manual",
        auto_promote_after=release.auto_promote_after,
        progress_deadline=release.progress_deadline,
        keep_previous=release.keep_previous,
        window=after.window,
        has_checks_before=bool(spec.verify.before_cutover),
        migrates_within=release.migrate.deadline + START if release.migrate else None,
        has_verify=_is_declared(spec.verify),
    )


def _is_declared(verify: Verify) -> bool:
    """Whether anything is written down there: a check, a window, how many restarts are borne. What is empty says nothing."""
    after = verify.after_cutover
    written = [getattr(after, name) for name in after.model_fields_set]
    return bool(verify.before_cutover) or any(value is not None and value != [] for value in written)


def view_of(facts: Facts, heard: CheckResults, replicas: int) -> Input:
    """The view of a release. replicas: where neither the spec nor a Deployment says how many are wanted."""
    stable = facts.stable.place if facts.stable else None
    traffic = _traffic(facts)
    if traffic.leads_to is None and not traffic.is_strange and serves_nobody(facts, stable):
        traffic = replace(traffic, leads_to=stable, has_followed=True)
    color = (stable or traffic.leads_to or Target(COLORS[0], "")).color
    return Input(
        wanted=facts.wanted.name,
        key=key_of(facts.wanted.name, facts.svc.spec),
        replicas=facts.replicas(color, replicas),
        stable=stable,
        stacks={color: _stack(facts, color, rollout) for color in facts.deployments if (rollout := facts.rollout(color))},
        traffic=traffic,
        rejected=frozenset(r.key for r in facts.rejections()),
        before=heard.before,
        after=heard.after,
        has_place=facts.observed.has_place,
        counts=not is_older(facts.observed.crd_schema, _COUNTS_SINCE),
    )


def is_older(schema: str, revision: int) -> bool:
    """Whether the CRD on the cluster is of an older schema revision, as far as is known."""
    return schema.isdecimal() and int(schema) < revision


def _stack(facts: Facts, color: str, rollout: Rollout) -> Stack:
    """What is available is counted of the last template alone: before the Deployment's controller has seen it that is the one before."""
    available = rollout.available if rollout.is_settled else 0
    pods = max(rollout.wanted, rollout.total if rollout.is_current else 1)
    is_known = pods > 0 and facts.revision(rollout.revision, color) is not None
    counted, come = rollout.available, rollout.come
    return Stack(rollout.revision, rollout.wanted, available, rollout.is_settled, counted, come, pods if is_known else 0)


def _traffic(facts: Facts) -> Traffic:
    if facts.switch is None:
        return Traffic()
    place = leads_to(facts.switch, facts.svc)
    ready, has_followed = followed(facts, place)
    is_other = is_strange(facts.switch, facts.svc)
    return Traffic(place, is_other, ready, has_followed, is_told=bool(_slices(facts)), epoch=facts.switch_epoch)


def followed(facts: Facts, place: Target | None) -> tuple[int, bool]:
    """How many ready endpoints of clients are pods of a place, and whether each endpoint is one."""
    slices = _slices(facts)
    endpoints = list(_endpoints(slices))
    mine = {pod["metadata"]["uid"] for pod in facts.pods_at(place)} if place else set()
    # A pod with addresses of two families has an endpoint in a slice of each.
    ready = {uid for uid, is_ready in endpoints if is_ready}
    if not facts.observed.sees_pods:
        return len(ready), False  # whose they are, nobody can say
    ready &= mine
    # Who only carries the labels is led to as well, whichever revision serves: nobody waits for him.
    strangers = {pod["metadata"]["uid"] for pod in facts.foreign_pods}
    return len(ready), bool(slices) and all(uid in mine for uid, _ in endpoints if uid not in strangers)


def has_ready_endpoints(facts: Facts) -> bool:
    """Whether clients have any endpoint that takes connections, whoever it is."""
    return any(is_ready for _, is_ready in _endpoints(_slices(facts)))


def _slices(facts: Facts) -> list[Manifest]:
    return endpoint_slices(facts.observed, facts.svc.name).own


def serves_nobody(facts: Facts, place: Target | None) -> bool:
    """Whether this is a worker, to which no Service leads. Until a revision with ports has passed, its clients are led to nobody."""
    revision = facts.revision(place.revision, place.color) if place else None
    return revision is not None and bool(revision.fields) and not revision.fields.get("ports")


def _endpoints(slices: Iterable[Manifest]) -> Iterable[tuple[str, bool]]:
    """(uid of the pod, whether it takes new connections) of every endpoint."""
    for live in slices:
        for endpoint in live.get("endpoints") or ():
            target: Mapping[str, Any] = endpoint.get("targetRef") or {}
            yield str(target.get("uid", "")), (endpoint.get("conditions") or {}).get("ready") is not False
