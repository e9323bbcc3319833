"""A version that dies after its cutover: traffic is back on the version before within two seconds."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from e2e.cluster.local.cluster import LocalCluster
from e2e.figures import figures
from e2e.kube import Body, condition
from e2e.releases import end, pods_of, ready_reason, released, serving_color, until_led_to, until_none_is_ready
from e2e.rig import MERCY, running, serve
from e2e.samples import sampled
from e2e.traffic import TIMEOUT_S, sending

RATE = 100
#: Seconds from the last ready pod of a new version gone until the Service leads back.
BACK_S = 2.0
#: Seconds after that in which every node has learnt of it: a request that is sent later must not fail.
LEARNT_S = 2.0
#: Seconds that are looked at from then on.
LOOK_S = 4.0

#: What becomes of all pods of the new version, and how many seconds after the cutover.
CASES = [(how, after) for how in ("deleted", "crashing", "hanging") for after in (0, 1, 5, 20)]

pytestmark = [pytest.mark.cluster, pytest.mark.usefixtures("rights")]


@pytest.mark.parametrize(("how", "after"), sampled(CASES, 1))
def test_a_version_that_dies_after_the_cutover_is_taken_back(local: LocalCluster, tmp_path: Path, how: str, after: float) -> None:
    async def all_of_it() -> None:
        async with running(local.kubeconfig, tmp_path, name="back") as run:
            await serve(run, released(run.namespace, "v1"))
            # On new connections alone: a kept one stays with a pod that hangs until that pod is gone.
            async with sending(local, run.kube, run.namespace, rate=RATE) as under_way:
                await run.kube.apply(released(run.namespace, "v2", verify={"afterCutover": {"window": "60s"}}))
                await until_led_to(run, "green", within=60)
                await asyncio.sleep(after)  # the moment of the case
                pods = await pods_of(run, "green")
                back = asyncio.create_task(until_led_to(run, "blue", within=60))
                begun = time.monotonic()
                await end(local, run, pods, how)
                gone = await until_none_is_ready(run, pods, within=60)
                back_at = begun + await back
                # While traffic is still led to what died, it says so: Available is False then.
                await run.kube.until("HardenedService", "web", run.namespace, _is_back_from(how), within=60)
                look_at, until = back_at + LEARNT_S, back_at + LEARNT_S + LOOK_S
                # What is sent within the look is known to have failed only when its time is over.
                await asyncio.sleep(max(0.0, until + TIMEOUT_S + 1 - time.monotonic()))
            sent, seconds = under_way.sent, back_at - gone
            late = sent.failed_between(look_at, until)
            figures(
                "from the last ready pod gone to the switch back",
                how=how,
                after=after,
                seconds=seconds,
                requests=sent.requests,
                failed=sent.failed,
                failed_later=late,
            )
            assert seconds <= MERCY * BACK_S
            assert late == 0

    asyncio.run(all_of_it())


def _is_back_from(how: str) -> Callable[[Body | None], bool]:
    """Whether the version before serves again. The one that was left is rejected, unless its pods were taken away from it."""
    reason = "RollingOut" if how == "deleted" else "RolledBack"

    def is_back(live: Body | None) -> bool:
        is_led = serving_color(live) == "blue" and condition(live, "Available").get("status") == "True"
        return is_led and ready_reason(reason)(live) and bool(live and live["status"].get("pin")) == (how != "deleted")

    return is_back
