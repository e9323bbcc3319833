"""`python -m e2e.demo`: the tour. A cluster, the operator, a service on it, an answered request, a deletion by hand that is put right; and,
while requests come in, a good version that goes live, a bad one that is refused, and a worse one that is taken back.

What is there already is not made again. The cluster is left running.
"""

from __future__ import annotations

import asyncio
import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeVar

from e2e.cluster import ClusterError, Provider, choose, tools
from e2e.cluster.command import Argument, attempt, run
from e2e.cluster.progress import span
from e2e.install import ROOT, ensure_image, install
from e2e.kube import Body, Kube, KubeError, TooLate
from e2e.workloads.build import build

CHART = ROOT / "charts/hardened-service"
NAMESPACE = "demo"
SERVICE = "web"
#: Seconds that the service may take to be ready, and a deleted child to be there again.
READY_S = 120
REPAIR_S = 60


@dataclass
class Tour:
    """What one step leaves for the next.

    images: the operator's, and those of the service's versions; token: makes this tour's versions new ones;
    switches: how long each switch of traffic took.
    """

    cluster: Provider
    images: list[str] = field(default_factory=list)
    token: str = field(default_factory=lambda: f"{time.time():.0f}")
    switches: list[str] = field(default_factory=list)

    @property
    def access(self) -> list[Argument]:
        """The flag that kubectl, helm and hardenctl all take."""
        return ["--kubeconfig", self.cluster.kubeconfig]

    def kubectl(self, *arguments: Argument) -> str:
        """What kubectl prints."""
        return run([tools.kubectl(), *self.access, "--namespace", NAMESPACE, *arguments], timeout=60).rstrip()


Result = TypeVar("Result")
Step = Callable[[Tour], str]
"""Does it, and says what came of it."""


def bring_up(tour: Tour) -> str:
    """The cluster, made or repaired."""
    tour.cluster.up()
    return tour.kubectl("get", "nodes")


def load_images(tour: Tour) -> str:
    """The operator's image and the service's, built and on the nodes."""
    tour.images = [ensure_image(), *(build("static", version) for version in ("v1", "v2", "v3"))]
    tour.cluster.load(tour.images)
    return "\n".join(tour.images)


def install_operator(tour: Tour) -> str:
    """The operator, by its chart."""
    install(tour.cluster, tour.images[0])
    return tour.kubectl("get", "pods", "--namespace=hardened-system")


def apply_service(tour: Tour) -> str:
    """A service, by the chart for services: helm returns when it is ready."""
    deploy(tour, "v1", {}, wait=True)
    columns = ["--output=custom-columns=MADE:.kind,NAME:.metadata.name", f"--selector=hardened.dev/service={SERVICE}"]
    return tour.kubectl("get", "deploy,svc,netpol,pdb,sa,controllerrevisions", *columns)


#: Checked before it serves: an answer of 200. Watched while it serves: answers within 100 ms. Short times, for a short tour.
TERMS = {
    "release": {"keepPrevious": "30s"},
    "verify": {
        "beforeCutover": [{"name": "smoke", "http": {"path": "/", "count": 3, "interval": "200ms"}}],
        "afterCutover": {"window": "5s", "checks": [{"name": "swift", "http": {"path": "/", "count": 3, "maxLatency": "100ms"}}]},
    },
}


def deploy(tour: Tour, version: str, env: dict[str, str], *, wait: bool) -> None:
    """This version of the service by helm, as a pipeline would. env: what makes it a bad one. Raises ClusterError."""
    extra = {**TERMS, "token": tour.token}
    given = {"image": build("static", version), "replicas": 2, "probePath": "/health/ready", "livenessPath": "/health/live"}
    values = [f"--set-json={name}={json.dumps(value)}" for name, value in {**given, "env": env, "extraSpec": extra}.items()]
    options = [f"--namespace={NAMESPACE}", "--create-namespace", f"--timeout={READY_S}s", *(["--wait"] if wait else [])]
    done = attempt([tools.helm(), "upgrade", "--install", SERVICE, CHART, *tour.access, *options, *values], timeout=READY_S + 60)
    if done.returncode:
        shown = attempt([tools.kubectl(), *tour.access, "--namespace", NAMESPACE, "describe", "hs", SERVICE], timeout=60)
        raise ClusterError(f"helm: {done.stderr.strip()}\n{shown.stdout}")


