"""A cluster, the operator, a service on it, an answered request, and a deletion by hand that is put right."""

from __future__ import annotations

import asyncio
import json
import sys
import time
from pathlib import Path

from e2e.cluster import ClusterError, tools
from e2e.cluster.command import attempt, run
from e2e.demo.tour import NAMESPACE, SERVICE, Tour
from e2e.install import ROOT, ensure_image, install
from e2e.kube import Kube
from e2e.workloads.build import build

CHART = ROOT / "charts/hardened-service"
#: Seconds that the service may take to be ready, and a deleted child to be there again.
READY_S = 120
REPAIR_S = 60


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


#: Checked before it serves: an answer of 200. Watched while it serves: answers within half a second, of which a good version needs some
#: milliseconds, and more on a busy machine. Short times, for a short tour.
TERMS = {
    "release": {"keepPrevious": "30s"},
    "verify": {
        "beforeCutover": [{"name": "smoke", "http": {"path": "/", "count": 3, "interval": "200ms"}}],
        "afterCutover": {"window": "5s", "checks": [{"name": "swift", "http": {"path": "/", "count": 3, "maxLatency": "500ms"}}]},
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
    return f"deleted by hand, and back after {seconds * 1000:.0f} ms"


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
