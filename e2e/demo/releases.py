"""While requests come in: a good version that goes live, a bad one that is refused, and a worse one that is taken back."""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

from e2e.cluster import ClusterError, tools
from e2e.cluster.command import attempt, run
from e2e.demo.service import READY_S, deploy
from e2e.demo.tour import NAMESPACE, SERVICE, Tour
from e2e.kube import Body, Kube

LOAD = "load"
RATE = 100

Result = TypeVar("Result")


def start_load(tour: Tour) -> str:
    """A pod that sends requests to the Service, on new connections, until it is told to end."""
    tour.kubectl("delete", "pod", LOAD, "--ignore-not-found", "--wait")
    # By its address: for as long as DNS caches it, its name may lead to the Service that was deleted by hand a moment ago.
    address = tour.kubectl("get", "service", SERVICE, "--output=jsonpath={.spec.clusterIP}")
    words = ["--host", address, "--port", "80", "--rate", str(RATE), "--duration", "300s", "--mark-json", "version", "--brief"]
    command = ["/opt/hardened/bin/python", "-I", "-m", "hardened.load", *words, "--report", "/dev/termination-log"]
    restricted = {"allowPrivilegeEscalation": False, "capabilities": {"drop": ["ALL"]}, "readOnlyRootFilesystem": True}
    pod = {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": LOAD, "namespace": NAMESPACE},
        "spec": {
            "restartPolicy": "Never",
            "automountServiceAccountToken": False,
            "securityContext": {"runAsNonRoot": True, "seccompProfile": {"type": "RuntimeDefault"}},
            "containers": [{"name": LOAD, "image": tour.images[0], "command": command, "securityContext": restricted}],
        },
    }
    run([tools.kubectl(), *tour.access, "create", "--filename=-"], timeout=60, stdin=json.dumps(pod))
    tour.kubectl("wait", "--for=condition=Ready", "--timeout=60s", f"pod/{LOAD}")
    return f"{RATE} requests a second to http://{SERVICE}.{NAMESPACE}.svc, each on a connection of its own"


def release(tour: Tour, version: str, env: dict[str, str], exit_status: int) -> str:
    """One version, and what became of it, as hardenctl tells it. Raises ClusterError where that is not what was to come."""
    watch = [sys.executable, "-m", "hardenctl", "status", SERVICE, "-w", "--namespace", NAMESPACE, "--timeout=90s", "--no-color"]

    def follow() -> subprocess.CompletedProcess[str]:
        deploy(tour, version, env, wait=False)
        return attempt([*watch, *tour.access], timeout=120)

    done, switches = asyncio.run(watching_switches(tour.cluster.kubeconfig, follow))
    if done.returncode != exit_status:
        raise ClusterError(f"hardenctl status -w ended with {done.returncode}, not {exit_status}:\n{done.stdout}{done.stderr}")
    tour.switches += [f"{said} {version} in {seconds * 1000:.0f} ms" for said, seconds in switches]
    return "\n".join(line for line in done.stderr.splitlines() if line.strip())


async def watching_switches(kubeconfig: Path, follow: Callable[[], Result]) -> tuple[Result, list[tuple[str, float]]]:
    """What `follow` returns; and each switch of traffic meanwhile, with its seconds until every endpoint has followed."""
    found: list[tuple[str, float]] = []
    at_rest = asyncio.Event()

    async def watch(kube: Kube) -> None:
        doing, since = "", time.monotonic()
        async for live in kube.states("HardenedService", SERVICE, NAMESPACE):
            now = switching(live)
            if now != doing:
                found.extend([(doing, time.monotonic() - since)] if doing else [])
                doing, since = now, time.monotonic()
            (at_rest.clear if doing else at_rest.set)()

    async with Kube(kubeconfig) as kube:
        watcher = asyncio.create_task(watch(kube))
        try:
            result = await asyncio.to_thread(follow)
            # That a version was taken back is told before the last endpoint has followed.
            await asyncio.wait_for(at_rest.wait(), READY_S)
            return result, found
        finally:
            watcher.cancel()
            await asyncio.gather(watcher, return_exceptions=True)


def switching(live: Body | None) -> str:
    """What traffic is being led to or from just now, or ""."""
    release = ((live or {}).get("status") or {}).get("release") or {}
    match release.get("step"):
        case "Cutover":
            return "to"
        case "SwitchBack" if "confirmedAt" not in release:
            return "back from"
        case _:
            return ""


def release_good(tour: Tour) -> str:
    """A good version goes live."""
    return release(tour, "v2", {}, 0)


def release_bad(tour: Tour) -> str:
    """A version that is ready, and answers every request with an error."""
    return release(tour, "v3", {"ERROR_RATIO": "1"}, 3)


def release_worse(tour: Tour) -> str:
    """A version that answers its check, and is slow."""
    return release(tour, "v3", {"LATENCY_MS": "1000"}, 3)


def end_load(tour: Tour) -> str:
    """The sum of it. Raises ClusterError where a request failed."""
    tour.kubectl("patch", "pod", LOAD, "--patch", '{"spec":{"activeDeadlineSeconds":1}}')
    state = "{.status.containerStatuses[0].state.terminated.message}"
    tour.kubectl("wait", "--for=jsonpath={.status.phase}=Failed", "--timeout=60s", f"pod/{LOAD}")
    figures = json.loads(tour.kubectl("get", "pod", LOAD, f"--output=jsonpath={state}"))["figures"]
    tour.kubectl("delete", "pod", LOAD, "--wait=false")
    versions = ", ".join(f"{seen['replies']} by {version}" for version, seen in sorted(figures["marks"].items()))
    said = f"{figures['requests']} requests sent: {versions}\n{figures['failed']} requests failed"
    if figures["failed"]:
        raise ClusterError(f"{said}: {figures['failures']} {figures['statuses']}")
    return f"{said}\ntraffic was switched {', '.join(tour.switches)}"