def show_status(tour: Tour) -> str:
    """The service in the words of hardenctl."""
    return run([sys.executable, "-m", "hardenctl", "status", SERVICE, "--namespace", NAMESPACE, *tour.access], timeout=60).rstrip()


def ask(tour: Tour) -> str:
    """A request to the Service, through the API server, which this machine can reach."""
    path = f"/api/v1/namespaces/{NAMESPACE}/services/{SERVICE}:http/proxy/"
    answer = tour.kubectl("get", "--raw", path)
    return f"GET {path}\n{answer}\nanswered by the pod {json.loads(answer)['pod']}"


def repair(tour: Tour) -> str:
    """The Service deleted by hand, and made again by the operator."""
    seconds = asyncio.run(delete_and_await(tour.cluster.kubeconfig))
    return f"deleted by hand, and there again after {seconds * 1000:.0f} ms"


async def delete_and_await(kubeconfig: Path) -> float:
    """Deletes the Service, and the seconds from then until there is another one."""
    async with Kube(kubeconfig) as kube:
        old = await kube.get("Service", SERVICE, NAMESPACE)
        if old is None:
            raise ClusterError(f"the Service {SERVICE} is not there: something else deletes it")
        uid = old["metadata"]["uid"]
        seen = asyncio.create_task(
            kube.until("Service", SERVICE, NAMESPACE, lambda live: live is not None and live["metadata"]["uid"] != uid, within=REPAIR_S)
        )
        begun = time.monotonic()
        await kube.delete("Service", SERVICE, NAMESPACE)
        await seen
        return time.monotonic() - begun


# ---- releases, while requests come in

LOAD = "load"
RATE = 100


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
    return release(tour, "v3", {"LATENCY_MS": "300"}, 3)


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


STEPS: tuple[tuple[str, Step], ...] = (
    ("a cluster: {cluster}", bring_up),
    ("the images, built and on its nodes", load_images),
    ("the operator, by its chart", install_operator),
    (f"a service, {SERVICE}, by helm: one object in, a hardened deployment out", apply_service),
    (f"hardenctl status {SERVICE}", show_status),
    ("a request to it", ask),
    ("its Service is deleted by hand", repair),
    ("requests come in from now on", start_load),
    ("a good version: it goes live", release_good),
    ("a bad version, ready, but it answers with errors: refused by its check, and never seen by a client", release_bad),
    ("a worse version, good at first sight, but slow: it goes live, and is taken back", release_worse),
    ("what became of the requests", end_load),
)


def tell(text: str = "") -> None:
    """A line of the tour, at once: what is being done goes to stderr meanwhile."""
    print(text, flush=True)


def take(tour: Tour) -> None:
    """The whole tour. Raises ClusterError."""
    begun = time.monotonic()
    for number, (title, step) in enumerate(STEPS, 1):
        tell(f"{number}/{len(STEPS)}  {title.format(cluster=tour.cluster.name)}")
        since = time.monotonic()
        shown = step(tour)
        tell("\n".join(f"     {line}" for line in shown.splitlines()))
        tell(f"     {span(time.monotonic() - since)}\n")
    tell(f"The whole tour took {span(time.monotonic() - begun)}. The cluster is left running. To go on:\n\n{next_commands(tour)}")


def next_commands(tour: Tour) -> str:
    """What to try next, to be pasted as it is."""
    folders = {"kubectl": tools.bin_dir(), "hardenctl": Path(sys.executable).parent}
    path = "".join(f"{folder}:" for program, folder in folders.items() if not shutil.which(program))
    name = "" if tour.cluster.name == "demo" else f" CLUSTER={tour.cluster.name}"
    lines = (
        f"export KUBECONFIG={tour.cluster.kubeconfig}" + (f" PATH={path}$PATH" if path else ""),
        "kubectl get hs -A",
        f"hardenctl status {SERVICE} -n {NAMESPACE}",
        f"make down{name}",
    )
    return "\n".join(f"  {line}" for line in lines)


def main() -> None:
    """The program: what a person can do something about is one line, and exit status 1."""
    name = os.environ.get("CLUSTER") or "demo"
    try:
        take(Tour(choose(name)))
    except (ClusterError, KubeError, TooLate) as error:
        print(f"error: {error}", file=sys.stderr)
        sys.exit(1)
    except KeyboardInterrupt:
        print(f"\ninterrupted; `make demo` goes on from here, `make down CLUSTER={name}` takes it all away", file=sys.stderr)
        sys.exit(130)


if __name__ == "__main__":
    main()
