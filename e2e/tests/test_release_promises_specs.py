"""What a spec is promised that comes again, goes back, or comes while another one is being released. See docs/promises.md."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest

from e2e.actions import ask, phase_of
from e2e.cluster.local.cluster import LocalCluster
from e2e.invariants import LATENESS, REVISION, InvariantMonitor, watching
from e2e.kube import Body, condition, is_ready
from e2e.releases import (
    TERMS,
    following,
    leads_to,
    ready_reason,
    released,
    releases_in,
    serving_color,
    slow,
    step_of,
    until_no_release,
    until_step,
)
from e2e.rig import Run, running, serve
from e2e.traffic import sending

RATE = 50
#: Seconds for which a stack that was promoted is kept at least once traffic has left it.
KEPT_S = 30.0

pytestmark = [pytest.mark.cluster, pytest.mark.sampled(2), pytest.mark.usefixtures("rights")]


def checked(namespace: str, version: str, *, expect: str, **spec: Any) -> Body:
    """A version that passes where its answer holds this text."""
    smoke = {"name": "smoke", "http": {"path": "/", "expectBody": expect, "count": 3, "interval": "200ms"}}
    return released(namespace, version, verify={"beforeCutover": [smoke], "afterCutover": {"window": "2s"}}, **spec)


async def until(run: Run, reason: str, *, within: float = 60) -> Body:
    """The service once Ready has this reason."""
    live, _ = await run.kube.until("HardenedService", "web", run.namespace, ready_reason(reason), within=within)
    assert live
    return live


def test_a_rejected_spec_stays_rejected_until_it_is_retried_or_has_something_else_to_pass(local: LocalCluster, tmp_path: Path) -> None:
    async def all_of_it() -> None:
        async with running(local.kubeconfig, tmp_path, name="rejected") as run:
            await serve(run, checked(run.namespace, "v1", expect="v1"))
            async with following(run) as states:
                bad = (await _rejected(run, checked(run.namespace, "v2", expect="v1")))["status"]["pin"]["revision"]
                worse = (await _rejected(run, checked(run.namespace, "v3", expect="v1")))["status"]["pin"]["revision"]
                # Though another one came and went, and whatever is said of its size.
                await _rejected(run, checked(run.namespace, "v2", expect="v1"))
                await _rejected(run, checked(run.namespace, "v2", expect="v1", replicas=3))
                await run.proxy.until_quiet(2, within=30)
                assert releases_in(states) == [bad, worse]
                done = await ask(run, "Retry", revision=bad)
                assert phase_of(done) == "Succeeded", done["status"]
                await until_step(run, "VerifyBefore")
                await until(run, "Rejected")
                assert releases_in(states) == [bad, worse, bad]
                await serve(run, checked(run.namespace, "v2", expect="v2", replicas=3))
                assert releases_in(states) == [bad, worse, bad, bad]
            assert leads_to("green")(await run.kube.get("Service", "web", run.namespace))

    asyncio.run(all_of_it())


async def _rejected(run: Run, manifest: Body) -> Body:
    """The service once this spec of it is rejected."""
    await run.kube.apply(manifest)
    return await until(run, "Rejected")


@pytest.mark.parametrize(
    ("step", "selected"), [pytest.param("VerifyBefore", ("blue",)), pytest.param("VerifyAfter", ("blue", "green", "blue"))]
)
def test_a_spec_that_is_what_serves_ends_the_release_of_another_and_is_healthy_without_checks(
    local: LocalCluster, tmp_path: Path, step: str, selected: tuple[str, ...]
) -> None:
    async def all_of_it() -> None:
        async with running(local.kubeconfig, tmp_path, name="equal") as run:
            await serve(run, released(run.namespace, "v1"))
            window = {"verify": {"afterCutover": {"window": "60s"}}} if step == "VerifyAfter" else {}
            async with watching(run) as monitor:
                await run.kube.apply(slow(run.namespace, "v2", **window))
                await until_step(run, step)
                async with following(run) as states:
                    live = await serve(run, released(run.namespace, "v1"), within=90)
                    await until_no_release(run)
            status = live["status"]
            assert monitor.selected == selected
            assert len(releases_in(states)) == 1, "that of the other one, which ended"
            assert (serving_color(live), status.get("pin")) == ("blue", None), "nothing is rejected"

    asyncio.run(all_of_it())


def test_a_newer_spec_takes_the_place_of_one_that_was_not_switched_to_yet(local: LocalCluster, tmp_path: Path) -> None:
    async def all_of_it() -> None:
        async with running(local.kubeconfig, tmp_path, name="newer") as run:
            await serve(run, released(run.namespace, "v1"))
            async with following(run) as states, watching(run) as monitor, sending(local, run.kube, run.namespace, rate=RATE) as under_way:
                await run.kube.apply(slow(run.namespace, "v2"))
                await until_step(run, "VerifyBefore")
                await serve(run, released(run.namespace, "v3"))
            sent = under_way.sent
            assert len(releases_in(states)) == 2
            assert monitor.selected == ("blue", "green")
            assert (set(sent.versions), sent.failed) == ({"v1", "v3"}, 0)
            stored = await run.kube.list("ControllerRevision", run.namespace)
            assert [s for s in stored if "hardened.dev/rejected" in (s["metadata"].get("annotations") or {})] == [], "nothing is rejected"

    asyncio.run(all_of_it())


def test_a_newer_spec_waits_while_another_is_watched_and_for_the_stack_that_is_kept(local: LocalCluster, tmp_path: Path) -> None:
    terms = {"verify": {"afterCutover": {"window": "8s"}}, "release": {**TERMS["release"], "keepPrevious": "10m"}}

    async def all_of_it() -> None:
        async with running(local.kubeconfig, tmp_path, name="pending") as run:
            await serve(run, released(run.namespace, "v1", **terms))
            async with following(run) as states, watching(run) as monitor:
                await run.kube.apply(released(run.namespace, "v2", **terms))
                await until_step(run, "VerifyAfter")
                await run.kube.apply(released(run.namespace, "v3", **terms))
                await until_step(run, "Keep")
                await until_step(run, "Preview", within=60)
                await run.kube.until("Deployment", "web-blue", run.namespace, lambda d: d is not None and _is_of(d, states[-1]), within=30)
            assert [step_of(s) for s in states if is_ready(s) and s["spec"]["image"].endswith("v3")] == [], "pending is not ready"
            switched, taken = _moments(monitor)
            assert taken - switched >= KEPT_S - LATENESS

    asyncio.run(all_of_it())


def test_a_spec_that_goes_back_to_what_is_kept_is_led_to_at_once(local: LocalCluster, tmp_path: Path) -> None:
    async def all_of_it() -> None:
        async with running(local.kubeconfig, tmp_path, name="revert") as run:
            await serve(run, released(run.namespace, "v1"))
            await serve(run, released(run.namespace, "v2"))
            async with watching(run) as monitor, sending(local, run.kube, run.namespace, rate=RATE) as under_way:
                live = await serve(run, released(run.namespace, "v1"), within=10)  # its checks alone, and what is kept, take longer
            assert monitor.selected == ("green", "blue")
            assert (serving_color(live), live["status"].get("pin"), step_of(live)) == ("blue", None, "Keep")
            assert under_way.sent.failed == 0
            stored = await run.kube.list("ControllerRevision", run.namespace)
            assert [s for s in stored if "hardened.dev/rejected" in (s["metadata"].get("annotations") or {})] == [], "nothing is rejected"

    asyncio.run(all_of_it())


def _is_of(deployment: Body, live: Body) -> bool:
    """Whether a Deployment runs the revision that is being released."""
    return bool(deployment["spec"]["template"]["metadata"]["labels"][REVISION] == live["status"]["release"]["revision"])


def _moments(monitor: InvariantMonitor) -> tuple[float, float]:
    """When traffic was led to green, and when blue was given another revision."""
    first = next(body for body in monitor.first if (body["kind"], body["metadata"]["name"]) == ("Deployment", "web-blue"))
    was = first["spec"]["template"]["metadata"]["labels"][REVISION]
    blue = [c for c in monitor.changes if (c.body["kind"], c.body["metadata"]["name"]) == ("Deployment", "web-blue")]
    switch = [c for c in monitor.changes if (c.body["kind"], c.body["metadata"]["name"]) == ("Service", "web")]
    return (
        next(c.at for c in switch if leads_to("green")(c.body)),
        next(c.at for c in blue if c.body["spec"]["template"]["metadata"]["labels"][REVISION] != was),
    )


def test_a_rollback_before_the_cutover_ends_the_release_first(local: LocalCluster, tmp_path: Path) -> None:
    async def all_of_it() -> None:
        async with running(local.kubeconfig, tmp_path, name="back") as run:
            first = (await serve(run, released(run.namespace, "v1")))["status"]["stable"]["revision"]
            await serve(run, released(run.namespace, "v2"))
            await run.kube.apply(slow(run.namespace, "v3"))
            await until_step(run, "VerifyBefore")
            async with watching(run) as monitor:
                done = await ask(run, "Rollback", within=60)
                live = await run.kube.get("HardenedService", "web", run.namespace)
            assert phase_of(done) == "Succeeded", done["status"]
            assert live
            assert live["status"]["stable"]["revision"] == first
            assert condition(live, "Ready")["reason"] == "Rejected", "or what the spec asks for would begin anew"
            assert monitor.selected == ("green", "blue")

    asyncio.run(all_of_it())
