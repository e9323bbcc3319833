"""Services that are scaled by what is measured: their size, and what clients saw meanwhile."""

from __future__ import annotations

from collections.abc import Callable

from e2e.kube import Body, is_ready
from e2e.rig import Run
from e2e.traffic import Sending

#: Requests a second: what goes on all the time, and what is more than one pod is to serve.
QUIET_RATE, LOAD_RATE = 10, 300
#: What a pod requests, and how much of it may be used: half of it is less than LOAD_RATE takes, and more than QUIET_RATE does.
REQUESTED = {"requests": {"cpu": "20m", "memory": "16Mi"}, "limits": {"memory": "64Mi"}}
#: Seconds for the kubelets to measure, for metrics-server to ask them, for the autoscaler to look, and for a pod to start.
SCALED_WITHIN = 90.0
AT_ONCE = {"stabilizationWindowSeconds": 0}


def has_size(holds: Callable[[int], bool]) -> Callable[[Body | None], bool]:
    """Whether a service is ready with so many pods, by what it says itself."""
    return lambda live: is_ready(live) and live is not None and holds(live["status"]["autoscale"]["replicas"])


def is_asked_for(holds: Callable[[int], bool]) -> Callable[[Body | None], bool]:
    """Whether so many pods are wanted, though they may not be there yet."""
    return lambda live: live is not None and holds(live["spec"].get("replicas", 1))


async def until_sized(run: Run, holds: Callable[[int], bool]) -> tuple[Body, float]:
    live, seconds = await run.kube.until("HardenedService", "web", run.namespace, has_size(holds), within=SCALED_WITHIN)
    assert live
    return live, seconds


def failures(*sendings: Sending) -> dict[str, int]:
    sent = [each.sent for each in sendings]
    return {"requests": sum(s.requests for s in sent), "failed": sum(s.failed for s in sent)}
