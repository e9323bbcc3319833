"""Whatever is done by hand to the Services and Deployments of a release is repaired toward what is stable, and no gate is skipped."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from e2e.cluster.local.cluster import LocalCluster
from e2e.damage import REPAIR_SECONDS
from e2e.figures import figures
from e2e.hand_edits import EDITS, OF_SERVICE, OF_SERVING, PROMOTED, REJECTED, edit_and_await_repair, end_of, ends_after
from e2e.kube import condition, is_ready
from e2e.releases import STEPS, leads_to, released, slow, until_gone, until_no_release, until_step
from e2e.rig import MERCY, Run, running, serve
from e2e.samples import sampled
from e2e.traffic import sending

RATE = 50
#: That of a stack which nobody keeps, without what may be done to what is not wanted any more: a previous stack that was deleted is not
#: made anew, since it is stored and can be.
GOOD = [(step, edit) for step in STEPS for edit in EDITS if (step, edit) != ("Keep", "other-deleted")]
#: "Rejected" stands for the time after it.
BAD = (
    [("Preview", edit) for edit in EDITS] + [("VerifyBefore", edit) for edit in EDITS] + [("Rejected", e) for e in OF_SERVICE + OF_SERVING]
)

pytestmark = [pytest.mark.cluster, pytest.mark.usefixtures("rights")]


async def until_ended(run: Run) -> str:
    """How the release ends."""
    live, _ = await run.kube.until("HardenedService", "web", run.namespace, lambda found: bool(end_of(found)), within=120)
    return end_of(live)


@pytest.mark.parametrize(("step", "edit"), sampled(GOOD, 1))
def test_an_edit_in_a_good_release_is_repaired_toward_stable_and_it_ends_as_it_should(
    local: LocalCluster, tmp_path: Path, step: str, edit: str
) -> None:
    async def all_of_it() -> None:
        async with running(local.kubeconfig, tmp_path, name="edits") as run:
            await serve(run, released(run.namespace, "v1"))
            await run.kube.apply(slow(run.namespace, "v2"))
            await until_step(run, step)
            seconds = await edit_and_await_repair(run, edit, step)
            ended = await until_ended(run)
            figures("edited in a good release", step=step, edit=edit, repair_seconds=seconds, ended=ended)
            assert ended in ends_after(step, edit)
            serving, idle = ("green", "blue") if ended == PROMOTED else ("blue", "green")
            # That it is to be led back is told before it is.
            await run.kube.until("Service", "web", run.namespace, leads_to(serving), within=MERCY * REPAIR_SECONDS)
            await until_no_release(run)
            # A stack that nobody keeps has no pods.
            await run.kube.until("Deployment", f"web-{idle}", run.namespace, lambda d: d is None or not d["spec"]["replicas"], within=30)
            await until_gone(run, idle, within=30)
            assert not run.operator.exits

    asyncio.run(all_of_it())


@pytest.mark.parametrize(("step", "edit"), sampled(BAD, 1))
def test_an_edit_skips_no_gate_and_leads_no_client_to_a_version_that_fails_its_check(
    local: LocalCluster, tmp_path: Path, step: str, edit: str
) -> None:
    async def all_of_it() -> None:
        async with running(local.kubeconfig, tmp_path, name="edits") as run:
            await serve(run, released(run.namespace, "v1"))
            async with sending(local, run.kube, run.namespace, rate=RATE) as under_way:
                await run.kube.apply(slow(run.namespace, "v2", expect="v1"))
                if step == "Rejected":
                    assert await until_ended(run) == REJECTED
                else:
                    await until_step(run, step)
                seconds = await edit_and_await_repair(run, edit, step)
                ended = await until_ended(run)
                await run.proxy.until_quiet(2, within=60)
            sent = under_way.sent
            figures("edited in a bad release", step=step, edit=edit, repair_seconds=seconds, requests=sent.requests, failed=sent.failed)
            live = await run.kube.get("HardenedService", "web", run.namespace)
            assert ended == REJECTED
            assert set(sent.versions) == {"v1"}
            assert leads_to("blue")(await run.kube.get("Service", "web", run.namespace))
            assert not is_ready(live)
            assert condition(live, "Stalled")["status"] == "True"
            assert not run.operator.exits

    asyncio.run(all_of_it())
