"""What a release depends on, read from the facts."""

from collections.abc import Iterable, Mapping
from typing import Any

from hardened.api import names
from hardened.api.service import HardenedServiceSpec
from hardened.core.desired.service import is_strange, leads_to
from hardened.core.facts import Facts
from hardened.core.manifest import Manifest, digest
from hardened.core.release import COLORS, Place, Record, Stack, Terms, Traffic, Verdict, View
from hardened.core.rollout import Rollout, instant

_SLICE_OF = "kubernetes.io/service-name"


def terms_of(spec: HardenedServiceSpec) -> Terms:
    """What the spec says about releases."""
    release, after = spec.release, spec.verify.after_cutover
    return Terms(
        preview_replicas=release.preview_replicas,
        is_manual=release.promotion == "Manual",
        auto_promote_after=release.auto_promote_after,
        progress_deadline=release.progress_deadline,
        keep_previous=release.keep_previous,
        window=after.window,
        has_checks_before=bool(spec.verify.before_cutover),
    )


def key_of(revision: str, spec: HardenedServiceSpec) -> str:
    """What a rejection is remembered by: it holds as long as neither the revision nor what it has to pass changes."""
    checks = {"verify": spec.verify, "migrate": spec.release.migrate}
    written = {name: value.model_dump(mode="json", by_alias=True, exclude_unset=True) for name, value in checks.items() if value}
    return digest({"revision": revision, **written})


def view_of(facts: Facts, record: Record | None, replicas: int) -> View:
    """The view of a blue-green release. replicas: where neither the spec nor a Deployment says how many are wanted."""
    stable = facts.stable.place if facts.stable else None
    traffic = _traffic(facts)
    color = (stable or traffic.leads_to or Place(COLORS[0], "")).color
    return View(
        wanted=facts.wanted.name,
        key=key_of(facts.wanted.name, facts.svc.spec),
        replicas=facts.replicas(color, replicas),
        stable=stable,
        stacks={color: _stack(rollout) for color in facts.deployments if (rollout := facts.rollout(color))},
        traffic=traffic,
        rejected=frozenset(r.key for r in facts.rejections()),
        before=(Verdict.PASSED, ""),
        after=_after(facts, record),
    )


def _stack(rollout: Rollout) -> Stack:
    """Counts of the last template alone: before the Deployment's controller has seen it they are of the one before."""
    is_settled = rollout.is_current and rollout.updated == rollout.total
    return Stack(rollout.revision, rollout.wanted, rollout.available if is_settled else 0, is_settled)


def _traffic(facts: Facts) -> Traffic:
    if facts.switch is None:
        return Traffic()
    place = leads_to(facts.switch, facts.svc)
    endpoints = list(_endpoints(facts.observed.children.values(), facts.svc.name))
    mine = {pod["metadata"]["uid"] for pod in _pods_at(facts, place)} if place else set()
    ready = sum(uid in mine and is_ready for uid, is_ready in endpoints)
    return Traffic(place, is_strange(facts.switch, facts.svc), ready, all(uid in mine for uid, _ in endpoints))


def _endpoints(children: Iterable[Manifest], service: str) -> Iterable[tuple[str, bool]]:
    """(uid of the pod, whether it takes new connections) of every endpoint of a Service."""
    for live in children:
        if live["kind"] == "EndpointSlice" and (live["metadata"].get("labels") or {}).get(_SLICE_OF) == service:
            for endpoint in live.get("endpoints") or ():
                target: Mapping[str, Any] = endpoint.get("targetRef") or {}
                yield str(target.get("uid", "")), (endpoint.get("conditions") or {}).get("ready") is not False


def _pods_at(facts: Facts, place: Place) -> Iterable[Manifest]:
    for pod in facts.observed.pods or ():
        found = pod["metadata"].get("labels") or {}
        if (found.get(names.COLOR_LABEL), found.get(names.REVISION_LABEL)) == (place.color, place.revision):
            yield pod


def _after(facts: Facts, record: Record | None) -> tuple[Verdict, str]:
    """What the pods of the release say of themselves since they take requests."""
    if record is None or record.cutover_at is None or facts.observed.pods is None:
        return Verdict.UNKNOWN, "the pods of the new revision were not seen"
    limit = facts.svc.spec.verify.after_cutover.max_restarts
    for pod in _pods_at(facts, record.place):
        for container in (pod.get("status") or {}).get("containerStatuses") or ():
            restarts, last = int(container.get("restartCount", 0)), (container.get("lastState") or {}).get("terminated") or {}
            ended = instant(last.get("finishedAt"))
            # The kubelet's times are whole seconds.
            if restarts > limit and ended and ended >= record.cutover_at.replace(microsecond=0):
                name = pod["metadata"]["name"]
                return Verdict.FAILED, f"pod {name}, container {container['name']}: restarted {restarts} times, {limit} are allowed"
    return Verdict.PASSED, ""
